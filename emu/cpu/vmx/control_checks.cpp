// VM-entry checks on the VM-execution, VM-exit and VM-entry control fields.
#include "emu/arch/ept.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu::vmx {

namespace {

using arch::ControlWord;
using arch::EventType;
using arch::InterruptionInfo;
using In = const EntryInputs&;

constexpr std::string_view kExecution = "Checks on VM-Execution Control Fields";
constexpr std::string_view kExit = "Checks on VM-Exit Control Fields";
constexpr std::string_view kEntry = "Checks on VM-Entry Control Fields";

bool pin_reserved(In in) {
  return arch::true_controls(ControlWord::pin).accept(in[Field::pin_controls]);
}
bool primary_reserved(In in) {
  return arch::true_controls(ControlWord::primary).accept(in[Field::primary_controls]);
}
bool secondary_reserved(In in) {
  return !primary_on(in.vmcs, primary::activate_secondary) ||
         arch::true_controls(ControlWord::secondary).accept(in[Field::secondary_controls]);
}
bool cr3_targets(In in) { return in[Field::cr3_target_count] <= arch::kCr3Targets; }
bool io_bitmaps(In in) {
  return !primary_on(in.vmcs, primary::use_io_bitmaps) ||
         (valid_address(in, in[Field::io_bitmap_a], 4096) &&
          valid_address(in, in[Field::io_bitmap_b], 4096));
}
bool msr_bitmaps(In in) {
  return !primary_on(in.vmcs, primary::use_msr_bitmaps) ||
         valid_address(in, in[Field::msr_bitmaps], 4096);
}
bool virtual_apic_address(In in) {
  return !primary_on(in.vmcs, primary::use_tpr_shadow) ||
         valid_address(in, in[Field::virtual_apic_address], 4096);
}
bool tpr_threshold_reserved(In in) {
  return !primary_on(in.vmcs, primary::use_tpr_shadow) ||
         secondary_on(in.vmcs, secondary::virtual_interrupt_delivery) ||
         (in[Field::tpr_threshold] >> 4) == 0;
}
bool tpr_threshold_low(In in) {
  if (!primary_on(in.vmcs, primary::use_tpr_shadow) ||
      secondary_on(in.vmcs,
                   secondary::virtualize_apic_accesses | secondary::virtual_interrupt_delivery)) {
    return true;
  }
  std::array<std::byte, 1> vtpr{};
  in.bus.read_block(Hpa{in[Field::virtual_apic_address] + 0x80}, vtpr);
  return (in[Field::tpr_threshold] & 0xF) <= (static_cast<uint8_t>(vtpr[0]) >> 4);
}
bool needs_tpr_shadow(In in) {
  return primary_on(in.vmcs, primary::use_tpr_shadow) ||
         !secondary_on(in.vmcs, secondary::virtualize_x2apic_mode |
                                    secondary::apic_register_virtualization |
                                    secondary::virtual_interrupt_delivery);
}
bool virtual_nmis(In in) {
  return pin_on(in.vmcs, pin::nmi_exiting) || !pin_on(in.vmcs, pin::virtual_nmis);
}
bool nmi_window(In in) {
  return pin_on(in.vmcs, pin::virtual_nmis) || !primary_on(in.vmcs, primary::nmi_window_exiting);
}
bool apic_access_address(In in) {
  return !secondary_on(in.vmcs, secondary::virtualize_apic_accesses) ||
         valid_address(in, in[Field::apic_access_address], 4096);
}
bool x2apic_excludes_accesses(In in) {
  return !secondary_on(in.vmcs, secondary::virtualize_x2apic_mode) ||
         !secondary_on(in.vmcs, secondary::virtualize_apic_accesses);
}
bool delivery_needs_exiting(In in) {
  return !secondary_on(in.vmcs, secondary::virtual_interrupt_delivery) ||
         pin_on(in.vmcs, pin::external_interrupt_exiting);
}
bool posted_interrupts(In in) {
  return !pin_on(in.vmcs, pin::process_posted_interrupts) ||
         (secondary_on(in.vmcs, secondary::virtual_interrupt_delivery) &&
          exit_on(in.vmcs, exit_control::acknowledge_interrupt) &&
          (in[Field::posted_interrupt_vector] >> 8) == 0 &&
          valid_address(in, in[Field::posted_interrupt_descriptor], 64));
}
bool vpid_nonzero(In in) {
  return !secondary_on(in.vmcs, secondary::enable_vpid) || in[Field::vpid] != 0;
}
bool eptp_valid(In in) {
  return !secondary_on(in.vmcs, secondary::enable_ept) ||
         arch::Eptp{in[Field::eptp]}.valid(in.profile.physical_bits);
}
bool pml_needs_ept(In in) {
  return !secondary_on(in.vmcs, secondary::enable_pml) ||
         secondary_on(in.vmcs, secondary::enable_ept);
}
bool pml_address(In in) {
  return !secondary_on(in.vmcs, secondary::enable_pml) ||
         valid_address(in, in[Field::pml_address], 4096);
}
bool unrestricted_needs_ept(In in) {
  return !secondary_on(in.vmcs, secondary::unrestricted_guest) ||
         secondary_on(in.vmcs, secondary::enable_ept);
}
bool mode_execute_needs_ept(In in) {
  return !secondary_on(in.vmcs, secondary::mode_based_execute) ||
         secondary_on(in.vmcs, secondary::enable_ept);
}
bool vm_functions_reserved(In in) {
  return !secondary_on(in.vmcs, secondary::enable_vm_functions) ||
         (in[Field::vm_function_controls] &
          ~uint64_t{arch::true_controls(ControlWord::vm_function).may_be_1}) == 0;
}
bool eptp_switching(In in) {
  return !secondary_on(in.vmcs, secondary::enable_vm_functions) ||
         (in[Field::vm_function_controls] & 1) == 0 ||
         (secondary_on(in.vmcs, secondary::enable_ept) &&
          valid_address(in, in[Field::eptp_list_address], 4096));
}
bool shadow_bitmaps(In in) {
  return !secondary_on(in.vmcs, secondary::vmcs_shadowing) ||
         (valid_address(in, in[Field::vmread_bitmap], 4096) &&
          valid_address(in, in[Field::vmwrite_bitmap], 4096));
}
bool ve_information(In in) {
  return !secondary_on(in.vmcs, secondary::ept_violation_ve) ||
         valid_address(in, in[Field::virtualization_exception_address], 4096);
}
bool tsc_multiplier(In in) {
  return !secondary_on(in.vmcs, secondary::use_tsc_scaling) || in[Field::tsc_multiplier] != 0;
}

bool exit_reserved(In in) {
  return arch::true_controls(ControlWord::exit).accept(in[Field::exit_controls]);
}
bool timer_save(In in) {
  return pin_on(in.vmcs, pin::preemption_timer) ||
         !exit_on(in.vmcs, exit_control::save_preemption_timer);
}
/// An MSR area: 16-byte aligned, first and last byte within the physical-address width.
bool msr_area(In in, Field address, Field count) {
  if (in[count] == 0) return true;
  return valid_address(in, in[address], 16) && fits_physical(in, in[address] + in[count] * 16 - 1);
}
bool exit_store_area(In in) {
  return msr_area(in, Field::exit_msr_store_address, Field::exit_msr_store_count);
}
bool exit_load_area(In in) {
  return msr_area(in, Field::exit_msr_load_address, Field::exit_msr_load_count);
}

InterruptionInfo injected(In in) {
  return {static_cast<uint32_t>(in[Field::entry_interruption_information])};
}
bool is_software(EventType type) {
  return type == EventType::software_interrupt || type == EventType::software_exception ||
         type == EventType::privileged_software_exception;
}
bool entry_reserved(In in) {
  return arch::true_controls(ControlWord::entry).accept(in[Field::entry_controls]);
}
bool injection_type(In in) {
  return !injected(in).valid() || injected(in).type() != EventType::reserved;
}
bool injection_vector(In in) {
  const InterruptionInfo info = injected(in);
  if (!info.valid()) return true;
  switch (info.type()) {
    case EventType::nmi: return info.vector() == 2;
    case EventType::hardware_exception: return info.vector() <= 31;
    case EventType::other: return info.vector() == 0;
    default: return true;
  }
}
bool injection_error_code(In in) {
  const InterruptionInfo info = injected(in);
  if (!info.valid()) return true;
  const bool real_mode = secondary_on(in.vmcs, secondary::unrestricted_guest) &&
                         (in[Field::guest_cr0] & arch::cr0::pe) == 0;
  constexpr uint32_t kPushing =
      1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17;
  const bool pushes = info.type() == EventType::hardware_exception && info.vector() < 32 &&
                      (kPushing >> info.vector() & 1) != 0;
  return info.error_code_valid() == (pushes && !real_mode);
}
bool injection_reserved(In in) {
  return !injected(in).valid() || arch::bits(injected(in).value, 30, 12) == 0;
}
bool injected_error_width(In in) {
  return !injected(in).valid() || !injected(in).error_code_valid() ||
         (in[Field::entry_exception_error_code] >> 16) == 0;
}
bool injected_length(In in) {
  return !injected(in).valid() || !is_software(injected(in).type()) ||
         in[Field::entry_instruction_length] <= 15;
}
bool entry_load_area(In in) {
  return msr_area(in, Field::entry_msr_load_address, Field::entry_msr_load_count);
}

constexpr auto kControlFields = [](auto... more) {
  return reads(Field::primary_controls, Field::secondary_controls, more...);
};

// clang-format off
constexpr auto kC = CheckKind::control;
constexpr auto kChecks = std::to_array<EntryCheck>({
    {kC, kExecution, "Reserved bits of the pin-based controls are set properly", pin_reserved, reads(Field::pin_controls)},
    {kC, kExecution, "Reserved bits of the primary processor-based controls are set properly", primary_reserved, reads(Field::primary_controls)},
    {kC, kExecution, "Reserved bits of the secondary processor-based controls are cleared", secondary_reserved, kControlFields()},
    {kC, kExecution, "The CR3-target count is at most 4", cr3_targets, reads(Field::cr3_target_count)},
    {kC, kExecution, "I/O-bitmap addresses are aligned and in the physical-address width", io_bitmaps, reads(Field::primary_controls, Field::io_bitmap_a, Field::io_bitmap_b)},
    {kC, kExecution, "The MSR-bitmap address is aligned and in the physical-address width", msr_bitmaps, reads(Field::primary_controls, Field::msr_bitmaps)},
    {kC, kExecution, "The virtual-APIC address is aligned and in the physical-address width", virtual_apic_address, reads(Field::primary_controls, Field::virtual_apic_address)},
    {kC, kExecution, "Bits 31:4 of the TPR threshold are 0", tpr_threshold_reserved, kControlFields(Field::tpr_threshold)},
    {kC, kExecution, "Bits 3:0 of the TPR threshold are at most bits 7:4 of VTPR", tpr_threshold_low, kControlFields(Field::tpr_threshold, Field::virtual_apic_address), {}, true},
    {kC, kExecution, "Without TPR shadow: no x2APIC virtualization, APIC-register virtualization or virtual-interrupt delivery", needs_tpr_shadow, kControlFields()},
    {kC, kExecution, "Virtual NMIs need NMI exiting", virtual_nmis, reads(Field::pin_controls)},
    {kC, kExecution, "NMI-window exiting needs virtual NMIs", nmi_window, reads(Field::pin_controls, Field::primary_controls)},
    {kC, kExecution, "The APIC-access address is aligned and in the physical-address width", apic_access_address, kControlFields(Field::apic_access_address)},
    {kC, kExecution, "Virtualize x2APIC mode excludes virtualize APIC accesses", x2apic_excludes_accesses, kControlFields()},
    {kC, kExecution, "Virtual-interrupt delivery needs external-interrupt exiting", delivery_needs_exiting, kControlFields(Field::pin_controls)},
    {kC, kExecution, "Posted interrupts need virtual-interrupt delivery, acknowledge on exit, a vector below 256 and a valid descriptor address", posted_interrupts, kControlFields(Field::pin_controls, Field::exit_controls, Field::posted_interrupt_vector, Field::posted_interrupt_descriptor)},
    {kC, kExecution, "The VPID is not 0000H", vpid_nonzero, kControlFields(Field::vpid)},
    {kC, kExecution, "The EPTP has a supported memory type and walk length and no reserved bits", eptp_valid, kControlFields(Field::eptp)},
    {kC, kExecution, "Page-modification logging needs EPT", pml_needs_ept, kControlFields()},
    {kC, kExecution, "The PML address is aligned and in the physical-address width", pml_address, kControlFields(Field::pml_address)},
    {kC, kExecution, "Unrestricted guest needs EPT", unrestricted_needs_ept, kControlFields()},
    {kC, kExecution, "Mode-based execute control for EPT needs EPT", mode_execute_needs_ept, kControlFields()},
    {kC, kExecution, "Reserved bits of the VM-function controls are clear", vm_functions_reserved, kControlFields(Field::vm_function_controls)},
    {kC, kExecution, "EPTP switching needs EPT and an aligned EPTP-list address", eptp_switching, kControlFields(Field::vm_function_controls, Field::eptp_list_address)},
    {kC, kExecution, "VMREAD- and VMWRITE-bitmap addresses are aligned and in the physical-address width", shadow_bitmaps, kControlFields(Field::vmread_bitmap, Field::vmwrite_bitmap)},
    {kC, kExecution, "The virtualization-exception information address is aligned and in the physical-address width", ve_information, kControlFields(Field::virtualization_exception_address)},
    {kC, kExecution, "The TSC multiplier is not 0", tsc_multiplier, kControlFields(Field::tsc_multiplier)},

    {kC, kExit, "Reserved bits of the VM-exit controls are set properly", exit_reserved, reads(Field::exit_controls)},
    {kC, kExit, "Saving the VMX-preemption timer needs the timer active", timer_save, reads(Field::pin_controls, Field::exit_controls)},
    {kC, kExit, "The VM-exit MSR-store area is aligned and in the physical-address width", exit_store_area, reads(Field::exit_msr_store_address, Field::exit_msr_store_count)},
    {kC, kExit, "The VM-exit MSR-load area is aligned and in the physical-address width", exit_load_area, reads(Field::exit_msr_load_address, Field::exit_msr_load_count)},

    {kC, kEntry, "Reserved bits of the VM-entry controls are set properly", entry_reserved, reads(Field::entry_controls)},
    {kC, kEntry, "The interruption type is not reserved", injection_type, reads(Field::entry_interruption_information)},
    {kC, kEntry, "The vector is consistent with the interruption type", injection_vector, reads(Field::entry_interruption_information)},
    {kC, kEntry, "Deliver-error-code is 1 exactly for exceptions that push one, in protected mode", injection_error_code, kControlFields(Field::entry_interruption_information, Field::guest_cr0)},
    {kC, kEntry, "Reserved bits 30:12 of the interruption information are 0", injection_reserved, reads(Field::entry_interruption_information)},
    {kC, kEntry, "Bits 31:16 of the exception error code are 0", injected_error_width, reads(Field::entry_interruption_information, Field::entry_exception_error_code)},
    {kC, kEntry, "The instruction length of a software event is at most 15", injected_length, reads(Field::entry_interruption_information, Field::entry_instruction_length)},
    {kC, kEntry, "The VM-entry MSR-load area is aligned and in the physical-address width", entry_load_area, reads(Field::entry_msr_load_address, Field::entry_msr_load_count)},
});
// clang-format on

}  // namespace

std::span<const EntryCheck> control_checks() { return kChecks; }

}  // namespace vitrine::emu::vmx
