// MMX data movement, words in and out, conversions with XMM registers, masked stores and EMMS.
#include "emu/cpu/handlers/mmx.h"
#include "emu/cpu/handlers/vector_float.h"
#include "emu/cpu/handlers/vector_lanes.h"

namespace vitrine::emu {

namespace {

// MOVD, MOVQ mm, r/m
template <class T>
Flow to_mm(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  T value = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = cpu.reg<T>(insn.op[1]);
  }
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], value);
  return Flow::next;
}
// MOVD, MOVQ, MOVNTQ r/m, mm
template <class T>
Flow from_mm(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  const auto value = static_cast<T>(read_mm(cpu, insn.op[1]));
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, value);
    if (!stored) return cpu.raise(stored.error());
  } else {
    cpu.set_reg<T>(insn.op[0], value);
  }
  mmx_enter(cpu.state.x87);
  return Flow::next;
}
// MOVQ mm, mm
Flow mm_to_mm(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], read_mm(cpu, insn.op[1]));
  return Flow::next;
}
template <class T>
Handler select_move(const Decoded& d) {
  if (!mmx_form(d)) return nullptr;
  if (!is_mmx(d.operands[0])) return from_mm<T>;
  return is_mmx(d.operands[1]) ? mm_to_mm : to_mm<T>;
}

// MOVDQ2Q mm, xmm
Flow xmm_to_mm(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_xmm_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], read_xmm(cpu, insn.op[1])[0]);
  return Flow::next;
}
// MOVQ2DQ xmm, mm
Flow mm_to_xmm(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_xmm_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  write_xmm(cpu, insn.op[0], {read_mm(cpu, insn.op[1]), 0});
  return Flow::next;
}

// PMOVMSKB r, mm
Flow byte_mask(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  const auto bytes = as<uint8_t>({read_mm(cpu, insn.op[1]), 0});
  uint32_t mask = 0;
  for (size_t i = 0; i < 8; ++i) mask |= uint32_t{sign(bytes[i])} << i;
  cpu.set_reg<uint32_t>(insn.op[0], mask);
  return Flow::next;
}
// PEXTRW r, mm, imm8
Flow extract(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  const auto words = as<uint16_t>({read_mm(cpu, insn.op[1]), 0});
  cpu.set_reg<uint32_t>(insn.op[0], words[insn.imm & 3]);
  return Flow::next;
}
// PINSRW mm, r32/m16, imm8
Flow insert(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  uint16_t word = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<uint16_t>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    word = *loaded;
  } else {
    word = cpu.reg<uint16_t>(insn.op[1]);
  }
  mmx_enter(cpu.state.x87);
  auto words = as<uint16_t>({read_mm(cpu, insn.op[0]), 0});
  words[insn.imm & 3] = word;
  write_mm(cpu, insn.op[0], from<uint16_t>(words)[0]);
  return Flow::next;
}

// --- Conversions ---

// Decided: an operand in memory leaves the x87 unit alone in both. SDM "CVTPI2PD" says so; SDM
// "CVTPI2PS" speaks of a transition without telling the operands apart.
bool conversion_blocked(Cpu& cpu, const Insn& insn, Flow& flow) {
  return sse_blocked(cpu, flow) || (insn.op[1] != kMemory && x87_pending(cpu, flow));
}

// CVTPI2PS, CVTPI2PD xmm, mm/m64
template <class T>
Flow from_integers(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (conversion_blocked(cpu, insn, flow)) return flow;
  const auto source = mm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  const auto x = as<uint32_t>({*source, 0});
  Env env = environment(cpu);
  auto r = as<T>(read_xmm(cpu, insn.op[0]));
  for (size_t i = 0; i < 2; ++i) r[i] = sf::from_integer<T>(env, as_signed(x[i]));
  if (stops(cpu, env, flow)) return flow;
  if (insn.op[1] != kMemory) mmx_enter(cpu.state.x87);
  write_xmm(cpu, insn.op[0], from<T>(r));
  return Flow::next;
}

// CVT(T)PS2PI mm, xmm/m64; CVT(T)PD2PI mm, xmm/m128
template <class T, bool truncate>
Flow to_integers(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_xmm_blocked(cpu, flow)) return flow;
  Lanes<T> x{};
  if constexpr (sizeof(T) == 4) {
    const auto source = half(cpu, insn);
    if (!source) return cpu.raise(source.error());
    x = as<T>({*source, 0});
  } else {
    const auto source = xmm_source(cpu, insn);
    if (!source) return cpu.raise(source.error());
    x = as<T>(*source);
  }
  Env env = environment(cpu);
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < 2; ++i) {
    r[i] = static_cast<uint32_t>(sf::to_integer<int32_t, T>(env, x[i], rounding_of(env, truncate)));
  }
  if (stops(cpu, env, flow)) return flow;
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], from<uint32_t>(r)[0]);
  return Flow::next;
}

// MASKMOVQ mm, mm
Flow store_mm_masked(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  const auto value = as<uint8_t>({read_mm(cpu, insn.op[0]), 0});
  const auto mask = as<uint8_t>({read_mm(cpu, insn.op[1]), 0});
  const auto stored = store_masked(cpu, insn, std::span{value}.first(8), std::span{mask}.first(8));
  if (!stored) return cpu.raise(stored.error());
  mmx_enter(cpu.state.x87);
  return Flow::next;
}

// EMMS
Flow emms(Cpu& cpu, const Insn&) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  mmx_enter(cpu.state.x87);
  cpu.state.x87.valid = 0;
  return Flow::next;
}

constexpr auto kSse = Feature::sse;
constexpr auto kSse2 = Feature::sse2;

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    mmx_row("movd",      select_move<uint32_t>),
    mmx_row("movq",      select_move<uint64_t>),
    mmx_row("movntq",    select_mmx<from_mm<uint64_t>>,                 kSse),
    mmx_row("movdq2q",   x87_always<xmm_to_mm>,                         kSse2),
    mmx_row("movq2dq",   x87_always<mm_to_xmm>,                         kSse2),
    mmx_row("pmovmskb",  select_mmx<byte_mask>,                         kSse),
    mmx_row("pextrw",    select_mmx<extract>,                           kSse),
    mmx_row("pinsrw",    select_mmx<insert>,                            kSse),
    mmx_row("cvtpi2ps",  x87_always<from_integers<uint32_t>>,           kSse),
    mmx_row("cvtpi2pd",  x87_always<from_integers<uint64_t>>,           kSse2),
    mmx_row("cvtps2pi",  x87_always<to_integers<uint32_t, false>>,      kSse),
    mmx_row("cvttps2pi", x87_always<to_integers<uint32_t, true>>,       kSse),
    mmx_row("cvtpd2pi",  x87_always<to_integers<uint64_t, false>>,      kSse2),
    mmx_row("cvttpd2pi", x87_always<to_integers<uint64_t, true>>,       kSse2),
    mmx_row("maskmovq",  select_mmx<store_mm_masked>,                   kSse),
    mmx_row("emms",      x87_always<emms>),
});
// clang-format on

}  // namespace

std::span<const Row> mmx_move_rows() { return kRows; }

std::span<const Row> mmx_rows() {
  static const std::vector<Row> kAll = [] {
    std::vector<Row> all;
    for (const auto list : {mmx_integer_rows(), mmx_move_rows()}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace vitrine::emu
