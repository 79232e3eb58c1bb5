// Model-specific registers, time, identification and random numbers.
#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/msr.h"
#include "emu/cpu/vmx/virtual_apic.h"

namespace vitrine::emu {

namespace {

using vmx::Intercept;

// RDMSR
Flow rdmsr(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const uint32_t number = cpu.reg<uint32_t>(at::rcx);
  if (vmx::exits_on_rdmsr(cpu, insn, number)) return Flow::exit;
  uint64_t virtual_value = 0;
  if (vmx::read_virtual_msr(cpu, number, virtual_value) == vmx::Virtualised::done) {
    set_edx_eax(cpu, virtual_value);
    return Flow::branch;
  }
  const auto value = read_msr(cpu, number);
  if (!value) return cpu.raise(value.error());
  set_edx_eax(cpu, *value);
  return Flow::branch;
}

// WRMSR
Flow wrmsr(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const uint32_t number = cpu.reg<uint32_t>(at::rcx);
  if (vmx::exits_on_wrmsr(cpu, insn, number)) return Flow::exit;
  switch (vmx::write_virtual_msr(cpu, number, edx_eax(cpu))) {
    case vmx::Virtualised::general_protection: return cpu.raise(kGeneralProtection0);
    case vmx::Virtualised::done: return Flow::branch;
    case vmx::Virtualised::no: break;
  }
  const auto written = write_msr(cpu, number, edx_eax(cpu));
  if (!written) return cpu.raise(written.error());
  cpu.attention();
  return Flow::branch;
}

bool time_refused(const Cpu& cpu) {
  return (cpu.state.cr4 & arch::cr4::tsd) != 0 && !supervisor(cpu);
}

// RDTSC
Flow rdtsc(Cpu& cpu, const Insn& insn) {
  if (time_refused(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, Intercept::rdtsc, insn)) return Flow::exit;
  set_edx_eax(cpu, vmx::guest_tsc(cpu, cpu.tsc()));
  return Flow::branch;
}

// RDTSCP
Flow rdtscp(Cpu& cpu, const Insn& insn) {
  if (vmx::disabled(cpu, Intercept::rdtscp)) return cpu.raise(kUndefinedOpcode);
  if (time_refused(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, Intercept::rdtscp, insn)) return Flow::exit;
  set_edx_eax(cpu, vmx::guest_tsc(cpu, cpu.tsc()));
  cpu.set_reg<uint32_t>(at::rcx, static_cast<uint32_t>(cpu.state.msr.tsc_aux));
  return Flow::branch;
}

// RDPID r
Flow rdpid(Cpu& cpu, const Insn& insn) {
  if (vmx::disabled(cpu, Intercept::rdtscp)) return cpu.raise(kUndefinedOpcode);
  cpu.set_reg<uint64_t>(insn.op[0], static_cast<uint32_t>(cpu.state.msr.tsc_aux));
  return Flow::next;
}

// RDPMC: CPUID leaf 0AH shows no counters, so every index is out of range
Flow rdpmc(Cpu& cpu, const Insn& insn) {
  const bool refused = (cpu.state.cr4 & arch::cr4::pce) == 0 && !supervisor(cpu);
  if (!refused && vmx::exits(cpu, Intercept::rdpmc, insn)) return Flow::exit;
  return cpu.raise(kGeneralProtection0);
}

arch::CpuidInputs cpuid_inputs(const Cpu& cpu, uint32_t processors) {
  const CpuState& s = cpu.state;
  arch::CpuidInputs in;
  in.apic_id = cpu.index();
  in.processors = processors;
  in.osxsave = (s.cr4 & arch::cr4::osxsave) != 0;
  in.apic_enabled = (s.msr.apic_base & arch::apic_base::enable) != 0;
  in.bit64 = s.code64();
  in.xcr0 = s.xcr0;
  in.xss = s.msr.xss;
  return in;
}

// CPUID
Flow cpuid(Cpu& cpu, const Insn& insn) {
  if (vmx::exits(cpu, Intercept::cpuid, insn)) return Flow::exit;
  const auto in = cpuid_inputs(cpu, cpu.ports().processor_count());
  const uint32_t leaf = cpu.reg<uint32_t>(at::rax);
  const uint32_t subleaf = cpu.reg<uint32_t>(at::rcx);
  const arch::CpuidResult r = arch::cpuid(cpu.profile(), leaf, subleaf, in);
  cpu.set_reg<uint32_t>(at::rax, r.eax);
  cpu.set_reg<uint32_t>(at::rbx, r.ebx);
  cpu.set_reg<uint32_t>(at::rcx, r.ecx);
  cpu.set_reg<uint32_t>(at::rdx, r.edx);
  return Flow::branch;
}

/// SplitMix64: every seed gives the whole period, and the state is one word.
uint64_t next_random(CpuState& s) {
  s.random += 0x9E3779B97F4A7C15;
  uint64_t z = s.random;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

/// SDM "Format of the VM-Exit Instruction-Information Field for RDRAND and RDSEED": destination in
/// bits 6:3, operand size in bits 12:11.
uint32_t random_information(const Insn& insn) {
  const uint32_t size = insn.operand_size - 1u;
  return insn.op[0] / 8u << 3 | size << 11;
}

// RDRAND r; RDSEED r: always ready, CF = 1
template <Intercept intercept>
Flow random(Cpu& cpu, const Insn& insn) {
  if (vmx::exits(cpu, intercept, insn, 0, random_information(insn))) return Flow::exit;
  write_gpr(cpu, insn.op[0], next_random(cpu.state), operand_bytes(insn));
  cpu.state.flags.set_arithmetic(arch::rflags::cf);
  return Flow::branch;
}

constexpr Row random_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                         Feature feature) {
  return {mnemonic, feature, InsnClass::serialising, CostClass::random, {0, flag::all, 0}, select};
}

// clang-format off
constexpr std::array<Row, 9> kRows = {{
  system_row("rdmsr",  always<rdmsr>,  CostClass::msr),
  system_row("wrmsr",  always<wrmsr>,  CostClass::msr),
  system_row("rdtsc",  always<rdtsc>,  CostClass::rdtsc),
  system_row("rdtscp", always<rdtscp>, CostClass::rdtsc, Feature::rdtscp),
  system_row("rdpid",  always<rdpid>,  CostClass::rdtsc, Feature::rdpid),
  system_row("rdpmc",  always<rdpmc>,  CostClass::rdtsc),
  system_row("cpuid",  always<cpuid>,  CostClass::cpuid),
  random_row("rdrand", always<random<Intercept::rdrand>>, Feature::rdrand),
  random_row("rdseed", always<random<Intercept::rdseed>>, Feature::rdseed),
}};
// clang-format on

}  // namespace

std::span<const Row> msr_rows() { return kRows; }

}  // namespace vitrine::emu
