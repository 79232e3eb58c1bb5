// VM exits and VM entries: the two transitions between VMX root and non-root operation.
#pragma once

#include <cstdint>

#include "emu/arch/exit_reasons.h"
#include "emu/arch/vmx_info.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/timing/cycle_ledger.h"
#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu {

class Cpu;

namespace vmx {

/// Everything that a VM exit reports; what a reason does not define stays 0.
struct Exit {
  arch::ExitReason reason;
  uint64_t qualification = 0;
  uint32_t instruction_length = 0;
  uint32_t instruction_information = 0;
  arch::InterruptionInfo interruption{};
  uint32_t interruption_error_code = 0;
  uint64_t guest_linear_address = 0;
  uint64_t guest_physical_address = 0;
  /// SDM "Saving RIP, RSP, RFLAGS, and SSP": what becomes of RFLAGS.RF.
  enum class Resume : uint8_t { keep, clear, set };
  Resume resume = Resume::keep;
  /// False where an exit during event delivery does not count as such (#DF, triple fault).
  bool reports_vectoring = true;
};

/// Performs the exit: information, guest state, MSR areas, host state. RIP is what is to be saved.
void vm_exit(Cpu& cpu, const Exit& exit);

/// VM exit for an instruction that has only just begun: RIP goes back to its start.
void exit_instruction(Cpu& cpu, const Insn& insn, Exit exit);

/// What VMLAUNCH and VMRESUME do once their own conditions hold.
enum class EntryResult : uint8_t {
  entered,           ///< in non-root operation, or already back out of it by an exit
  invalid_controls,  ///< VMfailValid 7
  invalid_host,      ///< VMfailValid 8
  failed,            ///< a VM exit with bit 31 of the reason set was performed
};
EntryResult vm_entry(Cpu& cpu);

/// The inputs of the entry checks as they are now.
EntryInputs entry_inputs(const Cpu& cpu, const Bus& bus);

/// Loads host state from the VMCS, also after a failed VM entry.
void load_host_state(Cpu& cpu);
void vmx_abort(Cpu& cpu, arch::VmxAbort reason);

/// SDM "Loading MSRs" and "Saving MSRs": 0, or the 1-based number of the entry that failed.
uint32_t load_msr_list(Cpu& cpu, uint64_t address, uint64_t count);
uint32_t store_msr_list(Cpu& cpu, uint64_t address, uint64_t count);

/// What an entry or exit costs: `cycles`, the VMCS's way through the caches at level `memory`, and
/// there the translations that it forgets without a VPID (SDM "VPIDs and TLB invalidation").
void charge_transition(Cpu& cpu, uint64_t cycles, timing::Cause cause);

}  // namespace vmx
}  // namespace vitrine::emu
