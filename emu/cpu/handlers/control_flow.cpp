// Near control transfers: Jcc, JMP, CALL, RET, LOOPcc, JrCXZ; and UD0, UD1, UD2.
#include "emu/cpu/build_insn.h"
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

/// Width of RIP after a transfer. In 64-bit mode it is 8 whatever the prefixes say.
template <class T>
Flow go(Cpu& cpu, uint64_t target) {
  if constexpr (sizeof(T) == 8) {
    if (!Cpu::canonical(target)) [[unlikely]]
      return cpu.raise(kGeneralProtection0);
    cpu.state.set_rip(target);
    return Flow::branch;
  } else {
    return cpu.jump(target, sizeof(T));
  }
}

bool is_relative(const Decoded& d) { return d.operands[0].kind == OperandKind::relative; }

/// Far forms share the mnemonics; their memory operand holds a selector too.
bool is_near_indirect(const Decoded& d) {
  const Operand& target = d.operands[0];
  return is_gpr(target) || (is_memory(target) && target.bits == d.operand_size * 8);
}

// Jcc rel
template <unsigned cc, class T>
Flow jcc(Cpu& cpu, const Insn& insn) {
  if (!holds<cc>(cpu.state.flags)) return Flow::next;
  return go<T>(cpu, cpu.state.rip() + insn.imm);
}

template <unsigned cc>
Handler select_jcc(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return jcc<cc, T>; });
}

// JMP rel
template <class T>
Flow jmp_relative(Cpu& cpu, const Insn& insn) {
  return go<T>(cpu, cpu.state.rip() + insn.imm);
}

// JMP r/m
template <class T, Place src>
Flow jmp_indirect(Cpu& cpu, const Insn& insn) {
  if constexpr (src == Place::mem) {
    const auto target = cpu.load<T>(insn);
    if (!target) [[unlikely]]
      return cpu.raise(target.error());
    return go<T>(cpu, *target);
  } else {
    return go<T>(cpu, cpu.reg<T>(insn.op[0]));
  }
}

Handler select_jmp(const Decoded& d) {
  if (is_relative(d)) {
    return for_word_width(d.operand_size, []<class T>() -> Handler { return jmp_relative<T>; });
  }
  if (!is_near_indirect(d)) return nullptr;
  const bool memory = is_memory(d.operands[0]);
  return for_word_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? jmp_indirect<T, Place::mem> : jmp_indirect<T, Place::reg>;
  });
}

/// The target is judged before the return address is pushed; a push that faults undoes the jump.
template <class T>
Flow call_to(Cpu& cpu, uint64_t target) {
  const uint64_t return_rip = cpu.state.rip();
  const Flow flow = go<T>(cpu, target);
  if (flow != Flow::branch) [[unlikely]]
    return flow;
  const auto pushed = cpu.push<T>(static_cast<T>(return_rip));
  if (!pushed) [[unlikely]] {
    cpu.state.set_rip(return_rip);
    return cpu.raise(pushed.error());
  }
  return Flow::branch;
}

// CALL rel
template <class T>
Flow call_relative(Cpu& cpu, const Insn& insn) {
  return call_to<T>(cpu, cpu.state.rip() + insn.imm);
}

// CALL r/m
template <class T, Place src>
Flow call_indirect(Cpu& cpu, const Insn& insn) {
  if constexpr (src == Place::mem) {
    const auto target = cpu.load<T>(insn);
    if (!target) [[unlikely]]
      return cpu.raise(target.error());
    return call_to<T>(cpu, *target);
  } else {
    return call_to<T>(cpu, cpu.reg<T>(insn.op[0]));
  }
}

Handler select_call(const Decoded& d) {
  if (is_relative(d)) {
    return for_word_width(d.operand_size, []<class T>() -> Handler { return call_relative<T>; });
  }
  if (!is_near_indirect(d)) return nullptr;
  const bool memory = is_memory(d.operands[0]);
  return for_word_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? call_indirect<T, Place::mem> : call_indirect<T, Place::reg>;
  });
}

// RET; RET imm16
template <class T>
Flow ret(Cpu& cpu, const Insn& insn) {
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  const auto target = cpu.pop<T>();
  if (!target) [[unlikely]]
    return cpu.raise(target.error());
  const Flow flow = go<T>(cpu, *target);
  if (flow != Flow::branch) [[unlikely]] {
    cpu.state.regs[arch::rsp] = old_rsp;
    return flow;
  }
  cpu.set_stack_pointer(cpu.state.regs[arch::rsp] + static_cast<uint16_t>(insn.imm));
  return Flow::branch;
}

