// Shifts and rotates: SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD.
#include "emu/arch/wide.h"
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

// Counts are taken modulo 32, or modulo 64 for 64-bit operands; a count of 0 changes no flag. The
// SDM defines OF for a count of 1 only: for the others it comes here from the same formula, which
// is what processors compute. AF, undefined after shifts, is 0; rotates keep it with SF, ZF and PF.

template <class T>
constexpr unsigned kCountMask = sizeof(T) == 8 ? 63 : 31;

/// The two highest bits differ.
template <class T>
constexpr bool top_bits_differ(T r) {
  return sign(static_cast<T>(r ^ static_cast<T>(r << 1)));
}

struct Shl {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const uint128_t wide = uint128_t{a} << n;
    const auto r = static_cast<T>(wide);
    const bool carry = ((wide >> kBits<T>)&1) != 0;
    flags.set<T>(r, carry, sign(r) != carry, false);
    return r;
  }
};

struct Shr {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const uint64_t before = uint64_t{a} >> (n - 1);
    const auto r = static_cast<T>(before >> 1);
    flags.set<T>(r, (before & 1) != 0, top_bits_differ(r), false);
    return r;
  }
};

struct Sar {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const int64_t before = int64_t{as_signed(a)} >> (n - 1);
    const auto r = static_cast<T>(before >> 1);
    flags.set<T>(r, (before & 1) != 0, false, false);
    return r;
  }
};

void set_carry_and_overflow(Flags& flags, bool carry, bool overflow) {
  flags.set_cf(carry);
  set_of(flags, overflow);
}

struct Rol {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const auto r = std::rotl(a, static_cast<int>(n % kBits<T>));
    const bool carry = (r & 1) != 0;
    set_carry_and_overflow(flags, carry, sign(r) != carry);
    return r;
  }
};

struct Ror {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const auto r = std::rotr(a, static_cast<int>(n % kBits<T>));
    set_carry_and_overflow(flags, sign(r), top_bits_differ(r));
    return r;
  }
};

/// CF:operand as one number that rotates: 9, 17, 33 or 65 bits.
template <class T>
T rotate_through_carry(Flags& flags, T a, unsigned left) {
  constexpr unsigned width = kBits<T> + 1;
  const uint128_t mask = (uint128_t{1} << width) - 1;
  const uint128_t whole = uint128_t{a} | uint128_t{flags.cf()} << kBits<T>;
  const uint128_t r = ((whole << left) | (whole >> (width - left))) & mask;
  flags.set_cf((r >> kBits<T>) != 0);
  return static_cast<T>(r);
}

struct Rcl {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    const T r = rotate_through_carry<T>(flags, a, n % (kBits<T> + 1));
    set_of(flags, sign(r) != flags.cf());
    return r;
  }
};

struct Rcr {
  template <class T>
  static T apply(Flags& flags, T a, unsigned n) {
    constexpr unsigned width = kBits<T> + 1;
    const T r = rotate_through_carry<T>(flags, a, (width - n % width) % width);
    set_of(flags, top_bits_differ(r));
    return r;
  }
};

// op r/m, 1; op r/m, imm8; op r/m, CL
template <class Op, class T, Place dst, bool by_cl>
Flow shift(Cpu& cpu, const Insn& insn) {
  const uint64_t given = by_cl ? cpu.state.regs[arch::rcx] : insn.imm;
  const unsigned n = static_cast<unsigned>(given) & kCountMask<T>;
  if constexpr (dst == Place::mem) {
    const auto a = cpu.begin_modify<T>(insn);
    if (!a) [[unlikely]]
      return cpu.raise(a.error());
    const T r = n == 0 ? *a : Op::template apply<T>(cpu.state.flags, *a, n);
    cpu.commit<T>(r);
  } else {
    const T a = cpu.reg<T>(insn.op[0]);
    const T r = n == 0 ? a : Op::template apply<T>(cpu.state.flags, a, n);
    cpu.set_reg<T>(insn.op[0], r);
  }
  return Flow::next;
}

template <class Op>
Handler select_shift(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  const bool by_cl = is_gpr(d.operands[1]);
  return for_width(d.operand_size, [=]<class T>() -> Handler {
    if (memory) return by_cl ? shift<Op, T, Place::mem, true> : shift<Op, T, Place::mem, false>;
    return by_cl ? shift<Op, T, Place::reg, true> : shift<Op, T, Place::reg, false>;
  });
}

