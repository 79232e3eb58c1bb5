// Bit manipulation with VEX encodings: ANDN, BEXTR, BLSI, BLSR, BLSMSK, BZHI, PDEP, PEXT, MULX,
// RORX, SARX, SHLX, SHRX.
#include "emu/arch/wide.h"
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

// VEX encodings are #UD in real-address and virtual-8086 mode (SDM "VEX Instruction Encoding and
// Exceptions"), which 16- and 32-bit code alone can be in. Flags that the SDM leaves undefined are
// 0.

template <Handler handler>
Flow in_protected_mode(Cpu& cpu, const Insn& insn) {
  if (!cpu.state.protected_mode() || cpu.state.v8086()) return cpu.raise(kUndefinedOpcode);
  return handler(cpu, insn);
}

template <Handler handler>
Handler for_mode(const Decoded& d) {
  return d.code_size == 8 ? handler : in_protected_mode<handler>;
}

/// The handler `make` names for the operand size and the place of the operand that may be in
/// memory.
template <class Make>
Handler for_form(const Decoded& d, size_t memory_operand, Make make) {
  const bool memory = is_memory(d.operands[memory_operand]);
  if (d.operand_size == 8) {
    return memory ? make.template operator()<uint64_t, Place::mem>()
                  : make.template operator()<uint64_t, Place::reg>();
  }
  return memory ? make.template operator()<uint32_t, Place::mem>()
                : make.template operator()<uint32_t, Place::reg>();
}

template <class T, Place src>
Result<T, Fault> operand(Cpu& cpu, const Insn& insn, size_t i) {
  if constexpr (src == Place::mem) return cpu.load<T>(insn);
  return cpu.reg<T>(insn.op[i]);
}

void set_flags(Flags& flags, bool carry, bool zero, bool negative) {
  flags.set_arithmetic((carry ? arch::rflags::cf : 0) | (zero ? arch::rflags::zf : 0) |
                       (negative ? arch::rflags::sf : 0));
}

struct Andn {
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(~a & b);
    set_flags(flags, false, r == 0, sign(r));
    return r;
  }
};

struct Bextr {
  template <class T>
  static T apply(Flags& flags, T a, T control) {
    const unsigned start = control & 0xFF;
    const unsigned length = (control >> 8) & 0xFF;
    T r = start < kBits<T> ? static_cast<T>(a >> start) : T{0};
    if (length < kBits<T>) r &= static_cast<T>((T{1} << length) - 1);
    set_flags(flags, false, r == 0, false);
    return r;
  }
};

struct Bzhi {
  template <class T>
  static T apply(Flags& flags, T a, T index) {
    const unsigned n = index & 0xFF;
    const T r = n < kBits<T> ? static_cast<T>(a & ((T{1} << n) - 1)) : a;
    set_flags(flags, n >= kBits<T>, r == 0, sign(r));
    return r;
  }
};

struct Pdep {
  template <class T>
  static T apply(Flags&, T a, T mask) {
    T r = 0;
    for (; mask != 0; mask &= static_cast<T>(mask - 1), a >>= 1) {
      if ((a & 1) != 0) r |= mask & static_cast<T>(T{0} - mask);
    }
    return r;
  }
};

struct Pext {
  template <class T>
  static T apply(Flags&, T a, T mask) {
    T r = 0;
    for (unsigned n = 0; mask != 0; mask &= static_cast<T>(mask - 1), ++n) {
      if ((a & mask & static_cast<T>(T{0} - mask)) != 0) r |= T{1} << n;
    }
    return r;
  }
};

struct Sarx {
  template <class T>
  static T apply(Flags&, T a, T count) {
    return static_cast<T>(as_signed(a) >> (count & (kBits<T> - 1)));
  }
};
struct Shlx {
  template <class T>
  static T apply(Flags&, T a, T count) {
    return static_cast<T>(a << (count & (kBits<T> - 1)));
  }
};
struct Shrx {
  template <class T>
  static T apply(Flags&, T a, T count) {
    return static_cast<T>(a >> (count & (kBits<T> - 1)));
  }
};

/// `m` is the operand that may be in memory: 2 for op r, r, r/m and 1 for op r, r/m, r.
// op r, r, r/m; op r, r/m, r
template <class Op, size_t m, class T, Place src>
Flow ternary(Cpu& cpu, const Insn& insn) {
  const auto variable = operand<T, src>(cpu, insn, m);
  if (!variable) return cpu.raise(variable.error());
  const T fixed = cpu.reg<T>(insn.op[3 - m]);
  const T a = m == 1 ? *variable : fixed;
  const T b = m == 1 ? fixed : *variable;
  cpu.set_reg<T>(insn.op[0], Op::template apply<T>(cpu.state.flags, a, b));
  return Flow::next;
}

