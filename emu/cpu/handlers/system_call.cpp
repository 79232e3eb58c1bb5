// SYSCALL, SYSRET, SYSENTER, SYSEXIT: level changes with segments that are not read from tables.
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

namespace rflags = arch::rflags;
namespace efer = arch::efer;

constexpr uint32_t kCode32 = 0xC09B;  // granular, 32-bit, present, execute/read, accessed
constexpr uint32_t kCode64 = 0xA09B;  // granular, long
constexpr uint32_t kData = 0xC093;    // granular, 32-bit, present, read/write, accessed
constexpr uint32_t dpl_bits(unsigned cpl) { return cpl << 5; }

/// CS and SS of the new level: flat, with fixed rights.
void load_fixed_segments(Cpu& cpu, uint64_t code, uint64_t stack, unsigned cpl, bool code64) {
  CpuState& s = cpu.state;
  const auto selector = [cpl](uint64_t value) {
    return static_cast<uint16_t>((value & 0xFFFC) | cpl);
  };
  const uint32_t rights = (code64 ? kCode64 : kCode32) | dpl_bits(cpl);
  s.segments[arch::cs] = SegmentState{0, 0xFFFFFFFF, arch::SegmentRights{rights}, selector(code)};
  s.segments[arch::ss] =
      SegmentState{0, 0xFFFFFFFF, arch::SegmentRights{kData | dpl_bits(cpl)}, selector(stack)};
  s.cpl = static_cast<uint8_t>(cpl);
}

Flow entered(Cpu& cpu) {
  cpu.segments_changed();
  cpu.attention();
  return Flow::branch;
}

bool syscall_enabled(const Cpu& cpu) {
  return cpu.state.code64() && (cpu.state.efer & efer::sce) != 0;
}

// SYSCALL: 64-bit mode only on this vendor's processors
Flow syscall(Cpu& cpu, const Insn&) {
  if (!syscall_enabled(cpu)) return cpu.raise(kUndefinedOpcode);
  CpuState& s = cpu.state;
  s.regs[arch::rcx] = s.rip();
  s.regs[arch::r11] = s.rflags() & ~rflags::rf;
  s.set_rflags(s.rflags() & ~(s.msr.sfmask | rflags::rf));
  const uint64_t base = s.msr.star >> 32;
  load_fixed_segments(cpu, base, base + 8, 0, true);
  s.set_rip(s.msr.lstar);
  return entered(cpu);
}

// SYSRET
Flow sysret(Cpu& cpu, const Insn& insn) {
  constexpr uint64_t kFlags = 0x3C7FD7;
  if (!syscall_enabled(cpu)) return cpu.raise(kUndefinedOpcode);
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  CpuState& s = cpu.state;
  const bool to64 = operand_bytes(insn) == 8;
  const uint64_t target = to64 ? s.regs[arch::rcx] : cpu.reg<uint32_t>(at::rcx);
  if (!Cpu::canonical(target)) return cpu.raise(kGeneralProtection0);
  s.set_rflags(s.regs[arch::r11] & kFlags);
  const uint64_t base = s.msr.star >> 48;
  load_fixed_segments(cpu, to64 ? base + 16 : base, base + 8, 3, to64);
  s.set_rip(target);
  return entered(cpu);
}

// SYSENTER
Flow sysenter(Cpu& cpu, const Insn&) {
  CpuState& s = cpu.state;
  if (!s.protected_mode() || (s.msr.sysenter_cs & 0xFFFC) == 0) {
    return cpu.raise(kGeneralProtection0);
  }
  const bool wide = s.long_mode();
  const uint64_t mask = wide ? ~uint64_t{0} : 0xFFFFFFFF;
  s.rflags_system &= ~(rflags::vm | rflags::if_ | rflags::rf);
  load_fixed_segments(cpu, s.msr.sysenter_cs, s.msr.sysenter_cs + 8, 0, wide);
  s.regs[arch::rsp] = s.msr.sysenter_esp & mask;
  s.set_rip(s.msr.sysenter_eip & mask);
  return entered(cpu);
}

// SYSEXIT
Flow sysexit(Cpu& cpu, const Insn& insn) {
  CpuState& s = cpu.state;
  const uint64_t base = s.msr.sysenter_cs;
  if (!s.protected_mode() || !supervisor(cpu) || (base & 0xFFFC) == 0) {
    return cpu.raise(kGeneralProtection0);
  }
  const bool to64 = operand_bytes(insn) == 8;
  const uint64_t mask = to64 ? ~uint64_t{0} : 0xFFFFFFFF;
  const uint64_t rip = s.regs[arch::rdx] & mask;
  const uint64_t rsp = s.regs[arch::rcx] & mask;
  if (!Cpu::canonical(rip) || !Cpu::canonical(rsp)) return cpu.raise(kGeneralProtection0);
  load_fixed_segments(cpu, base + (to64 ? 32 : 16), base + (to64 ? 40 : 24), 3, to64);
  s.regs[arch::rsp] = rsp;
  s.set_rip(rip);
  return entered(cpu);
}

// clang-format off
constexpr std::array<Row, 4> kRows = {{
  system_row("syscall",  always<syscall>,  CostClass::syscall, Feature::syscall),
  system_row("sysret",   always<sysret>,   CostClass::syscall, Feature::syscall),
  system_row("sysenter", always<sysenter>, CostClass::syscall, Feature::sysenter),
  system_row("sysexit",  always<sysexit>,  CostClass::syscall, Feature::sysenter),
}};
// clang-format on

}  // namespace

std::span<const Row> system_call_rows() { return kRows; }

}  // namespace vitrine::emu
