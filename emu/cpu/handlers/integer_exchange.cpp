// Exchanges: XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B, BSWAP.
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

// XCHG r, r
template <class T>
Flow xchg_registers(Cpu& cpu, const Insn& insn) {
  const T a = cpu.reg<T>(insn.op[0]);
  const T b = cpu.reg<T>(insn.op[1]);
  cpu.set_reg<T>(insn.op[0], b);
  cpu.set_reg<T>(insn.op[1], a);
  return Flow::next;
}

// XCHG m, r; XCHG r, m: the register is operand `i`
template <class T, size_t i>
Flow xchg_memory(Cpu& cpu, const Insn& insn) {
  const auto old = cpu.begin_modify<T>(insn);
  if (!old) [[unlikely]]
    return cpu.raise(old.error());
  cpu.commit<T>(cpu.reg<T>(insn.op[i]));
  cpu.set_reg<T>(insn.op[i], *old);
  return Flow::next;
}

/// Two rows: with a memory operand the exchange is locked whatever the prefix.
Handler select_xchg_registers(const Decoded& d) {
  if (shape_of(d) != Shape::reg_reg) return nullptr;
  return for_width(d.operand_size, []<class T>() -> Handler { return xchg_registers<T>; });
}
Handler select_xchg_memory(const Decoded& d) {
  const bool register_second = is_gpr(d.operands[1]);
  return for_width(d.operand_size, [register_second]<class T>() -> Handler {
    return register_second ? xchg_memory<T, 1> : xchg_memory<T, 0>;
  });
}

// XADD r/m, r
template <class T, Place dst>
Flow xadd(Cpu& cpu, const Insn& insn) {
  const T b = cpu.reg<T>(insn.op[1]);
  T a;
  if constexpr (dst == Place::mem) {
    const auto old = cpu.begin_modify<T>(insn);
    if (!old) [[unlikely]]
      return cpu.raise(old.error());
    a = *old;
  } else {
    a = cpu.reg<T>(insn.op[0]);
  }
  const auto sum = static_cast<T>(a + b);
  cpu.set_reg<T>(insn.op[1], a);
  if constexpr (dst == Place::mem) {
    cpu.commit<T>(sum);
  } else {
    cpu.set_reg<T>(insn.op[0], sum);
  }
  cpu.state.flags.set_add<T>(a, b, sum);
  return Flow::next;
}

Handler select_xadd(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  return for_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? xadd<T, Place::mem> : xadd<T, Place::reg>;
  });
}

// CMPXCHG r/m, r: the destination is written back unchanged when the comparison fails
template <class T, Place dst>
Flow cmpxchg(Cpu& cpu, const Insn& insn) {
  T old;
  if constexpr (dst == Place::mem) {
    const auto loaded = cpu.begin_modify<T>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    old = *loaded;
  } else {
    old = cpu.reg<T>(insn.op[0]);
  }
  const T expected = cpu.reg<T>(at::rax);
  cpu.state.flags.set_sub<T>(expected, old, static_cast<T>(expected - old));
  const bool equal = expected == old;
  if constexpr (dst == Place::mem) {
    cpu.commit<T>(equal ? cpu.reg<T>(insn.op[1]) : old);
  } else if (equal) {
    cpu.set_reg<T>(insn.op[0], cpu.reg<T>(insn.op[1]));
  }
  if (!equal) cpu.set_reg<T>(at::rax, old);
  return Flow::next;
}

Handler select_cmpxchg(const Decoded& d) {
  const bool memory = is_memory(d.operands[0]);
  return for_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? cmpxchg<T, Place::mem> : cmpxchg<T, Place::reg>;
  });
}

void set_zf(Flags& flags, bool zero) {
  const uint64_t others = flags.arithmetic() & ~arch::rflags::zf;
  flags.set_arithmetic(others | (zero ? arch::rflags::zf : 0));
}

/// T holds one half of the operand. The 16-byte form must be aligned (SDM "CMPXCHG8B/CMPXCHG16B").
// CMPXCHG8B m64; CMPXCHG16B m128
template <class T>
Flow cmpxchg_pair(Cpu& cpu, const Insn& insn) {
  using Pair = std::array<T, 2>;
  if constexpr (sizeof(T) == 8) {
    const uint64_t linear = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
    if ((linear & 15) != 0) return cpu.raise(kGeneralProtection0);
  }
  const auto old = cpu.begin_modify<Pair>(insn);
  if (!old) [[unlikely]]
    return cpu.raise(old.error());
  const Pair expected = {cpu.reg<T>(at::rax), cpu.reg<T>(at::rdx)};
  const bool equal = *old == expected;
  if (equal) {
    const Pair replacement = {cpu.reg<T>(at::rbx), cpu.reg<T>(at::rcx)};
    cpu.commit<Pair>(replacement);
  } else {
    cpu.commit<Pair>(*old);
    cpu.set_reg<T>(at::rax, (*old)[0]);
    cpu.set_reg<T>(at::rdx, (*old)[1]);
  }
  set_zf(cpu.state.flags, equal);
  return Flow::next;
}

template <class T>
Handler select_cmpxchg_pair(const Decoded&) {
  return cmpxchg_pair<T>;
}

// BSWAP r: of a 16-bit register, undefined in the SDM, it gives 0
template <class T>
Flow bswap(Cpu& cpu, const Insn& insn) {
  const T value = cpu.reg<T>(insn.op[0]);
  if constexpr (sizeof(T) == 2) {
    cpu.set_reg<T>(insn.op[0], 0);
  } else if constexpr (sizeof(T) == 4) {
    cpu.set_reg<T>(insn.op[0], __builtin_bswap32(value));
  } else {
    cpu.set_reg<T>(insn.op[0], __builtin_bswap64(value));
  }
  return Flow::next;
}

Handler select_bswap(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return bswap<T>; });
}

constexpr FlagUse kCompares{0, flag::all, 0};
constexpr FlagUse kZero{0, flag::zf, 0};

// clang-format off
constexpr std::array<Row, 7> kRows = {{
  {"xchg",       Feature::base, InsnClass::plain, CostClass::alu,     {},        select_xchg_registers},
  {"xchg",       Feature::base, InsnClass::plain, CostClass::lock_op, {},        select_xchg_memory},
  {"xadd",       Feature::base, InsnClass::plain, CostClass::alu,     kCompares, select_xadd},
  {"cmpxchg",    Feature::base, InsnClass::plain, CostClass::alu,     kCompares, select_cmpxchg},
  {"cmpxchg8b",  Feature::cx8,  InsnClass::plain, CostClass::mul,     kZero,     select_cmpxchg_pair<uint32_t>},
  {"cmpxchg16b", Feature::cx16, InsnClass::plain, CostClass::mul,     kZero,     select_cmpxchg_pair<uint64_t>},
  {"bswap",      Feature::base, InsnClass::plain, CostClass::alu,     {},        select_bswap},
}};
// clang-format on

}  // namespace

std::span<const Row> exchange_rows() { return kRows; }

}  // namespace vitrine::emu
