// Control registers: the consistency checks and consequences of writing CR0, CR3, CR4 and CR8.
#pragma once

#include <cstdint>

#include "emu/arch/exceptions.h"

namespace vitrine::emu {

class Cpu;

// SDM "Control Registers" and "MOV-Move to/from Control Registers". VMX masks are applied before;
// privilege and exits are the caller's. Nothing changes when one of them faults.
Result<void, Fault> write_cr0(Cpu& cpu, uint64_t value);
Result<void, Fault> write_cr3(Cpu& cpu, uint64_t value);
Result<void, Fault> write_cr4(Cpu& cpu, uint64_t value);

}  // namespace vitrine::emu
