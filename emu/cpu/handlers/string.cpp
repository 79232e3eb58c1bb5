// String instructions: MOVS, STOS, LODS, CMPS, SCAS, one iteration per call.
#include "emu/cpu/handlers/string.h"

#include <algorithm>
#include <cstring>

#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

/// How an iteration decides whether a repeated instruction goes on (SDM
/// "REP/REPE/REPZ/REPNE/REPNZ").
enum class Repeat : uint8_t { none, count, while_equal, while_not_equal };

/// Nothing is done when the count is already zero.
template <Repeat repeat>
bool exhausted(const Cpu& cpu, const Insn& insn) {
  if constexpr (repeat == Repeat::none) return false;
  return (cpu.state.regs[arch::rcx] & address_mask(insn)) == 0;
}

/// After an iteration: counts down, and says whether the instruction goes on.
template <Repeat repeat>
Flow iterated(Cpu& cpu, const Insn& insn) {
  if constexpr (repeat == Repeat::none) return Flow::next;
  const uint64_t count = (cpu.state.regs[arch::rcx] - 1) & address_mask(insn);
  set_address_register(cpu, insn, arch::rcx, count);
  if (count == 0) return Flow::next;
  if constexpr (repeat == Repeat::while_equal) {
    if (!cpu.state.flags.zf()) return Flow::next;
  }
  if constexpr (repeat == Repeat::while_not_equal) {
    if (cpu.state.flags.zf()) return Flow::next;
  }
  return Flow::again;
}

template <class T>
void step(Cpu& cpu, const Insn& insn, uint8_t number) {
  const bool down = (cpu.state.rflags_system & arch::rflags::df) != 0;
  const uint64_t distance = down ? ~uint64_t{sizeof(T)} + 1 : uint64_t{sizeof(T)};
  set_address_register(cpu, insn, number, cpu.state.regs[number] + distance);
}

/// DS:rSI, or the overriding segment.
template <class T>
Result<T, Fault> load_source(Cpu& cpu, const Insn& insn) {
  const uint64_t offset = cpu.state.regs[arch::rsi] & address_mask(insn);
  return cpu.load_at<T>(insn.segment, offset, (insn.flags & insn_flag::checked) != 0);
}

/// ES:rDI, which no prefix overrides.
uint64_t destination(const Cpu& cpu, const Insn& insn) {
  return cpu.state.regs[arch::rdi] & address_mask(insn);
}

// MOVS
template <class T, Repeat repeat>
Flow movs(Cpu& cpu, const Insn& insn) {
  if (exhausted<repeat>(cpu, insn)) return Flow::next;
  const auto value = load_source<T>(cpu, insn);
  if (!value) [[unlikely]]
    return cpu.raise(value.error());
  const auto stored =
      cpu.store_at<T>(arch::es, destination(cpu, insn), *value, cpu.segments_checked());
  if (!stored) [[unlikely]]
    return cpu.raise(stored.error());
  step<T>(cpu, insn, arch::rsi);
  step<T>(cpu, insn, arch::rdi);
  return iterated<repeat>(cpu, insn);
}

// STOS
template <class T, Repeat repeat>
Flow stos(Cpu& cpu, const Insn& insn) {
  if (exhausted<repeat>(cpu, insn)) return Flow::next;
  const auto stored = cpu.store_at<T>(arch::es, destination(cpu, insn), cpu.reg<T>(at::rax),
                                      cpu.segments_checked());
  if (!stored) [[unlikely]]
    return cpu.raise(stored.error());
  step<T>(cpu, insn, arch::rdi);
  return iterated<repeat>(cpu, insn);
}

// LODS
template <class T, Repeat repeat>
Flow lods(Cpu& cpu, const Insn& insn) {
  if (exhausted<repeat>(cpu, insn)) return Flow::next;
  const auto value = load_source<T>(cpu, insn);
  if (!value) [[unlikely]]
    return cpu.raise(value.error());
  cpu.set_reg<T>(at::rax, *value);
  step<T>(cpu, insn, arch::rsi);
  return iterated<repeat>(cpu, insn);
}

