// What a processor asks of the machine around it: its local APIC, interrupts, reset, the outside world.
#pragma once

#include <cstdint>
#include <optional>

#include "emu/arch/exceptions.h"
#include "emu/arch/types.h"

namespace vitrine::emu {

/// Implemented by the machine, which owns the local APIC and the other chips.
class CpuPorts {
 public:
  virtual ~CpuPorts() = default;

  /// Logical processors of the machine, as CPUID counts them.
  virtual uint32_t processor_count() const { return 1; }
  /// True when a maskable interrupt would be delivered now (local APIC or 8259 through LINT0/ExtINT).
  virtual bool interrupt_pending(uint32_t processor, Cycle now) = 0;
  /// Acknowledges it: the vector, with IRR/ISR or the 8259 updated.
  virtual std::optional<uint8_t> acknowledge_interrupt(uint32_t processor, Cycle now) = 0;
  /// What a write of 0 to the local APIC's EOI register does (posted-interrupt processing).
  virtual void end_interrupt(uint32_t /*processor*/, Cycle /*now*/) {}
  /// CR8 view of the task priority.
  virtual uint8_t task_priority(uint32_t processor) = 0;
  virtual void set_task_priority(uint32_t processor, uint8_t priority, Cycle now) = 0;
  /// IA32_APIC_BASE changed, x2APIC MSRs (800H-8FFH), IA32_TSC_DEADLINE (6E0H, in TSC units).
  virtual Result<void, Fault> set_apic_base(uint32_t processor, uint64_t value) = 0;
  virtual Result<uint64_t, Fault> read_apic_msr(uint32_t processor, uint32_t msr, Cycle now) = 0;
  virtual Result<void, Fault> write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value,
                                             Cycle now) = 0;
  /// IA32_TSC_ADJUST or the TSC was written: TSC deadlines move.
  virtual void tsc_changed(uint32_t processor, Cycle now) = 0;
  /// A triple fault outside VMX non-root operation.
  virtual void triple_fault(uint32_t processor, Cycle now) = 0;
  /// FERR# for external x87 error reporting (CR0.NE = 0).
  virtual void set_ferr(uint32_t processor, bool level, Cycle now) = 0;
};

}  // namespace vitrine::emu
