// Integer arithmetic and logic: ADD … CMP, TEST, INC, DEC, NEG, NOT, ADCX, ADOX.
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

// Each operation: what it makes of its operands, and whether it writes the first.

struct Add {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a + b);
    flags.set_add<T>(a, b, r);
    return r;
  }
};

struct Adc {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a + b + static_cast<T>(flags.cf()));
    flags.set_add<T>(a, b, r);
    return r;
  }
};

struct Sub {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a - b);
    flags.set_sub<T>(a, b, r);
    return r;
  }
};

struct Sbb {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a - b - static_cast<T>(flags.cf()));
    flags.set_sub<T>(a, b, r);
    return r;
  }
};

struct Cmp {
  static constexpr bool kWrites = false;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    return Sub::apply<T>(flags, a, b);
  }
};

struct And {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a & b);
    flags.set_logic<T>(r);
    return r;
  }
};

struct Or {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a | b);
    flags.set_logic<T>(r);
    return r;
  }
};

struct Xor {
  static constexpr bool kWrites = true;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    const auto r = static_cast<T>(a ^ b);
    flags.set_logic<T>(r);
    return r;
  }
};

struct Test {
  static constexpr bool kWrites = false;
  template <class T>
  static T apply(Flags& flags, T a, T b) {
    return And::apply<T>(flags, a, b);
  }
};

// op r/m, r/imm; op r, r/m
template <class Op, class T, Place dst, Place src>
Flow binary(Cpu& cpu, const Insn& insn) {
  Flags& flags = cpu.state.flags;
  if constexpr (src == Place::mem) {
    const auto b = cpu.load<T>(insn);
    if (!b) [[unlikely]]
      return cpu.raise(b.error());
    const T r = Op::template apply<T>(flags, cpu.reg<T>(insn.op[0]), *b);
    if constexpr (Op::kWrites) cpu.set_reg<T>(insn.op[0], r);
  } else if constexpr (dst == Place::mem) {
    const T b = second_value<T, src>(cpu, insn);
    const auto a = [&] {
      if constexpr (Op::kWrites) return cpu.begin_modify<T>(insn);
      return cpu.load<T>(insn);
    }();
    if (!a) [[unlikely]]
      return cpu.raise(a.error());
    const T r = Op::template apply<T>(flags, *a, b);
    if constexpr (Op::kWrites) cpu.commit<T>(r);
  } else {
    const T b = second_value<T, src>(cpu, insn);
    const T r = Op::template apply<T>(flags, cpu.reg<T>(insn.op[0]), b);
    if constexpr (Op::kWrites) cpu.set_reg<T>(insn.op[0], r);
  }
  return Flow::next;
}

template <class Op>
Handler select_binary(const Decoded& d) {
  const Shape shape = shape_of(d);
  return for_width(d.operand_size, [shape]<class T>() -> Handler {
    switch (shape) {
      case Shape::reg_reg: return binary<Op, T, Place::reg, Place::reg>;
      case Shape::reg_mem: return binary<Op, T, Place::reg, Place::mem>;
      case Shape::mem_reg: return binary<Op, T, Place::mem, Place::reg>;
      case Shape::reg_imm: return binary<Op, T, Place::reg, Place::imm>;
      case Shape::mem_imm: return binary<Op, T, Place::mem, Place::imm>;
      case Shape::other: return nullptr;
    }
    return nullptr;
  });
}

struct Inc {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(a + 1);
    flags.set_inc<T>(a, r);
    return r;
  }
};

struct Dec {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(a - 1);
    flags.set_dec<T>(a, r);
    return r;
  }
};

struct Neg {
  template <class T>
  static T apply(Flags& flags, T a) {
    const auto r = static_cast<T>(T{0} - a);
    flags.set_sub<T>(T{0}, a, r);
    return r;
  }
};

struct Not {
  template <class T>
  static T apply(Flags&, T a) {
    return static_cast<T>(~a);
  }
};

