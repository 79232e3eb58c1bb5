// VM-instruction errors: the numbers that VMfailValid leaves in the VMCS, with their meaning.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrine::emu::arch {

/// SDM "VM-Instruction Error Numbers".
enum class VmInstructionError : uint8_t {
  none = 0,
  vmcall_in_root = 1,
  vmclear_invalid_address = 2,
  vmclear_vmxon_pointer = 3,
  vmlaunch_not_clear = 4,
  vmresume_not_launched = 5,
  vmresume_after_vmxoff = 6,
  entry_invalid_controls = 7,
  entry_invalid_host_state = 8,
  vmptrld_invalid_address = 9,
  vmptrld_vmxon_pointer = 10,
  vmptrld_incorrect_revision = 11,
  unsupported_field = 12,
  read_only_field = 13,
  vmxon_in_root = 15,
  entry_invalid_executive_pointer = 16,
  entry_executive_not_launched = 17,
  entry_executive_not_vmxon = 18,
  vmcall_not_clear = 19,
  vmcall_invalid_exit_controls = 20,
  vmcall_incorrect_mseg_revision = 22,
  vmxoff_dual_monitor = 23,
  vmcall_invalid_smm_features = 24,
  entry_invalid_executive_controls = 25,
  entry_blocked_by_mov_ss = 26,
  invalid_operand_to_invept_invvpid = 28,
};

// clang-format off
/// By number; empty for the numbers that the SDM does not assign.
inline constexpr std::array<std::string_view, 29> kVmInstructionErrors = {
    "no error",
    "VMCALL executed in VMX root operation",
    "VMCLEAR with invalid physical address",
    "VMCLEAR with VMXON pointer",
    "VMLAUNCH with non-clear VMCS",
    "VMRESUME with non-launched VMCS",
    "VMRESUME after VMXOFF",
    "VM entry with invalid control fields",
    "VM entry with invalid host-state fields",
    "VMPTRLD with invalid physical address",
    "VMPTRLD with VMXON pointer",
    "VMPTRLD with incorrect VMCS revision identifier",
    "VMREAD or VMWRITE of an unsupported VMCS component",
    "VMWRITE to a read-only VMCS component",
    "",
    "VMXON executed in VMX root operation",
    "VM entry with invalid executive-VMCS pointer",
    "VM entry with non-launched executive VMCS",
    "VM entry with executive-VMCS pointer not VMXON pointer",
    "VMCALL with non-clear VMCS",
    "VMCALL with invalid VM-exit control fields",
    "",
    "VMCALL with incorrect MSEG revision identifier",
    "VMXOFF under dual-monitor treatment of SMIs and SMM",
    "VMCALL with invalid SMM-monitor features",
    "VM entry with invalid VM-execution control fields in executive VMCS",
    "VM entry with events blocked by MOV SS",
    "",
    "Invalid operand to INVEPT or INVVPID",
};
// clang-format on
static_assert(kVmInstructionErrors.size() ==
              static_cast<size_t>(VmInstructionError::invalid_operand_to_invept_invvpid) + 1);

}  // namespace vitrine::emu::arch
