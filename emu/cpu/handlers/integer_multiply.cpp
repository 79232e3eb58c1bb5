// Multiplication, division and sign extension: MUL, IMUL, DIV, IDIV, CBW … CQO.
#include "emu/arch/wide.h"
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

template <class T>
struct Wide;
template <>
struct Wide<uint8_t> {
  using Unsigned = uint16_t;
  using Signed = int16_t;
};
template <>
struct Wide<uint16_t> {
  using Unsigned = uint32_t;
  using Signed = int32_t;
};
template <>
struct Wide<uint32_t> {
  using Unsigned = uint64_t;
  using Signed = int64_t;
};
template <>
struct Wide<uint64_t> {
  using Unsigned = uint128_t;
  using Signed = int128_t;
};
template <class T>
using Twice = typename Wide<T>::Unsigned;
template <class T>
using SignedTwice = typename Wide<T>::Signed;

template <class T>
constexpr SignedTwice<T> widened(T value) {
  return static_cast<SignedTwice<T>>(as_signed(value));
}

template <class T>
constexpr T high_half(Twice<T> value) {
  return static_cast<T>(value >> kBits<T>);
}

/// CF and OF say that the product does not fit one operand. SF, ZF and PF, undefined in the SDM,
/// are those of the low half; AF is 0.
template <class T>
void set_product_flags(Flags& flags, T low, bool does_not_fit) {
  flags.set<T>(low, does_not_fit, does_not_fit, false);
}

/// AX for bytes, else rDX:rAX.
template <class T>
Twice<T> accumulator(const Cpu& cpu) {
  if constexpr (sizeof(T) == 1) {
    return cpu.reg<uint16_t>(at::rax);
  } else {
    return static_cast<Twice<T>>(static_cast<Twice<T>>(cpu.reg<T>(at::rdx)) << kBits<T>) |
           cpu.reg<T>(at::rax);
  }
}
/// AL and AH for bytes, else rAX and rDX.
template <class T>
void set_accumulator(Cpu& cpu, T low, T high) {
  cpu.set_reg<T>(at::rax, low);
  cpu.set_reg<T>(sizeof(T) == 1 ? at::ah : at::rdx, high);
}

/// Operand `i`, from memory or a register.
template <class T, Place src>
Result<T, Fault> operand(Cpu& cpu, const Insn& insn, size_t i) {
  if constexpr (src == Place::mem) return cpu.load<T>(insn);
  return cpu.reg<T>(insn.op[i]);
}

// MUL r/m
template <class T, Place src>
Flow mul(Cpu& cpu, const Insn& insn) {
  const auto b = operand<T, src>(cpu, insn, 0);
  if (!b) [[unlikely]]
    return cpu.raise(b.error());
  const auto product = static_cast<Twice<T>>(static_cast<Twice<T>>(cpu.reg<T>(at::rax)) * *b);
  const auto low = static_cast<T>(product);
  const T high = high_half<T>(product);
  set_accumulator<T>(cpu, low, high);
  set_product_flags<T>(cpu.state.flags, low, high != 0);
  return Flow::next;
}

// IMUL r/m
template <class T, Place src>
Flow imul_wide(Cpu& cpu, const Insn& insn) {
  const auto b = operand<T, src>(cpu, insn, 0);
  if (!b) [[unlikely]]
    return cpu.raise(b.error());
  const auto product = static_cast<SignedTwice<T>>(widened(cpu.reg<T>(at::rax)) * widened(*b));
  const auto low = static_cast<T>(product);
  const T high = high_half<T>(static_cast<Twice<T>>(product));
  set_accumulator<T>(cpu, low, high);
  set_product_flags<T>(cpu.state.flags, low, product != widened(low));
  return Flow::next;
}

// IMUL r, r/m; IMUL r, r/m, imm
template <class T, Place src, bool by_immediate>
Flow imul(Cpu& cpu, const Insn& insn) {
  const auto b = operand<T, src>(cpu, insn, 1);
  if (!b) [[unlikely]]
    return cpu.raise(b.error());
  const T a = by_immediate ? static_cast<T>(insn.imm) : cpu.reg<T>(insn.op[0]);
  const auto product = static_cast<SignedTwice<T>>(widened(a) * widened(*b));
  const auto low = static_cast<T>(product);
  cpu.set_reg<T>(insn.op[0], low);
  set_product_flags<T>(cpu.state.flags, low, product != widened(low));
  return Flow::next;
}

Handler select_mul(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  return for_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? mul<T, Place::mem> : mul<T, Place::reg>;
  });
}

Handler select_imul(const Decoded& d) {
  if (d.operand_count == 1) {
    const bool memory = is_memory(d.operands[0]);
    return for_width(d.operand_size, [memory]<class T>() -> Handler {
      return memory ? imul_wide<T, Place::mem> : imul_wide<T, Place::reg>;
    });
  }
  const bool memory = is_memory(d.operands[1]);
  const bool by_immediate = d.operand_count == 3;
  return for_word_width(d.operand_size, [=]<class T>() -> Handler {
    if (by_immediate) return memory ? imul<T, Place::mem, true> : imul<T, Place::reg, true>;
    return memory ? imul<T, Place::mem, false> : imul<T, Place::reg, false>;
  });
}

/// All six flags are undefined after a division: 0.
void clear_flags(Flags& flags) { flags.set_arithmetic(0); }

