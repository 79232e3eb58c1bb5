// VMsucceed, VMfail and the gate that VMX instructions pass.
#include "emu/cpu/vmx/outcome.h"

#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/operand_info.h"
#include "emu/cpu/vmx/transitions.h"

namespace vitrine::emu::vmx {

Flow succeed(Cpu& cpu) {
  cpu.state.flags.set_arithmetic(0);
  return Flow::next;
}

Flow fail_invalid(Cpu& cpu) {
  cpu.state.flags.set_arithmetic(arch::rflags::cf);
  return Flow::next;
}

Flow fail(Cpu& cpu, arch::VmInstructionError error) {
  if (cpu.vmx.current_vmcs == kNoVmcs) return fail_invalid(cpu);
  cpu.vmx.vmcs.set(Field::vm_instruction_error, static_cast<uint64_t>(error));
  cpu.state.flags.set_arithmetic(arch::rflags::zf);
  return Flow::next;
}

bool mode_allows(const CpuState& s) {
  return s.protected_mode() && !s.v8086() && (!s.long_mode() || s.code64());
}

Gate enter_gate(Cpu& cpu, const Insn& insn, arch::ExitReason reason, uint32_t registers) {
  if (!cpu.vmx.on || !mode_allows(cpu.state)) {
    cpu.raise(kUndefinedOpcode);
    return Gate::raised;
  }
  if (cpu.vmx.nonroot) {
    Exit exit{reason};
    const bool has_memory = insn.op[0] == kMemory || insn.op[1] == kMemory;
    exit.instruction_information = registers;
    if (has_memory) {
      exit.instruction_information |= memory_information(insn);
      exit.qualification = displacement_qualification(insn, cpu.state.rip());
    }
    exit_instruction(cpu, insn, exit);
    return Gate::exited;
  }
  if (cpu.state.cpl > 0) {
    cpu.raise(kGeneralProtection0);
    return Gate::raised;
  }
  return Gate::open;
}

}  // namespace vitrine::emu::vmx