// CMPS: the flags of [rSI] - [rDI]
template <class T, Repeat repeat>
Flow cmps(Cpu& cpu, const Insn& insn) {
  if (exhausted<repeat>(cpu, insn)) return Flow::next;
  const auto a = load_source<T>(cpu, insn);
  if (!a) [[unlikely]]
    return cpu.raise(a.error());
  const auto b = cpu.load_at<T>(arch::es, destination(cpu, insn), cpu.segments_checked());
  if (!b) [[unlikely]]
    return cpu.raise(b.error());
  cpu.state.flags.set_sub<T>(*a, *b, static_cast<T>(*a - *b));
  step<T>(cpu, insn, arch::rsi);
  step<T>(cpu, insn, arch::rdi);
  return iterated<repeat>(cpu, insn);
}

// SCAS: the flags of rAX - [rDI]
template <class T, Repeat repeat>
Flow scas(Cpu& cpu, const Insn& insn) {
  if (exhausted<repeat>(cpu, insn)) return Flow::next;
  const T a = cpu.reg<T>(at::rax);
  const auto b = cpu.load_at<T>(arch::es, destination(cpu, insn), cpu.segments_checked());
  if (!b) [[unlikely]]
    return cpu.raise(b.error());
  cpu.state.flags.set_sub<T>(a, *b, static_cast<T>(a - *b));
  step<T>(cpu, insn, arch::rdi);
  return iterated<repeat>(cpu, insn);
}

// --- Bulk ---

/// Iterations before the end of the page, for elements that lie in it as a whole.
uint64_t in_page(Gva at, size_t size) { return (4096 - (at.value & 4095)) / size; }

template <class T>
uint64_t move_in_bulk(Cpu& cpu, const Insn& insn, uint64_t most) {
  auto& regs = cpu.state.regs;
  const Gva source{cpu.segment_base(insn.segment) + regs[arch::rsi]};
  const Gva target{cpu.segment_base(arch::es) + regs[arch::rdi]};
  const std::byte* from = cpu.mmu.cached(source, false);
  std::byte* to = cpu.mmu.cached(target, true);
  if (from == nullptr || to == nullptr) return 0;
  const uint64_t n = std::min({most, in_page(source, sizeof(T)), in_page(target, sizeof(T))});
  const size_t bytes = n * sizeof(T);
  // Elements are moved one after the other: a target that begins inside the source repeats it.
  const auto distance = static_cast<uint64_t>(to - from);
  if (distance >= bytes) {
    std::memmove(to, from, bytes);
  } else {
    for (size_t i = 0; i < bytes; i += sizeof(T)) std::memmove(to + i, from + i, sizeof(T));
  }
  regs[arch::rsi] += bytes;
  regs[arch::rdi] += bytes;
  regs[arch::rcx] -= n;
  return n;
}

