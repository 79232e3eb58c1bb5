// VM-exit basic reasons: number, name, and which information fields each one fills.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrine::emu::arch {

/// SDM "VMX Basic Exit Reasons". Numbers that cannot occur here (SMM, SGX, PT, SPP …) are left out.
enum class ExitReason : uint16_t {
  exception_or_nmi = 0,
  external_interrupt = 1,
  triple_fault = 2,
  init_signal = 3,
  startup_ipi = 4,
  interrupt_window = 7,
  nmi_window = 8,
  task_switch = 9,
  cpuid = 10,
  getsec = 11,
  hlt = 12,
  invd = 13,
  invlpg = 14,
  rdpmc = 15,
  rdtsc = 16,
  rsm = 17,
  vmcall = 18,
  vmclear = 19,
  vmlaunch = 20,
  vmptrld = 21,
  vmptrst = 22,
  vmread = 23,
  vmresume = 24,
  vmwrite = 25,
  vmxoff = 26,
  vmxon = 27,
  control_register_access = 28,
  mov_dr = 29,
  io_instruction = 30,
  rdmsr = 31,
  wrmsr = 32,
  invalid_guest_state = 33,
  msr_loading = 34,
  mwait = 36,
  monitor_trap_flag = 37,
  monitor = 39,
  pause = 40,
  machine_check_during_entry = 41,
  tpr_below_threshold = 43,
  apic_access = 44,
  virtualized_eoi = 45,
  gdtr_idtr_access = 46,
  ldtr_tr_access = 47,
  ept_violation = 48,
  ept_misconfiguration = 49,
  invept = 50,
  rdtscp = 51,
  preemption_timer = 52,
  invvpid = 53,
  wbinvd = 54,
  xsetbv = 55,
  apic_write = 56,
  rdrand = 57,
  invpcid = 58,
  vmfunc = 59,
  encls = 60,
  rdseed = 61,
  pml_full = 62,
  xsaves = 63,
  xrstors = 64,
};

/// Bit 31 of the exit-reason field: the exit is a failed VM entry.
inline constexpr uint32_t kEntryFailure = 1u << 31;

/// What an exit reports beyond its reason (SDM "VM-Exit Information Fields").
namespace exit_info {
inline constexpr uint8_t qualification = 1;
inline constexpr uint8_t instruction_length = 2;
inline constexpr uint8_t instruction_information = 4;
inline constexpr uint8_t interruption = 8;
inline constexpr uint8_t guest_linear_address = 16;
inline constexpr uint8_t guest_physical_address = 32;
}  // namespace exit_info

struct ExitReasonRow {
  ExitReason reason;
  std::string_view name;
  uint8_t info = 0;
};

// clang-format off
inline constexpr uint8_t kInstruction = exit_info::instruction_length;
inline constexpr uint8_t kWithOperand =
    exit_info::instruction_length | exit_info::instruction_information | exit_info::qualification;
