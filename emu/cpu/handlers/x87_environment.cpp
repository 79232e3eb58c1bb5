// x87 images in memory: FNSTENV, FLDENV, FNSAVE, FRSTOR, in the four layouts of the environment.
#include "emu/cpu/handlers/x87.h"

namespace vitrine::emu {

namespace {

using softfloat::F80;

/// Word is the operand size: uint16_t or uint32_t. SDM "Saving the x87 FPU's State with
/// FSTENV/FNSTENV and FSAVE/FNSAVE": seven such words, then, for FSAVE, eight registers.
template <class Word>
struct Image {
  static constexpr size_t kEnvironment = 7 * sizeof(Word);
  static constexpr size_t kRegister = 10;
  static constexpr size_t kState = kEnvironment + 8 * kRegister;
  enum Place : uint8_t { control, status, tags, instruction, opcode, data, data_selector };
};
template <class Word>
using EnvironmentBytes = std::array<std::byte, Image<Word>::kEnvironment>;
template <class Word>
using StateBytes = std::array<std::byte, Image<Word>::kState>;

template <class Word, class Bytes>
void put(Bytes& bytes, size_t place, Word value) {
  std::memcpy(bytes.data() + place * sizeof(Word), &value, sizeof(Word));
}
template <class Word, class Bytes>
Word get(const Bytes& bytes, size_t place) {
  Word value;
  std::memcpy(&value, bytes.data() + place * sizeof(Word), sizeof(Word));
  return value;
}

/// SDM "x87 FPU Tag Word": valid, zero, special, empty.
uint16_t tag_word(const X87State& x) {
  unsigned tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const F80 value{x.significand[i], x.sign_exponent[i]};
    unsigned tag = softfloat::is_zero(value) ? 1 : softfloat::is_ordinary(value) ? 0 : 2;
    if ((x.valid >> i & 1) == 0) tag = 3;
    tags |= tag << 2 * i;
  }
  return static_cast<uint16_t>(tags);
}
uint8_t registers_in_use(uint16_t tags) {
  unsigned valid = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((tags >> 2 * i & 3) != 3) valid |= 1u << i;
  }
  return static_cast<uint8_t>(valid);
}

/// Real-address and virtual-8086 mode have layouts of their own.
bool real_layout(const Cpu& cpu) { return !cpu.state.protected_mode() || cpu.state.v8086(); }

/// The unused half of a doubleword is stored as ones.
constexpr uint32_t kUnused = 0xFFFF0000;

/// Selectors are deprecated and 0, and so the linear addresses of the real layouts are the offsets.
template <class Bytes>
void put_pointers(Bytes& bytes, const X87State& x, bool real, uint16_t) {
  using At = Image<uint16_t>;
  const auto fip = static_cast<uint32_t>(x.fip), fdp = static_cast<uint32_t>(x.fdp);
  const uint32_t opcode = real ? (fip >> 16 & 15) << 12 | x.fop : 0;
  const uint32_t selector = real ? (fdp >> 16 & 15) << 12 : 0;
  put(bytes, At::instruction, static_cast<uint16_t>(fip));
  put(bytes, At::opcode, static_cast<uint16_t>(opcode));
  put(bytes, At::data, static_cast<uint16_t>(fdp));
  put(bytes, At::data_selector, static_cast<uint16_t>(selector));
}
template <class Bytes>
void put_pointers(Bytes& bytes, const X87State& x, bool real, uint32_t) {
  using At = Image<uint32_t>;
  const auto fip = static_cast<uint32_t>(x.fip), fdp = static_cast<uint32_t>(x.fdp);
  put(bytes, At::instruction, real ? kUnused | (fip & 0xFFFF) : fip);
  put(bytes, At::opcode, real ? (fip >> 16) << 12 | x.fop : uint32_t{x.fop} << 16);
  put(bytes, At::data, real ? kUnused | (fdp & 0xFFFF) : fdp);
  put(bytes, At::data_selector, real ? (fdp >> 16) << 12 : kUnused);
}

template <class Bytes>
void take_pointers(const Bytes& bytes, X87State& x, bool real, uint16_t) {
  using At = Image<uint16_t>;
  const auto word = [&bytes](size_t place) { return uint32_t{get<uint16_t>(bytes, place)}; };
  const uint32_t above = word(At::opcode), above_data = word(At::data_selector);
  x.fip = word(At::instruction) | (real ? (above >> 12) << 16 : 0);
  x.fdp = word(At::data) | (real ? (above_data >> 12) << 16 : 0);
  x.fop = real ? static_cast<uint16_t>(above & 0x7FF) : uint16_t{0};
}
template <class Bytes>
void take_pointers(const Bytes& bytes, X87State& x, bool real, uint32_t) {
  using At = Image<uint32_t>;
  const auto word = [&bytes](size_t place) { return get<uint32_t>(bytes, place); };
  const uint32_t opcode = word(At::opcode);
  if (real) {
    x.fip = (word(At::instruction) & 0xFFFF) | (opcode >> 12 & 0xFFFF) << 16;
    x.fdp = (word(At::data) & 0xFFFF) | (word(At::data_selector) >> 12 & 0xFFFF) << 16;
    x.fop = static_cast<uint16_t>(opcode & 0x7FF);
  } else {
    x.fip = word(At::instruction);
    x.fdp = word(At::data);
    x.fop = static_cast<uint16_t>(opcode >> 16 & 0x7FF);
  }
}

