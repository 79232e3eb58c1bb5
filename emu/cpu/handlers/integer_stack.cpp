// The stack: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.
#include "emu/cpu/handlers/forms.h"
#include "emu/cpu/handlers/virtual_interrupts.h"

namespace vitrine::emu {

namespace {

// PUSH r; PUSH imm; PUSH m. PUSH rSP pushes the value from before.
template <class T, Place src>
Flow push(Cpu& cpu, const Insn& insn) {
  T value;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    value = *loaded;
  } else if constexpr (src == Place::imm) {
    value = static_cast<T>(insn.imm);
  } else {
    value = cpu.reg<T>(insn.op[0]);
  }
  const auto pushed = cpu.push<T>(value);
  if (!pushed) [[unlikely]]
    return cpu.raise(pushed.error());
  return Flow::next;
}

Handler select_push(const Decoded& d) {
  const auto kind = d.operands[0].kind;
  return for_word_width(d.operand_size, [kind]<class T>() -> Handler {
    switch (kind) {
      case OperandKind::gpr: return push<T, Place::reg>;
      case OperandKind::memory: return push<T, Place::mem>;
      case OperandKind::immediate: return push<T, Place::imm>;
      default: return nullptr;
    }
  });
}

// POP r. POP rSP keeps the value popped.
template <class T>
Flow pop_register(Cpu& cpu, const Insn& insn) {
  const auto value = cpu.pop<T>();
  if (!value) [[unlikely]]
    return cpu.raise(value.error());
  cpu.set_reg<T>(insn.op[0], *value);
  return Flow::next;
}

// POP m. An rSP in the address is the one after the pop.
template <class T>
Flow pop_memory(Cpu& cpu, const Insn& insn) {
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  const auto value = cpu.pop<T>();
  if (!value) [[unlikely]]
    return cpu.raise(value.error());
  const auto stored = cpu.store<T>(insn, *value);
  if (!stored) [[unlikely]] {
    cpu.state.regs[arch::rsp] = old_rsp;
    return cpu.raise(stored.error());
  }
  return Flow::next;
}

Handler select_pop(const Decoded& d) {
  const auto kind = d.operands[0].kind;
  return for_word_width(d.operand_size, [kind]<class T>() -> Handler {
    switch (kind) {
      case OperandKind::gpr: return pop_register<T>;
      case OperandKind::memory: return pop_memory<T>;
      default: return nullptr;
    }
  });
}

// PUSHA, PUSHAD
template <class T>
Flow pusha(Cpu& cpu, const Insn&) {
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  for (uint8_t number = 0; number < 8; ++number) {
    const uint64_t value = number == arch::rsp ? old_rsp : cpu.state.regs[number];
    const auto pushed = cpu.push<T>(static_cast<T>(value));
    if (!pushed) {
      cpu.state.regs[arch::rsp] = old_rsp;
      return cpu.raise(pushed.error());
    }
  }
  return Flow::next;
}

// POPA, POPAD
template <class T>
Flow popa(Cpu& cpu, const Insn&) {
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  std::array<T, 8> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = cpu.pop<T>();
    if (!value) {
      cpu.state.regs[arch::rsp] = old_rsp;
      return cpu.raise(value.error());
    }
    values[7 - i] = *value;
  }
  for (uint8_t number = 0; number < 8; ++number) {
    if (number != arch::rsp) cpu.set_reg<T>(static_cast<uint8_t>(number * 8), values[number]);
  }
  return Flow::next;
}

template <class T>
Handler select_pusha(const Decoded&) {
  return pusha<T>;
}
template <class T>
Handler select_popa(const Decoded&) {
  return popa<T>;
}

/// In virtual-8086 mode without VME, PUSHF and POPF need IOPL 3.
bool flags_protected(const Cpu& cpu) {
  return cpu.state.v8086() && (cpu.state.rflags_system & arch::rflags::iopl) != arch::rflags::iopl;
}

// PUSHF, PUSHFD, PUSHFQ: the image has VM and RF clear
template <class T>
Flow pushf(Cpu& cpu, const Insn&) {
  const bool shown = sizeof(T) == 2 && virtual_flags(cpu);
  if (flags_protected(cpu) && !shown) return cpu.raise(kGeneralProtection0);
  const uint64_t image = virtual_flags_image(cpu) & ~(arch::rflags::vm | arch::rflags::rf);
  const auto pushed = cpu.push<T>(static_cast<T>(image));
  if (!pushed) return cpu.raise(pushed.error());
  return Flow::next;
}

/// The flags that POPF may change here (SDM "POPF/POPFD/POPFQ", table of effects). VM, VIF and VIP
/// always stay; RF becomes 0.
template <class T>
uint64_t poppable_flags(const Cpu& cpu) {
  namespace rflags = arch::rflags;
  const CpuState& state = cpu.state;
  uint64_t allowed = rflags::arithmetic | rflags::tf | rflags::df | rflags::nt;
  if constexpr (sizeof(T) > 2) allowed |= rflags::ac | rflags::id;
  const uint64_t iopl = arch::rflags::iopl & state.rflags_system;
  const bool below_iopl = (iopl >> 12) >= state.cpl;
  if (below_iopl || state.v8086()) allowed |= rflags::if_;
  if (state.cpl == 0) allowed |= rflags::iopl;
  return allowed;
}

