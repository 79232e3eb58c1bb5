// Task switches: SDM "Task Management", 32- and 16-bit TSSs outside IA-32e mode.
#pragma once

#include <cstdint>

#include "emu/cpu/cpu.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

/// What switches, numbered as VM-exit qualifications number it.
enum class TaskSource : uint8_t { call = 0, iret = 1, jump = 2, gate = 3 };

struct TaskSwitch {
  uint16_t selector = 0;  ///< of the new TSS
  TaskSource source = TaskSource::jump;
  const Insn* insn = nullptr;  ///< null for an exception or interrupt
  uint32_t ext = 0;            ///< into error codes
  uint64_t return_rip = 0;     ///< saved in the old TSS
  uint64_t flags_image = 0;
  bool has_error_code = false;
  uint32_t error_code = 0;
};

/// Switches to the task, or leaves VMX non-root operation instead. A fault is one of the old task as
/// long as `committed` is false, afterwards one of the new task's first instruction.
Result<void, Fault> switch_task(Cpu& cpu, const TaskSwitch& how, bool& committed);

/// JMP or CALL through a TSS or task-gate descriptor.
Flow far_task_switch(Cpu& cpu, const Insn& insn, uint16_t selector, const Descriptor& descriptor,
                     bool is_call);
/// IRET with NT set: back to the task the back link names.
Flow task_return(Cpu& cpu, const Insn& insn);

}  // namespace vitrine::emu
