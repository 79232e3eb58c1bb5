// Software interrupts, the interrupt flag and HLT.
#include <vector>

#include "emu/cpu/handlers/system.h"
#include "emu/cpu/handlers/virtual_interrupts.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

using arch::Vector;
using vmx::Intercept;
namespace rflags = arch::rflags;

/// SDM "Software Interrupt Redirection Bit Map": 32 bytes below the I/O map; a bit of 0 sends the
/// interrupt to the 8086 program itself.
Result<bool, Fault> redirects(Cpu& cpu, uint8_t vector) {
  constexpr uint32_t kIoMapBaseAt = 0x66;
  const SegmentState& tr = cpu.state.segments[arch::tr];
  if (tr.limit < kIoMapBaseAt + 1) return Err{kGeneralProtection0};
  const auto map = cpu.mmu.read_system<uint16_t>(Gva{tr.base + kIoMapBaseAt});
  if (!map) return Err{map.error()};
  const uint32_t at = uint32_t{*map} - 32 + vector / 8u;
  if (at > tr.limit) return Err{kGeneralProtection0};
  const auto bits = cpu.mmu.read_system<uint8_t>(Gva{tr.base + at});
  if (!bits) return Err{bits.error()};
  return (*bits >> vector % 8 & 1) == 0;
}

/// SDM "Handling Software Interrupts in Virtual-8086 Mode", methods 5 and 6: through the vector table
/// at linear address 0, on the 8086 program's own stack.
Flow redirect(Cpu& cpu, uint8_t vector) {
  CpuState& s = cpu.state;
  const auto entry = cpu.mmu.read<uint32_t>(Gva{uint64_t{vector} * 4});
  if (!entry) return cpu.raise(entry.error());
  const uint64_t rsp = s.regs[arch::rsp];
  const uint64_t image = virtual_flags_image(cpu);
  for (const uint64_t value : {image, uint64_t{s.segments[arch::cs].selector}, s.rip()}) {
    const auto pushed = cpu.push<uint16_t>(static_cast<uint16_t>(value));
    if (pushed) continue;
    s.regs[arch::rsp] = rsp;
    return cpu.raise(pushed.error());
  }
  s.rflags_system &= ~(rflags::tf | (iopl(cpu) < 3 ? rflags::vif : rflags::if_));
  load_real_segment(cpu, arch::cs, static_cast<uint16_t>(*entry >> 16));
  s.set_rip(*entry & 0xFFFF);
  cpu.segments_changed();
  return Flow::branch;
}

// INT n: in virtual-8086 mode it needs IOPL 3, or the redirection of CR4.VME
Flow int_n(Cpu& cpu, const Insn& insn) {
  if (cpu.state.v8086()) {
    const auto vector = static_cast<uint8_t>(insn.imm);
    if ((cpu.state.cr4 & arch::cr4::vme) != 0) {
      const auto own = redirects(cpu, vector);
      if (!own) return cpu.raise(own.error());
      if (*own) return redirect(cpu, vector);
    }
    if (iopl(cpu) < 3) return cpu.raise(kGeneralProtection0);
  }
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

// CLI: with virtual interrupts, of VIF
Flow cli(Cpu& cpu, const Insn&) {
  if (virtual_interrupts(cpu)) {
    cpu.state.rflags_system &= ~rflags::vif;
    return Flow::branch;
  }
  if (!may_change_if(cpu)) return cpu.raise(kGeneralProtection0);
  cpu.state.rflags_system &= ~rflags::if_;
  return Flow::branch;
}

// STI: interrupts stay off until the next instruction is done
Flow sti(Cpu& cpu, const Insn&) {
  if (virtual_interrupts(cpu)) {
    if ((cpu.state.rflags_system & rflags::vip) != 0) return cpu.raise(kGeneralProtection0);
    cpu.state.rflags_system |= rflags::vif;
    return Flow::branch;
  }
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
