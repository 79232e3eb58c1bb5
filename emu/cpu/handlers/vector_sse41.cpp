// SSE4.1 and SSE4.2 integers on XMM registers: lanes, widening, blends, elements in and out, PTEST.
#include <utility>

#include "emu/cpu/handlers/vector_shuffle.h"

namespace vitrine::emu {

namespace {

// --- Blends ---

// PBLENDVB, BLENDVPS, BLENDVPD xmm, xmm/m128, <XMM0>
template <class T>
Flow blend_variable(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  const auto y = as<T>(*source);
  const auto mask = as<T>(read_xmm(cpu, 0));
  for (size_t i = 0; i < x.size(); ++i) x[i] = sign(mask[i]) ? y[i] : x[i];
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// --- Widening moves ---

// PMOVSXxx, PMOVZXxx xmm, xmm/m16/32/64
template <class Narrow, class Wide>
Flow widen(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  constexpr size_t kLanes = 16 / sizeof(Wide);
  using Source = std::array<Narrow, kLanes>;
  Source x{};
  if (insn.op[1] == kMemory) {
    using Word = std::conditional_t<sizeof(Source) == 8, uint64_t,
                                    std::conditional_t<sizeof(Source) == 4, uint32_t, uint16_t>>;
    const auto loaded = cpu.load<Word>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    x = std::bit_cast<Source>(*loaded);
  } else {
    const auto lanes =
        std::bit_cast<std::array<Narrow, 16 / sizeof(Narrow)>>(read_xmm(cpu, insn.op[1]));
    std::copy_n(lanes.begin(), kLanes, x.begin());
  }
  std::array<Wide, kLanes> r{};
  for (size_t i = 0; i < kLanes; ++i) r[i] = static_cast<Wide>(x[i]);
  write_xmm(cpu, insn.op[0], std::bit_cast<Xmm>(r));
  return Flow::next;
}

// --- Elements ---

// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS r/m, xmm, imm8
template <class T>
Flow extract(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto lanes = as<T>(read_xmm(cpu, insn.op[1]));
  const T value = lanes[insn.imm & (lanes.size() - 1)];
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, value);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  using Register = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  cpu.set_reg<Register>(insn.op[0], Register{value});
  return Flow::next;
}
/// PEXTRW of the map 0F is SSE2's.
Handler select_extract_word(const Decoded& d) {
  return sse_form(d) && d.opcode_map == 3 ? extract<uint16_t> : nullptr;
}

// PINSRB, PINSRD, PINSRQ xmm, r/m, imm8
template <class T>
Flow insert(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  T value = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = static_cast<T>(cpu.reg<uint64_t>(insn.op[1]));
  }
  auto lanes = as<T>(read_xmm(cpu, insn.op[0]));
  lanes[insn.imm & (lanes.size() - 1)] = value;
  write_xmm(cpu, insn.op[0], from<T>(lanes));
  return Flow::next;
}
// INSERTPS xmm, xmm/m32, imm8
Flow insert_single(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  uint32_t value = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<uint32_t>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = as<uint32_t>(read_xmm(cpu, insn.op[1]))[insn.imm >> 6 & 3];
  }
  auto lanes = as<uint32_t>(read_xmm(cpu, insn.op[0]));
  lanes[insn.imm >> 4 & 3] = value;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if ((insn.imm >> i & 1) != 0) lanes[i] = 0;
  }
  write_xmm(cpu, insn.op[0], from<uint32_t>(lanes));
  return Flow::next;
}

// MOVNTDQA xmm, m128
Flow load_aligned(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto value = load_xmm<Alignment::required>(cpu, insn);
  if (!value) return cpu.raise(value.error());
  write_xmm(cpu, insn.op[0], *value);
  return Flow::next;
}
// PTEST
Flow test(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  const Xmm x = read_xmm(cpu, insn.op[0]);
  const bool none = ((x[0] & (*source)[0]) | (x[1] & (*source)[1])) == 0;
  const bool covered = ((~x[0] & (*source)[0]) | (~x[1] & (*source)[1])) == 0;
  cpu.state.flags.set_arithmetic((none ? flag::zf : 0u) | (covered ? flag::cf : 0u));
  return Flow::next;
}