// op r/m
template <class Op, class T, Place dst>
Flow unary(Cpu& cpu, const Insn& insn) {
  if constexpr (dst == Place::mem) {
    const auto a = cpu.begin_modify<T>(insn);
    if (!a) [[unlikely]]
      return cpu.raise(a.error());
    const T r = Op::template apply<T>(cpu.state.flags, *a);
    cpu.commit<T>(r);
  } else {
    const T r = Op::template apply<T>(cpu.state.flags, cpu.reg<T>(insn.op[0]));
    cpu.set_reg<T>(insn.op[0], r);
  }
  return Flow::next;
}

template <class Op>
Handler select_unary(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  return for_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? unary<Op, T, Place::mem> : unary<Op, T, Place::reg>;
  });
}

// ADCX r, r/m; ADOX r, r/m: an addition whose carry goes through one flag and touches no other
template <class T, bool through_of, Place src>
Flow add_with_one_flag(Cpu& cpu, const Insn& insn) {
  T b;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    b = *loaded;
  } else {
    b = cpu.reg<T>(insn.op[1]);
  }
  Flags& flags = cpu.state.flags;
  const bool carry = through_of ? flags.of() : flags.cf();
  const T a = cpu.reg<T>(insn.op[0]);
  const T sum = static_cast<T>(a + b);
  const T r = static_cast<T>(sum + T{carry});
  const bool carry_out = sum < a || r < sum;
  if constexpr (through_of) {
    set_of(flags, carry_out);
  } else {
    flags.set_cf(carry_out);
  }
  cpu.set_reg<T>(insn.op[0], r);
  return Flow::next;
}

template <bool through_of>
Handler select_one_flag(const Decoded& d) {
  const bool memory = is_memory(d.operands[1]);
  return for_word_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? add_with_one_flag<T, through_of, Place::mem>
                  : add_with_one_flag<T, through_of, Place::reg>;
  });
}

constexpr FlagUse kAdds{0, flag::all, 0};
constexpr FlagUse kAddsWithCarry{flag::cf, flag::all, 0};
constexpr FlagUse kLogic{0, flag::all, flag::af};  // AF = 0
constexpr FlagUse kKeepsCarry{0, flag::all & ~flag::cf, 0};

// clang-format off
constexpr std::array<Row, 15> kRows = {{
  {"add",  Feature::base, InsnClass::plain, CostClass::alu, kAdds,          select_binary<Add>},
  {"adc",  Feature::base, InsnClass::plain, CostClass::alu, kAddsWithCarry, select_binary<Adc>},
  {"sub",  Feature::base, InsnClass::plain, CostClass::alu, kAdds,          select_binary<Sub>},
  {"sbb",  Feature::base, InsnClass::plain, CostClass::alu, kAddsWithCarry, select_binary<Sbb>},
  {"cmp",  Feature::base, InsnClass::plain, CostClass::alu, kAdds,          select_binary<Cmp>},
  {"and",  Feature::base, InsnClass::plain, CostClass::alu, kLogic,         select_binary<And>},
  {"or",   Feature::base, InsnClass::plain, CostClass::alu, kLogic,         select_binary<Or>},
  {"xor",  Feature::base, InsnClass::plain, CostClass::alu, kLogic,         select_binary<Xor>},
  {"test", Feature::base, InsnClass::plain, CostClass::alu, kLogic,         select_binary<Test>},
  {"inc",  Feature::base, InsnClass::plain, CostClass::alu, kKeepsCarry,    select_unary<Inc>},
  {"dec",  Feature::base, InsnClass::plain, CostClass::alu, kKeepsCarry,    select_unary<Dec>},
  {"neg",  Feature::base, InsnClass::plain, CostClass::alu, kAdds,          select_unary<Neg>},
  {"not",  Feature::base, InsnClass::plain, CostClass::alu, {},             select_unary<Not>},
  {"adcx", Feature::adx,  InsnClass::plain, CostClass::alu, {flag::cf, flag::cf, 0}, select_one_flag<false>},
  {"adox", Feature::adx,  InsnClass::plain, CostClass::alu, {flag::of, flag::of, 0}, select_one_flag<true>},
}};
// clang-format on

}  // namespace

std::span<const Row> arithmetic_rows() { return kRows; }

}  // namespace vitrine::emu