template <class Word, class Bytes>
void put_environment(Bytes& bytes, const X87State& x, bool real) {
  using At = Image<Word>;
  constexpr uint32_t kAbove = sizeof(Word) == 4 ? kUnused : 0;
  put(bytes, At::control, static_cast<Word>(kAbove | x.fcw));
  put(bytes, At::status, static_cast<Word>(kAbove | x.fsw));
  put(bytes, At::tags, static_cast<Word>(kAbove | tag_word(x)));
  put_pointers(bytes, x, real, Word{});
}
template <class Word, class Bytes>
void take_environment(const Bytes& bytes, X87State& x, bool real) {
  using At = Image<Word>;
  x.fsw = static_cast<uint16_t>(get<Word>(bytes, At::status));
  x.valid = registers_in_use(static_cast<uint16_t>(get<Word>(bytes, At::tags)));
  take_pointers(bytes, x, real, Word{});
  x87_set_control(x, static_cast<uint16_t>(get<Word>(bytes, At::control)));
}

// FNSTENV m14; FNSTENV m28: masks every exception afterwards
template <class Word>
Flow fnstenv(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  EnvironmentBytes<Word> bytes{};
  put_environment<Word>(bytes, x, real_layout(cpu));
  const auto stored = x87_store(cpu, insn, bytes, sizeof(Word));
  if (!stored) return cpu.raise(stored.error());
  x.fcw |= fsw::exceptions;
  x87_update_summary(x);
  x87_settle_ferr(cpu);
  return Flow::next;
}

// FLDENV m14; FLDENV m28
template <class Word>
Flow fldenv(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto bytes = x87_load<EnvironmentBytes<Word>>(cpu, insn, sizeof(Word));
  if (!bytes) return cpu.raise(bytes.error());
  take_environment<Word>(*bytes, cpu.state.x87, real_layout(cpu));
  return Flow::next;
}

// FNSAVE m94; FNSAVE m108: then as FNINIT
template <class Word>
Flow fnsave(Cpu& cpu, const Insn& insn) {
  using At = Image<Word>;
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  StateBytes<Word> bytes{};
  put_environment<Word>(bytes, x, real_layout(cpu));
  for (unsigned i = 0; i < 8; ++i) {
    const X87Bytes value = x87_to_bytes(st_read(x, i));
    std::memcpy(bytes.data() + At::kEnvironment + i * At::kRegister, value.data(), value.size());
  }
  const auto stored = x87_store(cpu, insn, bytes, sizeof(Word));
  if (!stored) return cpu.raise(stored.error());
  x87_initialise(x);
  x87_settle_ferr(cpu);
  return Flow::next;
}

// FRSTOR m94; FRSTOR m108
template <class Word>
Flow frstor(Cpu& cpu, const Insn& insn) {
  using At = Image<Word>;
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto bytes = x87_load<StateBytes<Word>>(cpu, insn, sizeof(Word));
  if (!bytes) return cpu.raise(bytes.error());
  X87State& x = cpu.state.x87;
  take_environment<Word>(*bytes, x, real_layout(cpu));
  for (unsigned i = 0; i < 8; ++i) {
    X87Bytes value;
    std::memcpy(value.data(), bytes->data() + At::kEnvironment + i * At::kRegister, value.size());
    const F80 number = x87_from_bytes(value);
    x.significand[st_number(x, i)] = number.significand;
    x.sign_exponent[st_number(x, i)] = number.sign_exponent;
  }
  return Flow::next;
}

/// The form with words or doublewords, by the size of the image.
template <Handler words, Handler doublewords>
Handler by_size(const Decoded& d) {
  const unsigned bytes = d.operands[0].bits / 8u;
  const bool small = bytes == Image<uint16_t>::kEnvironment || bytes == Image<uint16_t>::kState;
  return small ? words : doublewords;
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    x87_row("fnstenv", by_size<fnstenv<uint16_t>, fnstenv<uint32_t>>, CostClass::x87_state),
    x87_row("fldenv",  by_size<fldenv<uint16_t>, fldenv<uint32_t>>,   CostClass::x87_state),
    x87_row("fnsave",  by_size<fnsave<uint16_t>, fnsave<uint32_t>>,   CostClass::x87_state),
    x87_row("frstor",  by_size<frstor<uint16_t>, frstor<uint32_t>>,   CostClass::x87_state),
});
// clang-format on

}  // namespace

std::span<const Row> x87_environment_rows() { return kRows; }

}  // namespace vitrine::emu
