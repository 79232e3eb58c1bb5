// Every VMCS field: encoding, name and the control without which it does not exist.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/arch/bits.h"
#include "emu/arch/require.h"

namespace vitrine::emu::arch {

// clang-format off
/// SDM "Field Encoding in VMCS": the value is the encoding that VMREAD and VMWRITE take.
enum class Field : uint16_t {
  // 16-bit control fields
  vpid                             = 0x0000,
  posted_interrupt_vector          = 0x0002,
  eptp_index                       = 0x0004,
  // 16-bit guest-state fields
  guest_es_selector                = 0x0800,
  guest_cs_selector                = 0x0802,
  guest_ss_selector                = 0x0804,
  guest_ds_selector                = 0x0806,
  guest_fs_selector                = 0x0808,
  guest_gs_selector                = 0x080A,
  guest_ldtr_selector              = 0x080C,
  guest_tr_selector                = 0x080E,
  guest_interrupt_status           = 0x0810,
  pml_index                        = 0x0812,
  // 16-bit host-state fields
  host_es_selector                 = 0x0C00,
  host_cs_selector                 = 0x0C02,
  host_ss_selector                 = 0x0C04,
  host_ds_selector                 = 0x0C06,
  host_fs_selector                 = 0x0C08,
  host_gs_selector                 = 0x0C0A,
  host_tr_selector                 = 0x0C0C,
  // 64-bit control fields
  io_bitmap_a                      = 0x2000,
  io_bitmap_b                      = 0x2002,
  msr_bitmaps                      = 0x2004,
  exit_msr_store_address           = 0x2006,
  exit_msr_load_address            = 0x2008,
  entry_msr_load_address           = 0x200A,
  executive_vmcs_pointer           = 0x200C,
  pml_address                      = 0x200E,
  tsc_offset                       = 0x2010,
  virtual_apic_address             = 0x2012,
  apic_access_address              = 0x2014,
  posted_interrupt_descriptor      = 0x2016,
  vm_function_controls             = 0x2018,
  eptp                             = 0x201A,
  eoi_exit_bitmap_0                = 0x201C,
  eoi_exit_bitmap_1                = 0x201E,
  eoi_exit_bitmap_2                = 0x2020,
  eoi_exit_bitmap_3                = 0x2022,
  eptp_list_address                = 0x2024,
  vmread_bitmap                    = 0x2026,
  vmwrite_bitmap                   = 0x2028,
  virtualization_exception_address = 0x202A,
  xss_exiting_bitmap               = 0x202C,
  tsc_multiplier                   = 0x2032,
  // 64-bit read-only data field
  guest_physical_address           = 0x2400,
  // 64-bit guest-state fields
  vmcs_link_pointer                = 0x2800,
  guest_debugctl                   = 0x2802,
  guest_pat                        = 0x2804,
  guest_efer                       = 0x2806,
  guest_pdpte0                     = 0x280A,
  guest_pdpte1                     = 0x280C,
  guest_pdpte2                     = 0x280E,
  guest_pdpte3                     = 0x2810,
  // 64-bit host-state fields
  host_pat                         = 0x2C00,
  host_efer                        = 0x2C02,
  // 32-bit control fields
  pin_controls                     = 0x4000,
  primary_controls                 = 0x4002,
  exception_bitmap                 = 0x4004,
  page_fault_mask                  = 0x4006,
  page_fault_match                 = 0x4008,
  cr3_target_count                 = 0x400A,
  exit_controls                    = 0x400C,
  exit_msr_store_count             = 0x400E,
  exit_msr_load_count              = 0x4010,
  entry_controls                   = 0x4012,
  entry_msr_load_count             = 0x4014,
  entry_interruption_information   = 0x4016,
  entry_exception_error_code       = 0x4018,
  entry_instruction_length         = 0x401A,
  tpr_threshold                    = 0x401C,
  secondary_controls               = 0x401E,
  ple_gap                          = 0x4020,
  ple_window                       = 0x4022,
  // 32-bit read-only data fields
  vm_instruction_error             = 0x4400,
  exit_reason                      = 0x4402,
  exit_interruption_information    = 0x4404,
  exit_interruption_error_code     = 0x4406,
  idt_vectoring_information        = 0x4408,
  idt_vectoring_error_code         = 0x440A,
  exit_instruction_length          = 0x440C,
  exit_instruction_information     = 0x440E,
  // 32-bit guest-state fields
  guest_es_limit                   = 0x4800,
  guest_cs_limit                   = 0x4802,
  guest_ss_limit                   = 0x4804,
  guest_ds_limit                   = 0x4806,
  guest_fs_limit                   = 0x4808,
  guest_gs_limit                   = 0x480A,
  guest_ldtr_limit                 = 0x480C,
  guest_tr_limit                   = 0x480E,
  guest_gdtr_limit                 = 0x4810,
  guest_idtr_limit                 = 0x4812,
  guest_es_rights                  = 0x4814,
  guest_cs_rights                  = 0x4816,
  guest_ss_rights                  = 0x4818,
  guest_ds_rights                  = 0x481A,
  guest_fs_rights                  = 0x481C,
  guest_gs_rights                  = 0x481E,
  guest_ldtr_rights                = 0x4820,
  guest_tr_rights                  = 0x4822,
  guest_interruptibility           = 0x4824,
  guest_activity                   = 0x4826,
  guest_smbase                     = 0x4828,
  guest_sysenter_cs                = 0x482A,
  preemption_timer_value           = 0x482E,
  // 32-bit host-state field
  host_sysenter_cs                 = 0x4C00,
  // Natural-width control fields
  cr0_mask                         = 0x6000,
  cr4_mask                         = 0x6002,
  cr0_shadow                       = 0x6004,
  cr4_shadow                       = 0x6006,
  cr3_target_0                     = 0x6008,
  cr3_target_1                     = 0x600A,
  cr3_target_2                     = 0x600C,
  cr3_target_3                     = 0x600E,
  // Natural-width read-only data fields
  exit_qualification               = 0x6400,
  io_rcx                           = 0x6402,
  io_rsi                           = 0x6404,
  io_rdi                           = 0x6406,
  io_rip                           = 0x6408,
  guest_linear_address             = 0x640A,
  // Natural-width guest-state fields
  guest_cr0                        = 0x6800,
  guest_cr3                        = 0x6802,
  guest_cr4                        = 0x6804,
  guest_es_base                    = 0x6806,
  guest_cs_base                    = 0x6808,
  guest_ss_base                    = 0x680A,
  guest_ds_base                    = 0x680C,
  guest_fs_base                    = 0x680E,
  guest_gs_base                    = 0x6810,
  guest_ldtr_base                  = 0x6812,
  guest_tr_base                    = 0x6814,
  guest_gdtr_base                  = 0x6816,
  guest_idtr_base                  = 0x6818,
  guest_dr7                        = 0x681A,
  guest_rsp                        = 0x681C,
  guest_rip                        = 0x681E,
  guest_rflags                     = 0x6820,
  guest_pending_debug              = 0x6822,
  guest_sysenter_esp               = 0x6824,
  guest_sysenter_eip               = 0x6826,
  // Natural-width host-state fields
  host_cr0                         = 0x6C00,
  host_cr3                         = 0x6C02,
  host_cr4                         = 0x6C04,
  host_fs_base                     = 0x6C06,
  host_gs_base                     = 0x6C08,
  host_tr_base                     = 0x6C0A,
  host_gdtr_base                   = 0x6C0C,
  host_idtr_base                   = 0x6C0E,
  host_sysenter_esp                = 0x6C10,
  host_sysenter_eip                = 0x6C12,
  host_rsp                         = 0x6C14,
  host_rip                         = 0x6C16,
};
// clang-format on

/// The control whose 1-setting a field needs to exist; `none` for fields that always do.
enum class Need : uint8_t {
  none,
  posted,
  preemption_timer,
  use_tpr_shadow,
  virtualize_apic_accesses,
  enable_ept,
  enable_vpid,
  virtual_interrupt_delivery,
  pause_loop_exiting,
  enable_vm_functions,
  eptp_switching,
  vmcs_shadowing,
  enable_pml,
  ept_violation_ve,
  enable_xsaves,
  use_tsc_scaling,
};

/// SDM "Structure of VMCS Component Encoding": access type 0, index 9:1, type 11:10, width 14:13.
struct FieldEncoding {
  enum class Type : uint8_t { control, read_only, guest, host };
  enum class Width : uint8_t { w16, w64, w32, natural };