template <class T>
uint64_t store_in_bulk(Cpu& cpu, uint64_t most) {
  auto& regs = cpu.state.regs;
  const Gva target{cpu.segment_base(arch::es) + regs[arch::rdi]};
  std::byte* const to = cpu.mmu.cached(target, true);
  if (to == nullptr) return 0;
  const uint64_t n = std::min(most, in_page(target, sizeof(T)));
  const T value = cpu.reg<T>(at::rax);
  for (uint64_t i = 0; i < n; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
  regs[arch::rdi] += n * sizeof(T);
  regs[arch::rcx] -= n;
  return n;
}

/// The vector instructions MOVSD and CMPSD share mnemonics; those have operands.
bool is_string(const Decoded& d) { return d.operand_count == 0; }
bool repeated(const Decoded& d) { return d.rep || d.repne; }

template <class T>
Handler select_movs(const Decoded& d) {
  if (!is_string(d)) return nullptr;
  return repeated(d) ? movs<T, Repeat::count> : movs<T, Repeat::none>;
}
template <class T>
Handler select_stos(const Decoded& d) {
  return repeated(d) ? stos<T, Repeat::count> : stos<T, Repeat::none>;
}
template <class T>
Handler select_lods(const Decoded& d) {
  return repeated(d) ? lods<T, Repeat::count> : lods<T, Repeat::none>;
}
template <class T>
Handler select_cmps(const Decoded& d) {
  if (!is_string(d)) return nullptr;
  if (d.rep) return cmps<T, Repeat::while_equal>;
  return d.repne ? cmps<T, Repeat::while_not_equal> : cmps<T, Repeat::none>;
}
template <class T>
Handler select_scas(const Decoded& d) {
  if (d.rep) return scas<T, Repeat::while_equal>;
  return d.repne ? scas<T, Repeat::while_not_equal> : scas<T, Repeat::none>;
}

constexpr FlagUse kMoves{flag::df, 0, 0};
constexpr FlagUse kCompares{flag::df, flag::all, 0};

constexpr Row string_row(std::string_view mnemonic, FlagUse flags,
                         Handler (*select)(const Decoded&)) {
  return {mnemonic, Feature::base, InsnClass::string, CostClass::string_iteration, flags, select};
}

// clang-format off
constexpr std::array<Row, 20> kRows = {{
  string_row("movsb", kMoves,    select_movs<uint8_t>),  string_row("movsw", kMoves,    select_movs<uint16_t>),
  string_row("movsd", kMoves,    select_movs<uint32_t>), string_row("movsq", kMoves,    select_movs<uint64_t>),
  string_row("stosb", kMoves,    select_stos<uint8_t>),  string_row("stosw", kMoves,    select_stos<uint16_t>),
  string_row("stosd", kMoves,    select_stos<uint32_t>), string_row("stosq", kMoves,    select_stos<uint64_t>),
  string_row("lodsb", kMoves,    select_lods<uint8_t>),  string_row("lodsw", kMoves,    select_lods<uint16_t>),
  string_row("lodsd", kMoves,    select_lods<uint32_t>), string_row("lodsq", kMoves,    select_lods<uint64_t>),
  string_row("cmpsb", kCompares, select_cmps<uint8_t>),  string_row("cmpsw", kCompares, select_cmps<uint16_t>),
  string_row("cmpsd", kCompares, select_cmps<uint32_t>), string_row("cmpsq", kCompares, select_cmps<uint64_t>),
  string_row("scasb", kCompares, select_scas<uint8_t>),  string_row("scasw", kCompares, select_scas<uint16_t>),
  string_row("scasd", kCompares, select_scas<uint32_t>), string_row("scasq", kCompares, select_scas<uint64_t>),
}};
// clang-format on

}  // namespace

uint64_t repeat_in_bulk(Cpu& cpu, const Insn& insn, uint64_t most) {
  const bool forward = (cpu.state.rflags_system & arch::rflags::df) == 0;
  const uint64_t count = cpu.state.regs[arch::rcx];
  const bool plain = insn.address_size == 3 && (insn.flags & insn_flag::checked) == 0;
  if (!forward || !plain || count < 2 || cpu.segments_checked()) return 0;
  most = std::min(most, count - 1);
  constexpr auto kCount = Repeat::count;
  if (insn.handler == &movs<uint8_t, kCount>) return move_in_bulk<uint8_t>(cpu, insn, most);
  if (insn.handler == &movs<uint16_t, kCount>) return move_in_bulk<uint16_t>(cpu, insn, most);
  if (insn.handler == &movs<uint32_t, kCount>) return move_in_bulk<uint32_t>(cpu, insn, most);
  if (insn.handler == &movs<uint64_t, kCount>) return move_in_bulk<uint64_t>(cpu, insn, most);
  if (insn.handler == &stos<uint8_t, kCount>) return store_in_bulk<uint8_t>(cpu, most);
  if (insn.handler == &stos<uint16_t, kCount>) return store_in_bulk<uint16_t>(cpu, most);
  if (insn.handler == &stos<uint32_t, kCount>) return store_in_bulk<uint32_t>(cpu, most);
  if (insn.handler == &stos<uint64_t, kCount>) return store_in_bulk<uint64_t>(cpu, most);
  return 0;
}

std::span<const Row> string_rows() { return kRows; }

}  // namespace vitrine::emu
