// The virtual-APIC page and virtual interrupts (SDM "APIC Virtualization and Virtual Interrupts").
#pragma once

#include <cstdint>

namespace vitrine::emu {

class Cpu;

namespace vmx {

/// What an instruction that names a local-APIC register in the guest came to.
enum class Virtualised : uint8_t { no, done, general_protection };

/// MOV to and from CR8 under "use TPR shadow".
Virtualised write_virtual_tpr(Cpu& cpu, uint64_t value);
bool read_virtual_tpr(const Cpu& cpu, uint64_t& value);
/// RDMSR and WRMSR of 800H to 8FFH under "virtualize x2APIC mode".
Virtualised read_virtual_msr(Cpu& cpu, uint32_t msr, uint64_t& value);
Virtualised write_virtual_msr(Cpu& cpu, uint32_t msr, uint64_t value);

/// At VM entry: PPR virtualization and evaluation, or a TPR that is already below its threshold.
void enter_virtual_apic(Cpu& cpu);
/// At the boundary behind an instruction that touched the virtual APIC: the emulation of a write to
/// the APIC-access page, and the trap-like exits. True when something exited.
bool exits_behind_apic_operation(Cpu& cpu);
/// Delivers a recognised virtual interrupt if the guest listens.
bool delivers_virtual_interrupt(Cpu& cpu);
/// SDM "Posted-Interrupt Processing": true when `vector` is the notification and was consumed.
bool consumes_posted_interrupt(Cpu& cpu, uint8_t vector);

}  // namespace vmx
}  // namespace vitrine::emu