template <class Op, size_t m>
Handler select_ternary(const Decoded& d) {
  return for_form(d, m, [&d]<class T, Place src>() { return for_mode<ternary<Op, m, T, src>>(d); });
}

struct Blsi {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(a & (T{0} - a));
    set_flags(flags, a != 0, r == 0, sign(r));
    return r;
  }
};
struct Blsr {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(a & (a - 1));
    set_flags(flags, a == 0, r == 0, sign(r));
    return r;
  }
};
struct Blsmsk {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(a ^ (a - 1));
    set_flags(flags, a == 0, false, sign(r));
    return r;
  }
};

// op r, r/m
template <class Op, class T, Place src>
Flow lowest_bit(Cpu& cpu, const Insn& insn) {
  const auto a = operand<T, src>(cpu, insn, 1);
  if (!a) return cpu.raise(a.error());
  cpu.set_reg<T>(insn.op[0], Op::template apply<T>(cpu.state.flags, *a));
  return Flow::next;
}

template <class Op>
Handler select_lowest_bit(const Decoded& d) {
  return for_form(d, 1, [&d]<class T, Place src>() { return for_mode<lowest_bit<Op, T, src>>(d); });
}

// MULX r, r, r/m: the high half goes to the first destination, which wins if both are one register
template <class T, Place src>
Flow mulx(Cpu& cpu, const Insn& insn) {
  const auto b = operand<T, src>(cpu, insn, 2);
  if (!b) return cpu.raise(b.error());
  const uint128_t product = uint128_t{cpu.reg<T>(at::rdx)} * *b;
  cpu.set_reg<T>(insn.op[1], static_cast<T>(product));
  cpu.set_reg<T>(insn.op[0], static_cast<T>(product >> kBits<T>));
  return Flow::next;
}

Handler select_mulx(const Decoded& d) {
  return for_form(d, 2, [&d]<class T, Place src>() { return for_mode<mulx<T, src>>(d); });
}

// RORX r, r/m, imm8
template <class T, Place src>
Flow rorx(Cpu& cpu, const Insn& insn) {
  const auto a = operand<T, src>(cpu, insn, 1);
  if (!a) return cpu.raise(a.error());
  cpu.set_reg<T>(insn.op[0], std::rotr(*a, static_cast<int>(insn.imm & (kBits<T> - 1))));
  return Flow::next;
}

Handler select_rorx(const Decoded& d) {
  return for_form(d, 1, [&d]<class T, Place src>() { return for_mode<rorx<T, src>>(d); });
}

constexpr FlagUse kLogic{0, flag::all, flag::af | flag::pf};
constexpr FlagUse kExtract{0, flag::all, flag::af | flag::sf | flag::pf};

// clang-format off
constexpr std::array<Row, 13> kRows = {{
  {"andn",   Feature::bmi1, InsnClass::plain, CostClass::alu, kLogic,   select_ternary<Andn, 2>},
  {"bextr",  Feature::bmi1, InsnClass::plain, CostClass::alu, kExtract, select_ternary<Bextr, 1>},
  {"blsi",   Feature::bmi1, InsnClass::plain, CostClass::alu, kLogic,   select_lowest_bit<Blsi>},
  {"blsr",   Feature::bmi1, InsnClass::plain, CostClass::alu, kLogic,   select_lowest_bit<Blsr>},
  {"blsmsk", Feature::bmi1, InsnClass::plain, CostClass::alu, kLogic,   select_lowest_bit<Blsmsk>},
  {"bzhi",   Feature::bmi2, InsnClass::plain, CostClass::alu, kLogic,   select_ternary<Bzhi, 1>},
  {"pdep",   Feature::bmi2, InsnClass::plain, CostClass::mul, {},       select_ternary<Pdep, 2>},
  {"pext",   Feature::bmi2, InsnClass::plain, CostClass::mul, {},       select_ternary<Pext, 2>},
  {"mulx",   Feature::bmi2, InsnClass::plain, CostClass::mul, {},       select_mulx},
  {"rorx",   Feature::bmi2, InsnClass::plain, CostClass::alu, {},       select_rorx},
  {"sarx",   Feature::bmi2, InsnClass::plain, CostClass::alu, {},       select_ternary<Sarx, 1>},
  {"shlx",   Feature::bmi2, InsnClass::plain, CostClass::alu, {},       select_ternary<Shlx, 1>},
  {"shrx",   Feature::bmi2, InsnClass::plain, CostClass::alu, {},       select_ternary<Shrx, 1>},
}};
// clang-format on

}  // namespace

std::span<const Row> bmi_rows() { return kRows; }

}  // namespace vitrine::emu
