// RDMSR and WRMSR without privilege checks and intercepts: what the instructions and the VMX MSR areas share.
#pragma once

#include <cstdint>

#include "emu/arch/exceptions.h"

namespace vitrine::emu {

class Cpu;

/// #GP(0) for an MSR that does not exist on the profile or cannot be read.
Result<uint64_t, Fault> read_msr(Cpu& cpu, uint32_t number);
/// #GP(0) also for values with reserved bits or of the wrong kind.
Result<void, Fault> write_msr(Cpu& cpu, uint32_t number, uint64_t value);

}  // namespace vitrine::emu
