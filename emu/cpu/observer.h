// CpuObserver: what tracing, breakpoints and statistics see of a processor; costs no simulated cycle.
#pragma once

#include <cstdint>

#include "emu/arch/exceptions.h"
#include "emu/arch/types.h"
#include "emu/cpu/insn.h"

namespace vitrine::emu {

class Cpu;

/// All calls are made between instructions or at the event, with the processor's state as the guest
/// would see it. Implementations must not change it.
class CpuObserver {
 public:
  virtual ~CpuObserver() = default;

  /// Asked before every instruction while armed (Cpu::set_observer's `every_instruction`): true stops
  /// the processor in front of it.
  virtual bool stop_before(const Cpu&, const Insn&) { return false; }
  /// After every instruction while armed; `rip` is where it started.
  virtual void retired(const Cpu&, const Insn&, uint64_t /*rip*/) {}
  virtual void exception(const Cpu&, const Fault&) {}
  /// `software`: INT n, INT3, INTO; otherwise an external interrupt or NMI.
  virtual void interrupt(const Cpu&, uint8_t /*vector*/, bool /*software*/) {}
  virtual void vm_exit(const Cpu&, uint32_t /*reason*/, uint64_t /*qualification*/) {}
  virtual void vm_entry(const Cpu&) {}
};

}  // namespace vitrine::emu