/// Bits of `a` with those of `b` behind them. For 16-bit operands and counts above 16, undefined in
/// the SDM, `a` comes again behind `b`: the shifter sees a:b:a.
struct Shld {
  template <class T>
  static T apply(Flags& flags, T a, T b, unsigned n) {
    constexpr unsigned w = kBits<T>;
    uint128_t wide = uint128_t{a} << w | b;
    if constexpr (w == 16) wide = wide << w | a;
    constexpr unsigned width = w == 16 ? 3 * w : 2 * w;
    const auto r = static_cast<T>(wide >> (width - w - n));
    const bool carry = ((wide >> (width - n)) & 1) != 0;
    flags.set<T>(r, carry, sign(r) != carry, false);
    return r;
  }
};

struct Shrd {
  template <class T>
  static T apply(Flags& flags, T a, T b, unsigned n) {
    constexpr unsigned w = kBits<T>;
    uint128_t wide = uint128_t{b} << w | a;
    if constexpr (w == 16) wide |= uint128_t{a} << (2 * w);
    const auto r = static_cast<T>(wide >> n);
    const bool carry = ((wide >> (n - 1)) & 1) != 0;
    flags.set<T>(r, carry, top_bits_differ(r), false);
    return r;
  }
};

// op r/m, r, imm8; op r/m, r, CL
template <class Op, class T, Place dst, bool by_cl>
Flow shift_double(Cpu& cpu, const Insn& insn) {
  const uint64_t given = by_cl ? cpu.state.regs[arch::rcx] : insn.imm;
  const unsigned n = static_cast<unsigned>(given) & kCountMask<T>;
  const T b = cpu.reg<T>(insn.op[1]);
  if constexpr (dst == Place::mem) {
    const auto a = cpu.begin_modify<T>(insn);
    if (!a) [[unlikely]]
      return cpu.raise(a.error());
    const T r = n == 0 ? *a : Op::template apply<T>(cpu.state.flags, *a, b, n);
    cpu.commit<T>(r);
  } else {
    const T a = cpu.reg<T>(insn.op[0]);
    const T r = n == 0 ? a : Op::template apply<T>(cpu.state.flags, a, b, n);
    cpu.set_reg<T>(insn.op[0], r);
  }
  return Flow::next;
}

template <class Op>
Handler select_shift_double(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  const bool by_cl = is_gpr(d.operands[2]);
  return for_word_width(d.operand_size, [=]<class T>() -> Handler {
    if (memory) {
      return by_cl ? shift_double<Op, T, Place::mem, true> : shift_double<Op, T, Place::mem, false>;
    }
    return by_cl ? shift_double<Op, T, Place::reg, true> : shift_double<Op, T, Place::reg, false>;
  });
}

// A count of 0 keeps every flag, so all that is written is read as well.
constexpr FlagUse kShifts{flag::all, flag::all, flag::of | flag::af};
constexpr FlagUse kRotates{flag::cf | flag::of, flag::cf | flag::of, flag::of};

// clang-format off
constexpr std::array<Row, 9> kRows = {{
  {"shl",  Feature::base, InsnClass::plain, CostClass::alu,          kShifts,  select_shift<Shl>},
  {"shr",  Feature::base, InsnClass::plain, CostClass::alu,          kShifts,  select_shift<Shr>},
  {"sar",  Feature::base, InsnClass::plain, CostClass::alu,          kShifts,  select_shift<Sar>},
  {"rol",  Feature::base, InsnClass::plain, CostClass::alu,          kRotates, select_shift<Rol>},
  {"ror",  Feature::base, InsnClass::plain, CostClass::alu,          kRotates, select_shift<Ror>},
  {"rcl",  Feature::base, InsnClass::plain, CostClass::shift_double, kRotates, select_shift<Rcl>},
  {"rcr",  Feature::base, InsnClass::plain, CostClass::shift_double, kRotates, select_shift<Rcr>},
  {"shld", Feature::base, InsnClass::plain, CostClass::shift_double, kShifts,  select_shift_double<Shld>},
  {"shrd", Feature::base, InsnClass::plain, CostClass::shift_double, kShifts,  select_shift_double<Shrd>},
}};
// clang-format on

}  // namespace

std::span<const Row> shift_rows() { return kRows; }

}  // namespace vitrine::emu