// DIV r/m
template <class T, Place src>
Flow div(Cpu& cpu, const Insn& insn) {
  const auto divisor = operand<T, src>(cpu, insn, 0);
  if (!divisor) [[unlikely]]
    return cpu.raise(divisor.error());
  const Twice<T> dividend = accumulator<T>(cpu);
  // The quotient fits exactly when the high half is below the divisor; 0 never passes.
  if (high_half<T>(dividend) >= *divisor) return cpu.raise(arch::Vector::divide_error);
  const auto quotient = static_cast<T>(dividend / *divisor);
  const auto remainder = static_cast<T>(dividend % *divisor);
  set_accumulator<T>(cpu, quotient, remainder);
  clear_flags(cpu.state.flags);
  return Flow::next;
}

// IDIV r/m
template <class T, Place src>
Flow idiv(Cpu& cpu, const Insn& insn) {
  const auto divisor = operand<T, src>(cpu, insn, 0);
  if (!divisor) [[unlikely]]
    return cpu.raise(divisor.error());
  // On magnitudes: the most negative dividend has no counterpart to divide.
  const Twice<T> dividend = accumulator<T>(cpu);
  const bool negative = sign(high_half<T>(dividend));
  const bool negative_quotient = negative != sign(*divisor);
  const auto a = static_cast<Twice<T>>(negative ? Twice<T>{0} - dividend : dividend);
  const auto b = static_cast<T>(sign(*divisor) ? T{0} - *divisor : *divisor);
  if (high_half<T>(a) >= b) return cpu.raise(arch::Vector::divide_error);
  const auto quotient = static_cast<T>(a / b);
  const auto remainder = static_cast<T>(a % b);
  const auto limit = static_cast<T>((T{1} << (kBits<T> - 1)) - (negative_quotient ? 0 : 1));
  if (quotient > limit) return cpu.raise(arch::Vector::divide_error);
  const auto signed_quotient = static_cast<T>(negative_quotient ? T{0} - quotient : quotient);
  const auto signed_remainder = static_cast<T>(negative ? T{0} - remainder : remainder);
  set_accumulator<T>(cpu, signed_quotient, signed_remainder);
  clear_flags(cpu.state.flags);
  return Flow::next;
}

/// One row per width, because the cost depends on it.
template <class T>
Handler select_div(const Decoded& d) {
  if (d.operand_size != sizeof(T)) return nullptr;
  return is_memory(d.operands[0]) ? div<T, Place::mem> : div<T, Place::reg>;
}
template <class T>
Handler select_idiv(const Decoded& d) {
  if (d.operand_size != sizeof(T)) return nullptr;
  return is_memory(d.operands[0]) ? idiv<T, Place::mem> : idiv<T, Place::reg>;
}

// CBW, CWDE, CDQE
template <class T, class S>
Flow extend_accumulator(Cpu& cpu, const Insn&) {
  cpu.set_reg<T>(at::rax, static_cast<T>(as_signed(cpu.reg<S>(at::rax))));
  return Flow::next;
}
template <class T, class S>
Handler select_extend(const Decoded&) {
  return extend_accumulator<T, S>;
}

// CWD, CDQ, CQO
template <class T>
Flow spread_sign(Cpu& cpu, const Insn&) {
  cpu.set_reg<T>(at::rdx, static_cast<T>(sign(cpu.reg<T>(at::rax)) ? ~T{0} : T{0}));
  return Flow::next;
}
template <class T>
Handler select_spread(const Decoded&) {
  return spread_sign<T>;
}

constexpr FlagUse kProduct{0, flag::all, flag::sf | flag::zf | flag::af | flag::pf};
constexpr FlagUse kQuotient{0, flag::all, flag::all};

// clang-format off
constexpr std::array<Row, 16> kRows = {{
  {"mul",  Feature::base, InsnClass::plain, CostClass::mul,   kProduct,  select_mul},
  {"imul", Feature::base, InsnClass::plain, CostClass::mul,   kProduct,  select_imul},
  {"div",  Feature::base, InsnClass::plain, CostClass::div8,  kQuotient, select_div<uint8_t>},
  {"div",  Feature::base, InsnClass::plain, CostClass::div16, kQuotient, select_div<uint16_t>},
  {"div",  Feature::base, InsnClass::plain, CostClass::div32, kQuotient, select_div<uint32_t>},
  {"div",  Feature::base, InsnClass::plain, CostClass::div64, kQuotient, select_div<uint64_t>},
  {"idiv", Feature::base, InsnClass::plain, CostClass::div8,  kQuotient, select_idiv<uint8_t>},
  {"idiv", Feature::base, InsnClass::plain, CostClass::div16, kQuotient, select_idiv<uint16_t>},
  {"idiv", Feature::base, InsnClass::plain, CostClass::div32, kQuotient, select_idiv<uint32_t>},
  {"idiv", Feature::base, InsnClass::plain, CostClass::div64, kQuotient, select_idiv<uint64_t>},
  {"cbw",  Feature::base, InsnClass::plain, CostClass::alu,   {},        select_extend<uint16_t, uint8_t>},
  {"cwde", Feature::base, InsnClass::plain, CostClass::alu,   {},        select_extend<uint32_t, uint16_t>},
  {"cdqe", Feature::base, InsnClass::plain, CostClass::alu,   {},        select_extend<uint64_t, uint32_t>},
  {"cwd",  Feature::base, InsnClass::plain, CostClass::alu,   {},        select_spread<uint16_t>},
  {"cdq",  Feature::base, InsnClass::plain, CostClass::alu,   {},        select_spread<uint32_t>},
  {"cqo",  Feature::base, InsnClass::plain, CostClass::alu,   {},        select_spread<uint64_t>},
}};
// clang-format on

}  // namespace

std::span<const Row> multiply_rows() { return kRows; }

}  // namespace vitrine::emu