constexpr auto k41 = Feature::sse4_1;
constexpr auto kAlu = CostClass::sse_alu;
constexpr auto kMul = CostClass::sse_mul;
constexpr auto kShuffle = CostClass::sse_shuffle;

constexpr Row row_41(std::string_view mnemonic, Handler (*select)(const Decoded&),
                     CostClass cost = kShuffle) {
  return sse_row(mnemonic, select, cost, k41);
}
template <class T, T (*lane)(T, T)>
constexpr Row lanes_41(std::string_view mnemonic, CostClass cost = kAlu,
                       Feature feature = Feature::sse4_1) {
  return op<each<T, lane>>(mnemonic, cost, feature);
}
template <class Narrow, class Wide>
constexpr Row widen_row(std::string_view mnemonic) {
  return row_41(mnemonic, select_sse<widen<Narrow, Wide>>);
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    lanes_41<uint8_t, min_signed_lane>("pminsb"), lanes_41<uint32_t, min_signed_lane>("pminsd"),
    lanes_41<uint16_t, min_lane>("pminuw"),       lanes_41<uint32_t, min_lane>("pminud"),
    lanes_41<uint8_t, max_signed_lane>("pmaxsb"), lanes_41<uint32_t, max_signed_lane>("pmaxsd"),
    lanes_41<uint16_t, max_lane>("pmaxuw"),       lanes_41<uint32_t, max_lane>("pmaxud"),
    lanes_41<uint64_t, equal_lane>("pcmpeqq"),    lanes_41<uint64_t, greater_lane>("pcmpgtq", kAlu, Feature::sse4_2),
    lanes_41<uint64_t, mul_even_signed_lane>("pmuldq", kMul), lanes_41<uint32_t, mul_low_dword>("pmulld", kMul),
    op<pack<uint32_t, uint16_t>>("packusdw", kShuffle, k41),  op<horizontal_minimum>("phminposuw", kMul, k41),
    shuffle<multiple_differences>("mpsadbw", k41), shuffle<blend<uint16_t>>("pblendw", k41),
    shuffle<blend<uint32_t>>("blendps", k41),      shuffle<blend<uint64_t>>("blendpd", k41),
    row_41("pblendvb", select_sse<blend_variable<uint8_t>>),  row_41("blendvps", select_sse<blend_variable<uint32_t>>),
    row_41("blendvpd", select_sse<blend_variable<uint64_t>>),
    widen_row<int8_t, int16_t>("pmovsxbw"),    widen_row<int8_t, int32_t>("pmovsxbd"),    widen_row<int8_t, int64_t>("pmovsxbq"),
    widen_row<int16_t, int32_t>("pmovsxwd"),   widen_row<int16_t, int64_t>("pmovsxwq"),   widen_row<int32_t, int64_t>("pmovsxdq"),
    widen_row<uint8_t, uint16_t>("pmovzxbw"),  widen_row<uint8_t, uint32_t>("pmovzxbd"),  widen_row<uint8_t, uint64_t>("pmovzxbq"),
    widen_row<uint16_t, uint32_t>("pmovzxwd"), widen_row<uint16_t, uint64_t>("pmovzxwq"), widen_row<uint32_t, uint64_t>("pmovzxdq"),
    row_41("pextrb", select_sse<extract<uint8_t>>),   row_41("pextrw", select_extract_word),
    row_41("pextrd", select_sse<extract<uint32_t>>),  row_41("pextrq", select_sse<extract<uint64_t>>),
    row_41("extractps", select_sse<extract<uint32_t>>),
    row_41("pinsrb", select_sse<insert<uint8_t>>),    row_41("pinsrd", select_sse<insert<uint32_t>>),
    row_41("pinsrq", select_sse<insert<uint64_t>>),   row_41("insertps", select_sse<insert_single>),
    row_41("movntdqa", select_sse<load_aligned>, CostClass::sse_move),
    {"ptest", k41, InsnClass::plain, kAlu, {0, flag::all, 0}, select_sse<test>},
});
// clang-format on

}  // namespace

std::span<const Row> vector_sse41_rows() { return kRows; }

}  // namespace vitrine::emu
