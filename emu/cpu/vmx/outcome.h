// How VMX instructions begin and end: the common faults and exits, VMsucceed and VMfail.
#pragma once

#include <cstdint>

#include "emu/arch/exit_reasons.h"
#include "emu/arch/vm_instruction_error.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/state.h"

namespace vitrine::emu {

class Cpu;

namespace vmx {

// SDM "Conventions": VMsucceed, VMfailInvalid and VMfail, which is VMfailValid with a current VMCS.
Flow succeed(Cpu& cpu);
Flow fail_invalid(Cpu& cpu);
Flow fail(Cpu& cpu, arch::VmInstructionError error);

/// Real mode, virtual-8086 mode and compatibility mode know no VMX instruction.
bool mode_allows(const CpuState& s);

/// What every instruction but VMXON, VMCALL and VMFUNC begins with: #UD, VM exit, #GP in this order.
/// `registers` are the register fields of the instruction information.
enum class Gate : uint8_t { open, raised, exited };
Gate enter_gate(Cpu& cpu, const Insn& insn, arch::ExitReason reason, uint32_t registers = 0);
/// How the handler ends when the gate is not open.
inline Flow closed(Gate gate) { return gate == Gate::raised ? Flow::fault : Flow::exit; }

/// Operands of VMREAD, VMWRITE, INVEPT and INVVPID are 64 bits wide in 64-bit mode, else 32.
inline uint64_t operand_mask(const CpuState& s) { return s.code64() ? ~uint64_t{0} : 0xFFFFFFFF; }

// VMREAD r/m, r and VMWRITE r, r/m.
Flow vmread(Cpu& cpu, const Insn& insn);
Flow vmwrite(Cpu& cpu, const Insn& insn);

}  // namespace vmx
}  // namespace vitrine::emu