  uint32_t value = 0;

  constexpr FieldEncoding() = default;
  constexpr explicit FieldEncoding(uint32_t v) : value(v) {}
  constexpr explicit FieldEncoding(Field f) : value(static_cast<uint32_t>(f)) {}

  /// The upper half of a 64-bit field.
  constexpr bool high() const { return (value & 1) != 0; }
  constexpr unsigned index() const { return static_cast<unsigned>(bits(value, 9, 1)); }
  constexpr Type type() const { return static_cast<Type>(bits(value, 11, 10)); }
  constexpr Width width() const { return static_cast<Width>(bits(value, 14, 13)); }
  /// In bytes; natural width is 8 here.
  constexpr unsigned size() const {
    constexpr std::array<uint8_t, 4> kSizes = {2, 8, 4, 8};
    return kSizes[static_cast<size_t>(width())];
  }
  /// The bits that the field holds.
  constexpr uint64_t mask() const { return size() == 8 ? ~uint64_t{0} : bit(8 * size()) - 1; }
};

struct FieldRow {
  Field field;
  std::string_view name;
  Need need = Need::none;
};

// clang-format off
inline constexpr auto kFields = std::to_array<FieldRow>({
    // 16-bit control fields
    {Field::vpid,                             "Virtual-processor identifier (VPID)",               Need::enable_vpid},
    {Field::posted_interrupt_vector,          "Posted-interrupt notification vector",              Need::posted},
    {Field::eptp_index,                       "EPTP index",                                        Need::ept_violation_ve},
    // 16-bit guest-state fields
    {Field::guest_es_selector,                "Guest ES selector",                                 Need::none},
    {Field::guest_cs_selector,                "Guest CS selector",                                 Need::none},
    {Field::guest_ss_selector,                "Guest SS selector",                                 Need::none},
    {Field::guest_ds_selector,                "Guest DS selector",                                 Need::none},
    {Field::guest_fs_selector,                "Guest FS selector",                                 Need::none},
    {Field::guest_gs_selector,                "Guest GS selector",                                 Need::none},
    {Field::guest_ldtr_selector,              "Guest LDTR selector",                               Need::none},
    {Field::guest_tr_selector,                "Guest TR selector",                                 Need::none},
    {Field::guest_interrupt_status,           "Guest interrupt status",                            Need::virtual_interrupt_delivery},
    {Field::pml_index,                        "PML index",                                         Need::enable_pml},
    // 16-bit host-state fields
    {Field::host_es_selector,                 "Host ES selector",                                  Need::none},
    {Field::host_cs_selector,                 "Host CS selector",                                  Need::none},
    {Field::host_ss_selector,                 "Host SS selector",                                  Need::none},
    {Field::host_ds_selector,                 "Host DS selector",                                  Need::none},
    {Field::host_fs_selector,                 "Host FS selector",                                  Need::none},
    {Field::host_gs_selector,                 "Host GS selector",                                  Need::none},
    {Field::host_tr_selector,                 "Host TR selector",                                  Need::none},
    // 64-bit control fields
    {Field::io_bitmap_a,                      "Address of I/O bitmap A",                           Need::none},
    {Field::io_bitmap_b,                      "Address of I/O bitmap B",                           Need::none},
    {Field::msr_bitmaps,                      "Address of MSR bitmaps",                            Need::none},
    {Field::exit_msr_store_address,           "VM-exit MSR-store address",                         Need::none},
    {Field::exit_msr_load_address,            "VM-exit MSR-load address",                          Need::none},
    {Field::entry_msr_load_address,           "VM-entry MSR-load address",                         Need::none},
    {Field::executive_vmcs_pointer,           "Executive-VMCS pointer",                            Need::none},
    {Field::pml_address,                      "PML address",                                       Need::enable_pml},
    {Field::tsc_offset,                       "TSC offset",                                        Need::none},
    {Field::virtual_apic_address,             "Virtual-APIC address",                              Need::use_tpr_shadow},
    {Field::apic_access_address,              "APIC-access address",                               Need::virtualize_apic_accesses},
    {Field::posted_interrupt_descriptor,      "Posted-interrupt descriptor address",               Need::posted},
    {Field::vm_function_controls,             "VM-function controls",                              Need::enable_vm_functions},
    {Field::eptp,                             "EPT pointer (EPTP)",                                Need::enable_ept},
    {Field::eoi_exit_bitmap_0,                "EOI-exit bitmap 0",                                 Need::virtual_interrupt_delivery},
    {Field::eoi_exit_bitmap_1,                "EOI-exit bitmap 1",                                 Need::virtual_interrupt_delivery},
    {Field::eoi_exit_bitmap_2,                "EOI-exit bitmap 2",                                 Need::virtual_interrupt_delivery},
    {Field::eoi_exit_bitmap_3,                "EOI-exit bitmap 3",                                 Need::virtual_interrupt_delivery},
    {Field::eptp_list_address,                "EPTP-list address",                                 Need::eptp_switching},
    {Field::vmread_bitmap,                    "VMREAD-bitmap address",                             Need::vmcs_shadowing},
    {Field::vmwrite_bitmap,                   "VMWRITE-bitmap address",                            Need::vmcs_shadowing},
    {Field::virtualization_exception_address, "Virtualization-exception information address",      Need::ept_violation_ve},
    {Field::xss_exiting_bitmap,               "XSS-exiting bitmap",                                Need::enable_xsaves},
    {Field::tsc_multiplier,                   "TSC multiplier",                                    Need::use_tsc_scaling},
    // 64-bit read-only data field
    {Field::guest_physical_address,           "Guest-physical address",                            Need::enable_ept},
    // 64-bit guest-state fields
    {Field::vmcs_link_pointer,                "VMCS link pointer",                                 Need::none},
    {Field::guest_debugctl,                   "Guest IA32_DEBUGCTL",                               Need::none},
    {Field::guest_pat,                        "Guest IA32_PAT",                                    Need::none},
    {Field::guest_efer,                       "Guest IA32_EFER",                                   Need::none},
    {Field::guest_pdpte0,                     "Guest PDPTE0",                                      Need::enable_ept},
    {Field::guest_pdpte1,                     "Guest PDPTE1",                                      Need::enable_ept},
    {Field::guest_pdpte2,                     "Guest PDPTE2",                                      Need::enable_ept},
    {Field::guest_pdpte3,                     "Guest PDPTE3",                                      Need::enable_ept},
    // 64-bit host-state fields
    {Field::host_pat,                         "Host IA32_PAT",                                     Need::none},
    {Field::host_efer,                        "Host IA32_EFER",                                    Need::none},
    // 32-bit control fields
    {Field::pin_controls,                     "Pin-based VM-execution controls",                   Need::none},
    {Field::primary_controls,                 "Primary processor-based VM-execution controls",     Need::none},
    {Field::exception_bitmap,                 "Exception bitmap",                                  Need::none},
    {Field::page_fault_mask,                  "Page-fault error-code mask",                        Need::none},
    {Field::page_fault_match,                 "Page-fault error-code match",                       Need::none},
    {Field::cr3_target_count,                 "CR3-target count",                                  Need::none},
    {Field::exit_controls,                    "VM-exit controls",                                  Need::none},
    {Field::exit_msr_store_count,             "VM-exit MSR-store count",                           Need::none},
    {Field::exit_msr_load_count,              "VM-exit MSR-load count",                            Need::none},
    {Field::entry_controls,                   "VM-entry controls",                                 Need::none},
    {Field::entry_msr_load_count,             "VM-entry MSR-load count",                           Need::none},
    {Field::entry_interruption_information,   "VM-entry interruption-information field",           Need::none},
    {Field::entry_exception_error_code,       "VM-entry exception error code",                     Need::none},
    {Field::entry_instruction_length,         "VM-entry instruction length",                       Need::none},
    {Field::tpr_threshold,                    "TPR threshold",                                     Need::use_tpr_shadow},
    {Field::secondary_controls,               "Secondary processor-based VM-execution controls",   Need::none},
    {Field::ple_gap,                          "PLE_Gap",                                           Need::pause_loop_exiting},
    {Field::ple_window,                       "PLE_Window",                                        Need::pause_loop_exiting},
    // 32-bit read-only data fields
    {Field::vm_instruction_error,             "VM-instruction error",                              Need::none},
    {Field::exit_reason,                      "Exit reason",                                       Need::none},
    {Field::exit_interruption_information,    "VM-exit interruption information",                  Need::none},
    {Field::exit_interruption_error_code,     "VM-exit interruption error code",                   Need::none},
    {Field::idt_vectoring_information,        "IDT-vectoring information field",                   Need::none},
    {Field::idt_vectoring_error_code,         "IDT-vectoring error code",                          Need::none},
    {Field::exit_instruction_length,          "VM-exit instruction length",                        Need::none},
    {Field::exit_instruction_information,     "VM-exit instruction information",                   Need::none},
    // 32-bit guest-state fields
    {Field::guest_es_limit,                   "Guest ES limit",                                    Need::none},
    {Field::guest_cs_limit,                   "Guest CS limit",                                    Need::none},
    {Field::guest_ss_limit,                   "Guest SS limit",                                    Need::none},
    {Field::guest_ds_limit,                   "Guest DS limit",                                    Need::none},
    {Field::guest_fs_limit,                   "Guest FS limit",                                    Need::none},
    {Field::guest_gs_limit,                   "Guest GS limit",                                    Need::none},
    {Field::guest_ldtr_limit,                 "Guest LDTR limit",                                  Need::none},
    {Field::guest_tr_limit,                   "Guest TR limit",                                    Need::none},
    {Field::guest_gdtr_limit,                 "Guest GDTR limit",                                  Need::none},
    {Field::guest_idtr_limit,                 "Guest IDTR limit",                                  Need::none},
    {Field::guest_es_rights,                  "Guest ES access rights",                            Need::none},
    {Field::guest_cs_rights,                  "Guest CS access rights",                            Need::none},
    {Field::guest_ss_rights,                  "Guest SS access rights",                            Need::none},
    {Field::guest_ds_rights,                  "Guest DS access rights",                            Need::none},
    {Field::guest_fs_rights,                  "Guest FS access rights",                            Need::none},
    {Field::guest_gs_rights,                  "Guest GS access rights",                            Need::none},
    {Field::guest_ldtr_rights,                "Guest LDTR access rights",                          Need::none},
    {Field::guest_tr_rights,                  "Guest TR access rights",                            Need::none},
    {Field::guest_interruptibility,           "Guest interruptibility state",                      Need::none},
    {Field::guest_activity,                   "Guest activity state",                              Need::none},
    {Field::guest_smbase,                     "Guest SMBASE",                                      Need::none},
    {Field::guest_sysenter_cs,                "Guest IA32_SYSENTER_CS",                            Need::none},
    {Field::preemption_timer_value,           "VMX-preemption timer value",                        Need::preemption_timer},
    // 32-bit host-state field
    {Field::host_sysenter_cs,                 "Host IA32_SYSENTER_CS",                             Need::none},
    // Natural-width control fields
    {Field::cr0_mask,                         "CR0 guest/host mask",                               Need::none},
    {Field::cr4_mask,                         "CR4 guest/host mask",                               Need::none},
    {Field::cr0_shadow,                       "CR0 read shadow",                                   Need::none},
    {Field::cr4_shadow,                       "CR4 read shadow",                                   Need::none},
    {Field::cr3_target_0,                     "CR3-target value 0",                                Need::none},
    {Field::cr3_target_1,                     "CR3-target value 1",                                Need::none},
    {Field::cr3_target_2,                     "CR3-target value 2",                                Need::none},
    {Field::cr3_target_3,                     "CR3-target value 3",                                Need::none},
    // Natural-width read-only data fields
    {Field::exit_qualification,               "Exit qualification",                                Need::none},
    {Field::io_rcx,                           "I/O RCX",                                           Need::none},
    {Field::io_rsi,                           "I/O RSI",                                           Need::none},
    {Field::io_rdi,                           "I/O RDI",                                           Need::none},
    {Field::io_rip,                           "I/O RIP",                                           Need::none},
    {Field::guest_linear_address,             "Guest-linear address",                              Need::none},
    // Natural-width guest-state fields
    {Field::guest_cr0,                        "Guest CR0",                                         Need::none},
    {Field::guest_cr3,                        "Guest CR3",                                         Need::none},
    {Field::guest_cr4,                        "Guest CR4",                                         Need::none},
    {Field::guest_es_base,                    "Guest ES base",                                     Need::none},
    {Field::guest_cs_base,                    "Guest CS base",                                     Need::none},
    {Field::guest_ss_base,                    "Guest SS base",                                     Need::none},
    {Field::guest_ds_base,                    "Guest DS base",                                     Need::none},
    {Field::guest_fs_base,                    "Guest FS base",                                     Need::none},
    {Field::guest_gs_base,                    "Guest GS base",                                     Need::none},
    {Field::guest_ldtr_base,                  "Guest LDTR base",                                   Need::none},
    {Field::guest_tr_base,                    "Guest TR base",                                     Need::none},
    {Field::guest_gdtr_base,                  "Guest GDTR base",                                   Need::none},
    {Field::guest_idtr_base,                  "Guest IDTR base",                                   Need::none},
    {Field::guest_dr7,                        "Guest DR7",                                         Need::none},
    {Field::guest_rsp,                        "Guest RSP",                                         Need::none},
    {Field::guest_rip,                        "Guest RIP",                                         Need::none},
    {Field::guest_rflags,                     "Guest RFLAGS",                                      Need::none},
    {Field::guest_pending_debug,              "Guest pending debug exceptions",                    Need::none},
    {Field::guest_sysenter_esp,               "Guest IA32_SYSENTER_ESP",                           Need::none},
    {Field::guest_sysenter_eip,               "Guest IA32_SYSENTER_EIP",                           Need::none},
    // Natural-width host-state fields
    {Field::host_cr0,                         "Host CR0",                                          Need::none},
    {Field::host_cr3,                         "Host CR3",                                          Need::none},
    {Field::host_cr4,                         "Host CR4",                                          Need::none},
    {Field::host_fs_base,                     "Host FS base",                                      Need::none},
    {Field::host_gs_base,                     "Host GS base",                                      Need::none},
    {Field::host_tr_base,                     "Host TR base",                                      Need::none},
    {Field::host_gdtr_base,                   "Host GDTR base",                                    Need::none},
    {Field::host_idtr_base,                   "Host IDTR base",                                    Need::none},
    {Field::host_sysenter_esp,                "Host IA32_SYSENTER_ESP",                            Need::none},
    {Field::host_sysenter_eip,                "Host IA32_SYSENTER_EIP",                            Need::none},
    {Field::host_rsp,                         "Host RSP",                                          Need::none},
    {Field::host_rip,                         "Host RIP",                                          Need::none},
});
// clang-format on
inline constexpr size_t kFieldCount = kFields.size();

constexpr bool fields_ascend() {
  for (size_t i = 1; i < kFieldCount; ++i) {
    if (kFields[i].field <= kFields[i - 1].field) return false;
  }
  return true;
}
static_assert(fields_ascend());

inline constexpr uint8_t kNoSlot = 0xFF;
static_assert(kFieldCount < kNoSlot);

/// Row number by (width, type, index); indexes above 31 are not in use.
constexpr auto make_field_slots() {
  std::array<uint8_t, 4 * 4 * 32> slots{};
  slots.fill(kNoSlot);
  for (size_t i = 0; i < kFieldCount; ++i) {
    const FieldEncoding e{kFields[i].field};
    slots[(static_cast<size_t>(e.width()) * 4 + static_cast<size_t>(e.type())) * 32 + e.index()] =
        static_cast<uint8_t>(i);
  }
  return slots;
}
inline constexpr auto kFieldSlots = make_field_slots();

/// The row of a field, or of the field whose upper half `encoding` names; kNoSlot if there is none.
constexpr uint8_t field_slot(uint64_t encoding) {
  if ((encoding & ~uint64_t{0x6FFF}) != 0) return kNoSlot;
  const FieldEncoding e{static_cast<uint32_t>(encoding)};
  if (e.index() >= 32 || (e.high() && e.width() != FieldEncoding::Width::w64)) return kNoSlot;
  return kFieldSlots[(static_cast<size_t>(e.width()) * 4 + static_cast<size_t>(e.type())) * 32 +
                     e.index()];
}
constexpr uint8_t field_slot(Field f) {
  const uint8_t slot = field_slot(static_cast<uint64_t>(f));
  require(slot < kFieldCount, "every Field has a row");
  return slot;
}

/// A field of a segment register; the fields of the eight lie 2 apart in the order of `Segment`.
constexpr Field segment_field(Field of_es, unsigned segment) {
  return static_cast<Field>(static_cast<unsigned>(of_es) + 2 * segment);
}

constexpr uint64_t highest_field_index() {
  uint64_t highest = 0;
  for (const FieldRow& row : kFields) {
    const uint64_t index = FieldEncoding{row.field}.index();
    if (index > highest) highest = index;
  }
  return highest;
}
/// SDM "VMCS Enumeration": the highest index in bits 9:1.
inline constexpr uint64_t kVmxVmcsEnum = highest_field_index() << 1;

/// Where a field lies in the VMCS region: after revision, abort indicator and launch state.
inline constexpr uint64_t kVmcsAbortOffset = 4;
inline constexpr uint64_t kVmcsLaunchStateOffset = 8;
inline constexpr uint64_t kVmcsDataOffset = 16;
constexpr uint64_t field_offset(size_t slot) { return kVmcsDataOffset + 8 * slot; }
static_assert(field_offset(kFieldCount) <= 4096);

}  // namespace vitrine::emu::arch
