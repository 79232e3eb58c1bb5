// Software interrupts, the interrupt flag and HLT.
#include <vector>

#include "emu/cpu/handlers/system.h"

namespace vitrine::emu {

namespace {

using arch::Vector;
using vmx::Intercept;
namespace rflags = arch::rflags;

// INT n: in virtual-8086 mode it needs IOPL 3
Flow int_n(Cpu& cpu, const Insn& insn) {
  if (cpu.state.v8086() && iopl(cpu) < 3) return cpu.raise(kGeneralProtection0);
  return cpu.software_interrupt(insn, static_cast<uint8_t>(insn.imm), Cpu::EventType::software);
}

// INT3
Flow int3(Cpu& cpu, const Insn& insn) {
  constexpr auto kVector = static_cast<uint8_t>(Vector::breakpoint);
  return cpu.software_interrupt(insn, kVector, Cpu::EventType::software_exception);
}

// INT1
Flow int1(Cpu& cpu, const Insn& insn) {
  constexpr auto kVector = static_cast<uint8_t>(Vector::debug);
  return cpu.software_interrupt(insn, kVector, Cpu::EventType::privileged_software);
}

// INTO
Flow into(Cpu& cpu, const Insn& insn) {
  if (!cpu.state.flags.of()) return Flow::next;
  constexpr auto kVector = static_cast<uint8_t>(Vector::overflow);
  return cpu.software_interrupt(insn, kVector, Cpu::EventType::software_exception);
}

/// IOPL protects IF in protected and virtual-8086 mode; the latter runs at CPL 3.
bool may_change_if(const Cpu& cpu) {
  return !cpu.state.protected_mode() || cpu.state.cpl <= iopl(cpu);
}

// CLI
Flow cli(Cpu& cpu, const Insn&) {
  if (!may_change_if(cpu)) return cpu.raise(kGeneralProtection0);
  cpu.state.rflags_system &= ~rflags::if_;
  return Flow::branch;
}

// STI: interrupts stay off until the next instruction is done
Flow sti(Cpu& cpu, const Insn&) {
  if (!may_change_if(cpu)) return cpu.raise(kGeneralProtection0);
  if ((cpu.state.rflags_system & rflags::if_) == 0) {
    cpu.state.sti_shadow = true;
    cpu.state.rflags_system |= rflags::if_;
  }
  cpu.attention();
  return Flow::branch;
}

// HLT
Flow hlt(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, Intercept::hlt, insn)) return Flow::exit;
  cpu.state.activity = Activity::hlt;
  cpu.attention();
  return Flow::branch;
}

// RSM outside system-management mode; GETSEC without SMX
template <Intercept intercept>
Flow absent(Cpu& cpu, const Insn&) {
  return cpu.raise(kUndefinedOpcode);
}

// clang-format off
constexpr std::array<Row, 9> kRows = {{
  system_row("int",    always<int_n>, CostClass::interrupt),
  system_row("int3",   always<int3>,  CostClass::interrupt),
  system_row("int1",   always<int1>,  CostClass::interrupt),
  system_row("into",   always<into>,  CostClass::interrupt),
  system_row("cli",    always<cli>),
  system_row("sti",    always<sti>),
  system_row("hlt",    always<hlt>,   CostClass::hlt),
  system_row("rsm",    always<absent<Intercept::rsm>>),
  system_row("getsec", always<absent<Intercept::getsec>>),
}};
// clang-format on

}  // namespace

std::span<const Row> interrupt_rows() { return kRows; }

std::span<const Row> system_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> joined;
    for (const auto group : {control_register_rows(), interrupt_rows(), system_call_rows(),
                             port_rows(), msr_rows(), state_image_rows()}) {
      joined.insert(joined.end(), group.begin(), group.end());
    }
    return joined;
  }();
  return rows;
}

}  // namespace vitrine::emu