inline constexpr auto kExitReasons = std::to_array<ExitReasonRow>({
    {ExitReason::exception_or_nmi,        "Exception or NMI",        exit_info::interruption | exit_info::qualification},
    {ExitReason::external_interrupt,      "External interrupt",      exit_info::interruption},
    {ExitReason::triple_fault,            "Triple fault"},
    {ExitReason::init_signal,             "INIT signal"},
    {ExitReason::startup_ipi,             "Start-up IPI",            exit_info::qualification},
    {ExitReason::interrupt_window,        "Interrupt window"},
    {ExitReason::nmi_window,              "NMI window"},
    {ExitReason::task_switch,             "Task switch",             exit_info::qualification},
    {ExitReason::cpuid,                   "CPUID",                   kInstruction},
    {ExitReason::getsec,                  "GETSEC",                  kInstruction},
    {ExitReason::hlt,                     "HLT",                     kInstruction},
    {ExitReason::invd,                    "INVD",                    kInstruction},
    {ExitReason::invlpg,                  "INVLPG",                  kInstruction | exit_info::qualification},
    {ExitReason::rdpmc,                   "RDPMC",                   kInstruction},
    {ExitReason::rdtsc,                   "RDTSC",                   kInstruction},
    {ExitReason::rsm,                     "RSM",                     kInstruction},
    {ExitReason::vmcall,                  "VMCALL",                  kInstruction},
    {ExitReason::vmclear,                 "VMCLEAR",                 kWithOperand},
    {ExitReason::vmlaunch,                "VMLAUNCH",                kInstruction},
    {ExitReason::vmptrld,                 "VMPTRLD",                 kWithOperand},
    {ExitReason::vmptrst,                 "VMPTRST",                 kWithOperand},
    {ExitReason::vmread,                  "VMREAD",                  kWithOperand},
    {ExitReason::vmresume,                "VMRESUME",                kInstruction},
    {ExitReason::vmwrite,                 "VMWRITE",                 kWithOperand},
    {ExitReason::vmxoff,                  "VMXOFF",                  kInstruction},
    {ExitReason::vmxon,                   "VMXON",                   kWithOperand},
    {ExitReason::control_register_access, "Control-register access", kInstruction | exit_info::qualification},
    {ExitReason::mov_dr,                  "MOV DR",                  kInstruction | exit_info::qualification},
    {ExitReason::io_instruction,          "I/O instruction",         kWithOperand | exit_info::guest_linear_address},
    {ExitReason::rdmsr,                   "RDMSR",                   kInstruction},
    {ExitReason::wrmsr,                   "WRMSR",                   kInstruction},
    {ExitReason::invalid_guest_state,     "Invalid guest state",     exit_info::qualification},
    {ExitReason::msr_loading,             "MSR loading",             exit_info::qualification},
    {ExitReason::mwait,                   "MWAIT",                   kInstruction | exit_info::qualification},
    {ExitReason::monitor_trap_flag,       "Monitor trap flag"},
    {ExitReason::monitor,                 "MONITOR",                 kInstruction},
    {ExitReason::pause,                   "PAUSE",                   kInstruction},
    {ExitReason::machine_check_during_entry, "Machine check during VM entry"},
    {ExitReason::tpr_below_threshold,     "TPR below threshold"},
    {ExitReason::apic_access,             "APIC access",             exit_info::qualification | exit_info::guest_linear_address},
    {ExitReason::virtualized_eoi,         "Virtualized EOI",         exit_info::qualification},
    {ExitReason::gdtr_idtr_access,        "GDTR or IDTR access",     kWithOperand},
    {ExitReason::ldtr_tr_access,          "LDTR or TR access",       kWithOperand},
    {ExitReason::ept_violation,           "EPT violation",           exit_info::qualification | exit_info::guest_linear_address | exit_info::guest_physical_address},
    {ExitReason::ept_misconfiguration,    "EPT misconfiguration",    exit_info::guest_physical_address},
    {ExitReason::invept,                  "INVEPT",                  kWithOperand},
    {ExitReason::rdtscp,                  "RDTSCP",                  kInstruction},
    {ExitReason::preemption_timer,        "VMX-preemption timer expired"},
    {ExitReason::invvpid,                 "INVVPID",                 kWithOperand},
    {ExitReason::wbinvd,                  "WBINVD",                  kInstruction},
    {ExitReason::xsetbv,                  "XSETBV",                  kInstruction},
    {ExitReason::apic_write,              "APIC write",              exit_info::qualification},
    {ExitReason::rdrand,                  "RDRAND",                  kInstruction | exit_info::instruction_information},
    {ExitReason::invpcid,                 "INVPCID",                 kWithOperand},
    {ExitReason::vmfunc,                  "VMFUNC",                  kInstruction},
    {ExitReason::encls,                   "ENCLS",                   kInstruction},
    {ExitReason::rdseed,                  "RDSEED",                  kInstruction | exit_info::instruction_information},
    {ExitReason::pml_full,                "Page-modification log full", exit_info::qualification},
    {ExitReason::xsaves,                  "XSAVES",                  kWithOperand},
    {ExitReason::xrstors,                 "XRSTORS",                 kWithOperand},
});
// clang-format on

constexpr bool exit_reasons_ascend() {
  for (size_t i = 1; i < kExitReasons.size(); ++i) {
    if (kExitReasons[i].reason <= kExitReasons[i - 1].reason) return false;
  }
  return true;
}
static_assert(exit_reasons_ascend());

/// The row of a basic exit reason (bits 15:0 of the field); null for a number not in the table.
constexpr const ExitReasonRow* find_exit_reason(uint32_t basic) {
  for (const ExitReasonRow& row : kExitReasons) {
    if (static_cast<uint32_t>(row.reason) == basic) return &row;
  }
  return nullptr;
}

}  // namespace vitrine::emu::arch