// POPF, POPFD, POPFQ
template <class T>
Flow popf(Cpu& cpu, const Insn&) {
  const bool shown = sizeof(T) == 2 && virtual_flags(cpu);
  if (flags_protected(cpu) && !shown) return cpu.raise(kGeneralProtection0);
  const uint64_t rsp = cpu.state.regs[arch::rsp];
  const auto popped = cpu.pop<T>();
  if (!popped) return cpu.raise(popped.error());
  if (shown) {
    if (!virtual_flags_allow(cpu, *popped)) {
      cpu.state.regs[arch::rsp] = rsp;
      return cpu.raise(kGeneralProtection0);
    }
    load_virtual_flags(cpu.state, *popped);
    return Flow::next;
  }
  const uint64_t allowed = poppable_flags<T>(cpu);
  const uint64_t old = cpu.state.rflags();
  const uint64_t kept = old & ~allowed & ~(sizeof(T) > 2 ? arch::rflags::rf : uint64_t{0});
  const uint64_t now = kept | (uint64_t{*popped} & allowed);
  cpu.state.set_rflags(now);
  if (((old ^ now) & arch::rflags::ac) != 0) cpu.privilege_changed();
  cpu.attention();
  return Flow::next;
}

template <class T>
Handler select_pushf(const Decoded&) {
  return pushf<T>;
}
template <class T>
Handler select_popf(const Decoded&) {
  return popf<T>;
}

uint64_t within_stack(const Cpu& cpu, uint64_t pointer) { return pointer & cpu.stack_mask(); }

/// Copies the frame pointers of the enclosing procedures and adds the new one (SDM "Procedure Calls
/// For Block-Structured Languages").
template <class T>
Result<void, Fault> push_display(Cpu& cpu, unsigned level, uint64_t frame) {
  uint64_t link = cpu.state.regs[arch::rbp];
  for (unsigned i = 1; i < level; ++i) {
    link -= sizeof(T);
    const auto pointer = cpu.load_at<T>(arch::ss, within_stack(cpu, link), cpu.segments_checked());
    if (!pointer) return Err{pointer.error()};
    if (const auto pushed = cpu.push<T>(*pointer); !pushed) return pushed;
  }
  return cpu.push<T>(static_cast<T>(frame));
}

// ENTER imm16, imm8
template <class T>
Flow enter(Cpu& cpu, const Insn& insn) {
  const uint64_t size = insn.imm & 0xFFFF;
  const unsigned level = (insn.imm >> 16) & 31;
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  const auto undo = [&](const Fault& fault) {
    cpu.state.regs[arch::rsp] = old_rsp;
    return cpu.raise(fault);
  };
  const auto saved = cpu.push<T>(cpu.reg<T>(arch::rbp * 8));
  if (!saved) return undo(saved.error());
  const uint64_t frame = cpu.state.regs[arch::rsp];
  if (level != 0) {
    const auto pushed = push_display<T>(cpu, level, frame);
    if (!pushed) return undo(pushed.error());
  }
  // The new top of the stack must be writable, although nothing is written there.
  const uint64_t top = within_stack(cpu, cpu.state.regs[arch::rsp] - size);
  const auto writable = cpu.begin_modify_at<T>(arch::ss, top, cpu.segments_checked());
  if (!writable) return undo(writable.error());
  cpu.set_stack_pointer(top);
  cpu.set_reg<T>(arch::rbp * 8, static_cast<T>(frame));
  return Flow::next;
}

// LEAVE
template <class T>
Flow leave(Cpu& cpu, const Insn&) {
  const uint64_t frame = within_stack(cpu, cpu.state.regs[arch::rbp]);
  const auto saved = cpu.load_at<T>(arch::ss, frame, cpu.segments_checked());
  if (!saved) return cpu.raise(saved.error());
  cpu.set_stack_pointer(frame + sizeof(T));
  cpu.set_reg<T>(arch::rbp * 8, *saved);
  return Flow::next;
}

Handler select_enter(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return enter<T>; });
}
Handler select_leave(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return leave<T>; });
}

constexpr FlagUse kReadsAll{flag::all, 0, 0};
constexpr FlagUse kWritesAll{0, flag::all | flag::df, 0};

// clang-format off
constexpr std::array<Row, 14> kRows = {{
  {"push",   Feature::base, InsnClass::plain,       CostClass::push_pop,    {},         select_push},
  {"pop",    Feature::base, InsnClass::plain,       CostClass::push_pop,    {},         select_pop},
  {"pusha",  Feature::base, InsnClass::plain,       CostClass::flags_image, {},         select_pusha<uint16_t>},
  {"pushad", Feature::base, InsnClass::plain,       CostClass::flags_image, {},         select_pusha<uint32_t>},
  {"popa",   Feature::base, InsnClass::plain,       CostClass::flags_image, {},         select_popa<uint16_t>},
  {"popad",  Feature::base, InsnClass::plain,       CostClass::flags_image, {},         select_popa<uint32_t>},
  {"pushf",  Feature::base, InsnClass::plain,       CostClass::flags_image, kReadsAll,  select_pushf<uint16_t>},
  {"pushfd", Feature::base, InsnClass::plain,       CostClass::flags_image, kReadsAll,  select_pushf<uint32_t>},
  {"pushfq", Feature::base, InsnClass::plain,       CostClass::flags_image, kReadsAll,  select_pushf<uint64_t>},
  {"popf",   Feature::base, InsnClass::serialising, CostClass::flags_image, kWritesAll, select_popf<uint16_t>},
  {"popfd",  Feature::base, InsnClass::serialising, CostClass::flags_image, kWritesAll, select_popf<uint32_t>},
  {"popfq",  Feature::base, InsnClass::serialising, CostClass::flags_image, kWritesAll, select_popf<uint64_t>},
  {"enter",  Feature::base, InsnClass::plain,       CostClass::call,        {},         select_enter},
  {"leave",  Feature::base, InsnClass::plain,       CostClass::push_pop,    {},         select_leave},
}};
// clang-format on

}  // namespace

std::span<const Row> stack_rows() { return kRows; }

}  // namespace vitrine::emu