Handler select_ret(const Decoded& d) {
  if (d.opcode != 0xC3 && d.opcode != 0xC2) return nullptr;
  return for_word_width(d.operand_size, []<class T>() -> Handler { return ret<T>; });
}

// LOOP rel8; LOOPE rel8; LOOPNE rel8: the count register has the address size
enum class LoopWhile : uint8_t { always, equal, not_equal };
template <LoopWhile condition, class T>
Flow loop(Cpu& cpu, const Insn& insn) {
  const uint64_t count = (cpu.state.regs[arch::rcx] - 1) & address_mask(insn);
  const bool zf = cpu.state.flags.zf();
  const bool again =
      count != 0 && (condition == LoopWhile::always || zf == (condition == LoopWhile::equal));
  if (again) {
    const Flow flow = go<T>(cpu, cpu.state.rip() + insn.imm);
    if (flow != Flow::branch) return flow;
  }
  set_address_register(cpu, insn, arch::rcx, count);
  return again ? Flow::branch : Flow::next;
}

template <LoopWhile condition>
Handler select_loop(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return loop<condition, T>; });
}

// JCXZ rel8; JECXZ rel8; JRCXZ rel8
template <class T>
Flow jump_if_count_zero(Cpu& cpu, const Insn& insn) {
  if ((cpu.state.regs[arch::rcx] & address_mask(insn)) != 0) return Flow::next;
  return go<T>(cpu, cpu.state.rip() + insn.imm);
}

Handler select_count_zero(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return jump_if_count_zero<T>; });
}

// UD0 r, r/m; UD1 r, r/m; UD2
Handler select_undefined(const Decoded&) { return undefined_opcode; }

constexpr Row jcc_row(std::string_view mnemonic, unsigned cc, Handler (*select)(const Decoded&)) {
  return {
      mnemonic, Feature::base, InsnClass::branch, CostClass::branch, {condition_flags(cc), 0, 0},
      select};
}

// clang-format off
constexpr std::array<Row, 28> kRows = {{
  jcc_row("jo",  0x0, select_jcc<0x0>), jcc_row("jno",  0x1, select_jcc<0x1>),
  jcc_row("jb",  0x2, select_jcc<0x2>), jcc_row("jnb",  0x3, select_jcc<0x3>),
  jcc_row("jz",  0x4, select_jcc<0x4>), jcc_row("jnz",  0x5, select_jcc<0x5>),
  jcc_row("jbe", 0x6, select_jcc<0x6>), jcc_row("jnbe", 0x7, select_jcc<0x7>),
  jcc_row("js",  0x8, select_jcc<0x8>), jcc_row("jns",  0x9, select_jcc<0x9>),
  jcc_row("jp",  0xA, select_jcc<0xA>), jcc_row("jnp",  0xB, select_jcc<0xB>),
  jcc_row("jl",  0xC, select_jcc<0xC>), jcc_row("jnl",  0xD, select_jcc<0xD>),
  jcc_row("jle", 0xE, select_jcc<0xE>), jcc_row("jnle", 0xF, select_jcc<0xF>),
  {"jmp",    Feature::base, InsnClass::branch, CostClass::branch, {}, select_jmp},
  {"call",   Feature::base, InsnClass::branch, CostClass::call,   {}, select_call},
  {"ret",    Feature::base, InsnClass::branch, CostClass::call,   {}, select_ret},
  {"loop",   Feature::base, InsnClass::branch, CostClass::branch, {}, select_loop<LoopWhile::always>},
  {"loope",  Feature::base, InsnClass::branch, CostClass::branch, {flag::zf, 0, 0}, select_loop<LoopWhile::equal>},
  {"loopne", Feature::base, InsnClass::branch, CostClass::branch, {flag::zf, 0, 0}, select_loop<LoopWhile::not_equal>},
  {"jcxz",   Feature::base, InsnClass::branch, CostClass::branch, {}, select_count_zero},
  {"jecxz",  Feature::base, InsnClass::branch, CostClass::branch, {}, select_count_zero},
  {"jrcxz",  Feature::base, InsnClass::branch, CostClass::branch, {}, select_count_zero},
  {"ud0",    Feature::base, InsnClass::branch, CostClass::system, {}, select_undefined},
  {"ud1",    Feature::base, InsnClass::branch, CostClass::system, {}, select_undefined},
  {"ud2",    Feature::base, InsnClass::branch, CostClass::system, {}, select_undefined},
}};
// clang-format on

}  // namespace

std::span<const Row> control_flow_rows() { return kRows; }

}  // namespace vitrine::emu
