// The VM-execution, exit and entry controls, bit by bit; the VMX capability MSRs are computed from
// them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/arch/bits.h"
#include "emu/arch/registers.h"
#include "emu/arch/vmcs_fields.h"

namespace vitrine::emu::arch {

/// SDM "VM-Execution Control Fields", "VM-Exit Controls", "VM-Entry Controls", "VM-Function
/// Controls".
enum class ControlWord : uint8_t { pin, primary, secondary, exit, entry, vm_function };
inline constexpr size_t kControlWords = 6;

/// What this processor lets software do with a control.
enum class Setting : uint8_t {
  absent,    ///< must be 0
  allowed,   ///< 0 or 1
  default1,  ///< 0 or 1 by the TRUE capability MSR, must be 1 by the older one
};

struct ControlRow {
  ControlWord word;
  uint8_t position;
  std::string_view name;
  Setting setting;
};

/// The masks of single controls, for code that tests them.
namespace pin {
inline constexpr uint32_t external_interrupt_exiting = 1u << 0;
inline constexpr uint32_t nmi_exiting = 1u << 3;
inline constexpr uint32_t virtual_nmis = 1u << 5;
inline constexpr uint32_t preemption_timer = 1u << 6;
inline constexpr uint32_t process_posted_interrupts = 1u << 7;
}  // namespace pin

namespace primary {
inline constexpr uint32_t interrupt_window_exiting = 1u << 2;
inline constexpr uint32_t use_tsc_offsetting = 1u << 3;
inline constexpr uint32_t hlt_exiting = 1u << 7;
inline constexpr uint32_t invlpg_exiting = 1u << 9;
inline constexpr uint32_t mwait_exiting = 1u << 10;
inline constexpr uint32_t rdpmc_exiting = 1u << 11;
inline constexpr uint32_t rdtsc_exiting = 1u << 12;
inline constexpr uint32_t cr3_load_exiting = 1u << 15;
inline constexpr uint32_t cr3_store_exiting = 1u << 16;
inline constexpr uint32_t cr8_load_exiting = 1u << 19;
inline constexpr uint32_t cr8_store_exiting = 1u << 20;
inline constexpr uint32_t use_tpr_shadow = 1u << 21;
inline constexpr uint32_t nmi_window_exiting = 1u << 22;
inline constexpr uint32_t mov_dr_exiting = 1u << 23;
inline constexpr uint32_t unconditional_io_exiting = 1u << 24;
inline constexpr uint32_t use_io_bitmaps = 1u << 25;
inline constexpr uint32_t monitor_trap_flag = 1u << 27;
inline constexpr uint32_t use_msr_bitmaps = 1u << 28;
inline constexpr uint32_t monitor_exiting = 1u << 29;
inline constexpr uint32_t pause_exiting = 1u << 30;
inline constexpr uint32_t activate_secondary = 1u << 31;
}  // namespace primary

namespace secondary {
inline constexpr uint32_t virtualize_apic_accesses = 1u << 0;
inline constexpr uint32_t enable_ept = 1u << 1;
inline constexpr uint32_t descriptor_table_exiting = 1u << 2;
inline constexpr uint32_t enable_rdtscp = 1u << 3;
inline constexpr uint32_t virtualize_x2apic_mode = 1u << 4;
inline constexpr uint32_t enable_vpid = 1u << 5;
inline constexpr uint32_t wbinvd_exiting = 1u << 6;
inline constexpr uint32_t unrestricted_guest = 1u << 7;
inline constexpr uint32_t apic_register_virtualization = 1u << 8;
inline constexpr uint32_t virtual_interrupt_delivery = 1u << 9;
inline constexpr uint32_t pause_loop_exiting = 1u << 10;
inline constexpr uint32_t rdrand_exiting = 1u << 11;
inline constexpr uint32_t enable_invpcid = 1u << 12;
inline constexpr uint32_t enable_vm_functions = 1u << 13;
inline constexpr uint32_t vmcs_shadowing = 1u << 14;
inline constexpr uint32_t rdseed_exiting = 1u << 16;
inline constexpr uint32_t enable_pml = 1u << 17;
inline constexpr uint32_t ept_violation_ve = 1u << 18;
inline constexpr uint32_t enable_xsaves = 1u << 20;
inline constexpr uint32_t mode_based_execute = 1u << 22;
inline constexpr uint32_t use_tsc_scaling = 1u << 25;
}  // namespace secondary

namespace exit_control {
inline constexpr uint32_t save_debug_controls = 1u << 2;
inline constexpr uint32_t host_address_space_size = 1u << 9;
inline constexpr uint32_t load_perf_global_ctrl = 1u << 12;
inline constexpr uint32_t acknowledge_interrupt = 1u << 15;
inline constexpr uint32_t save_pat = 1u << 18;
inline constexpr uint32_t load_pat = 1u << 19;
inline constexpr uint32_t save_efer = 1u << 20;
inline constexpr uint32_t load_efer = 1u << 21;
inline constexpr uint32_t save_preemption_timer = 1u << 22;
}  // namespace exit_control

namespace entry_control {
inline constexpr uint32_t load_debug_controls = 1u << 2;
inline constexpr uint32_t ia32e_mode_guest = 1u << 9;
inline constexpr uint32_t entry_to_smm = 1u << 10;
inline constexpr uint32_t deactivate_dual_monitor = 1u << 11;
inline constexpr uint32_t load_perf_global_ctrl = 1u << 13;
inline constexpr uint32_t load_pat = 1u << 14;
inline constexpr uint32_t load_efer = 1u << 15;
}  // namespace entry_control

// clang-format off
inline constexpr auto kControls = std::to_array<ControlRow>({
    {ControlWord::pin,        0, "External-interrupt exiting",      Setting::allowed},
    {ControlWord::pin,        3, "NMI exiting",                     Setting::allowed},
    {ControlWord::pin,        5, "Virtual NMIs",                    Setting::allowed},
    {ControlWord::pin,        6, "Activate VMX-preemption timer",   Setting::allowed},
    {ControlWord::pin,        7, "Process posted interrupts",       Setting::allowed},

    {ControlWord::primary,    2, "Interrupt-window exiting",        Setting::allowed},
    {ControlWord::primary,    3, "Use TSC offsetting",              Setting::allowed},
    {ControlWord::primary,    7, "HLT exiting",                     Setting::allowed},
    {ControlWord::primary,    9, "INVLPG exiting",                  Setting::allowed},
    {ControlWord::primary,   10, "MWAIT exiting",                   Setting::allowed},
    {ControlWord::primary,   11, "RDPMC exiting",                   Setting::allowed},
    {ControlWord::primary,   12, "RDTSC exiting",                   Setting::allowed},
    {ControlWord::primary,   15, "CR3-load exiting",                Setting::default1},
    {ControlWord::primary,   16, "CR3-store exiting",               Setting::default1},
    {ControlWord::primary,   17, "Activate tertiary controls",      Setting::absent},
    {ControlWord::primary,   19, "CR8-load exiting",                Setting::allowed},
    {ControlWord::primary,   20, "CR8-store exiting",               Setting::allowed},
    {ControlWord::primary,   21, "Use TPR shadow",                  Setting::allowed},
    {ControlWord::primary,   22, "NMI-window exiting",              Setting::allowed},
    {ControlWord::primary,   23, "MOV-DR exiting",                  Setting::allowed},
    {ControlWord::primary,   24, "Unconditional I/O exiting",       Setting::allowed},
    {ControlWord::primary,   25, "Use I/O bitmaps",                 Setting::allowed},
    {ControlWord::primary,   27, "Monitor trap flag",               Setting::allowed},
    {ControlWord::primary,   28, "Use MSR bitmaps",                 Setting::allowed},
    {ControlWord::primary,   29, "MONITOR exiting",                 Setting::allowed},
    {ControlWord::primary,   30, "PAUSE exiting",                   Setting::allowed},
    {ControlWord::primary,   31, "Activate secondary controls",     Setting::allowed},

    {ControlWord::secondary,  0, "Virtualize APIC accesses",        Setting::allowed},
    {ControlWord::secondary,  1, "Enable EPT",                      Setting::allowed},
    {ControlWord::secondary,  2, "Descriptor-table exiting",        Setting::allowed},
    {ControlWord::secondary,  3, "Enable RDTSCP",                   Setting::allowed},
    {ControlWord::secondary,  4, "Virtualize x2APIC mode",          Setting::allowed},
    {ControlWord::secondary,  5, "Enable VPID",                     Setting::allowed},
    {ControlWord::secondary,  6, "WBINVD exiting",                  Setting::allowed},
    {ControlWord::secondary,  7, "Unrestricted guest",              Setting::allowed},
    {ControlWord::secondary,  8, "APIC-register virtualization",    Setting::allowed},
    {ControlWord::secondary,  9, "Virtual-interrupt delivery",      Setting::allowed},
    {ControlWord::secondary, 10, "PAUSE-loop exiting",              Setting::allowed},
    {ControlWord::secondary, 11, "RDRAND exiting",                  Setting::allowed},
    {ControlWord::secondary, 12, "Enable INVPCID",                  Setting::allowed},
    {ControlWord::secondary, 13, "Enable VM functions",             Setting::allowed},
    {ControlWord::secondary, 14, "VMCS shadowing",                  Setting::allowed},
    {ControlWord::secondary, 15, "Enable ENCLS exiting",            Setting::absent},
    {ControlWord::secondary, 16, "RDSEED exiting",                  Setting::allowed},
    {ControlWord::secondary, 17, "Enable PML",                      Setting::allowed},
    {ControlWord::secondary, 18, "EPT-violation #VE",               Setting::allowed},
    {ControlWord::secondary, 19, "Conceal VMX from PT",             Setting::absent},
    {ControlWord::secondary, 20, "Enable XSAVES/XRSTORS",           Setting::allowed},
    {ControlWord::secondary, 22, "Mode-based execute control",      Setting::allowed},
    {ControlWord::secondary, 23, "Sub-page write permissions",      Setting::absent},
    {ControlWord::secondary, 24, "PT uses guest-physical addresses", Setting::absent},
    {ControlWord::secondary, 25, "Use TSC scaling",                 Setting::allowed},
    {ControlWord::secondary, 26, "Enable user wait and pause",      Setting::absent},
    {ControlWord::secondary, 28, "Enable ENCLV exiting",            Setting::absent},

    {ControlWord::exit,       2, "Save debug controls",             Setting::default1},
    {ControlWord::exit,       9, "Host address-space size",         Setting::allowed},
    {ControlWord::exit,      12, "Load IA32_PERF_GLOBAL_CTRL",      Setting::absent},
    {ControlWord::exit,      15, "Acknowledge interrupt on exit",   Setting::allowed},
    {ControlWord::exit,      18, "Save IA32_PAT",                   Setting::allowed},
    {ControlWord::exit,      19, "Load IA32_PAT",                   Setting::allowed},
    {ControlWord::exit,      20, "Save IA32_EFER",                  Setting::allowed},
    {ControlWord::exit,      21, "Load IA32_EFER",                  Setting::allowed},
    {ControlWord::exit,      22, "Save VMX-preemption timer value", Setting::allowed},
    {ControlWord::exit,      23, "Clear IA32_BNDCFGS",              Setting::absent},
    {ControlWord::exit,      24, "Conceal VM exits from PT",        Setting::absent},
    {ControlWord::exit,      25, "Clear IA32_RTIT_CTL",             Setting::absent},

    {ControlWord::entry,      2, "Load debug controls",             Setting::default1},
    {ControlWord::entry,      9, "IA-32e mode guest",               Setting::allowed},
    {ControlWord::entry,     10, "Entry to SMM",                    Setting::absent},
    {ControlWord::entry,     11, "Deactivate dual-monitor treatment", Setting::absent},
    {ControlWord::entry,     13, "Load IA32_PERF_GLOBAL_CTRL",      Setting::absent},
    {ControlWord::entry,     14, "Load IA32_PAT",                   Setting::allowed},
    {ControlWord::entry,     15, "Load IA32_EFER",                  Setting::allowed},
    {ControlWord::entry,     16, "Load IA32_BNDCFGS",               Setting::absent},
    {ControlWord::entry,     17, "Conceal VM entries from PT",      Setting::absent},
    {ControlWord::entry,     18, "Load IA32_RTIT_CTL",              Setting::absent},

    {ControlWord::vm_function, 0, "EPTP switching",                 Setting::allowed},
});
// clang-format on

constexpr bool controls_ascend() {
  for (size_t i = 1; i < kControls.size(); ++i) {
    const ControlRow& a = kControls[i - 1];
    const ControlRow& b = kControls[i];
    if (b.word < a.word || (b.word == a.word && b.position <= a.position)) return false;
  }
  return true;
}
static_assert(controls_ascend());

/// SDM "Reserved Controls and Default Settings": the default1 class of each word.
inline constexpr std::array<uint32_t, kControlWords> kDefault1 = {0x00000016, 0x0401E172, 0,
                                                                  0x00036DFF, 0x000011FF, 0};

/// What a control word may hold: every bit of `must_be_1` set, no bit outside `may_be_1`.
struct AllowedControls {
  uint32_t must_be_1 = 0;
  uint32_t may_be_1 = 0;

  constexpr bool accept(uint64_t value) const {
    return (value & must_be_1) == must_be_1 && (value & ~uint64_t{may_be_1}) == 0;
  }
  /// The layout of a capability MSR: allowed 0-settings below, allowed 1-settings above.
  constexpr uint64_t as_msr() const { return must_be_1 | uint64_t{may_be_1} << 32; }
};

/// By the TRUE capability MSR, which is also what VM entry checks (SDM "VMX Controls and Reserved
/// Bits": a processor with TRUE MSRs lets software clear every default1 control they let it clear).
constexpr AllowedControls true_controls(ControlWord word) {
  AllowedControls allowed{kDefault1[static_cast<size_t>(word)],
                          kDefault1[static_cast<size_t>(word)]};
  for (const ControlRow& row : kControls) {
    if (row.word != word || row.setting == Setting::absent) continue;
    allowed.may_be_1 |= 1u << row.position;
    if (row.setting == Setting::default1) allowed.must_be_1 &= ~(1u << row.position);
  }
  return allowed;
}
/// By the older capability MSR: the whole default1 class is 1.
constexpr AllowedControls default_controls(ControlWord word) {
  AllowedControls allowed = true_controls(word);
  allowed.must_be_1 = kDefault1[static_cast<size_t>(word)];
  return allowed;
}
constexpr bool allows(ControlWord word, uint32_t mask) {
  return (true_controls(word).may_be_1 & mask) == mask;
}

/// The name of one bit; empty for a reserved one.
constexpr std::string_view control_name(ControlWord word, unsigned position) {
  for (const ControlRow& row : kControls) {
    if (row.word == word && row.position == position) return row.name;
  }
  return {};
}

constexpr bool default1_rows_lie_in_the_default1_class() {
  for (const ControlRow& row : kControls) {
    const bool in_class = (kDefault1[static_cast<size_t>(row.word)] >> row.position & 1) != 0;
    if (row.setting == Setting::default1 && !in_class) return false;
    if (row.setting == Setting::allowed && in_class) return false;
  }
  return true;
}
static_assert(default1_rows_lie_in_the_default1_class());

/// SDM "Basic VMX Information": our VMCS format, one page, write-back, INS/OUTS information, TRUE
/// MSRs.
inline constexpr uint32_t kVmcsRevision = 0x56545201;
inline constexpr uint32_t kVmcsSize = 4096;
inline constexpr uint64_t kVmxBasic =
    kVmcsRevision | uint64_t{kVmcsSize} << 32 | uint64_t{6} << 50 | bit(54) | bit(55);

/// SDM "Miscellaneous Data".
inline constexpr unsigned kPreemptionTimerShift = 5;
inline constexpr unsigned kCr3Targets = 4;
inline constexpr unsigned kMsrListLimit = 512;
namespace vmx_misc {
inline constexpr uint64_t store_lma = bit(5);
inline constexpr uint64_t activity_hlt = bit(6);
inline constexpr uint64_t activity_shutdown = bit(7);
inline constexpr uint64_t activity_wait_for_sipi = bit(8);
inline constexpr uint64_t vmwrite_any_field = bit(29);
inline constexpr uint64_t inject_zero_length = bit(30);
}  // namespace vmx_misc
inline constexpr uint64_t kVmxMisc =
    kPreemptionTimerShift | vmx_misc::store_lma | vmx_misc::activity_hlt |
    vmx_misc::activity_shutdown | vmx_misc::activity_wait_for_sipi | uint64_t{kCr3Targets} << 16 |
    uint64_t{kMsrListLimit / 512 - 1} << 25 | vmx_misc::vmwrite_any_field |
    vmx_misc::inject_zero_length;

/// SDM "VMX-Fixed Bits in CR0" and "… in CR4"; FIXED1 of CR4 depends on the profile.
inline constexpr uint64_t kVmxCr0Fixed0 = cr0::pg | cr0::ne | cr0::pe;
inline constexpr uint64_t kVmxCr0Fixed1 = 0xFFFFFFFF;
inline constexpr uint64_t kVmxCr4Fixed0 = cr4::vmxe;

/// SDM "VPID and EPT Capabilities".
namespace ept_vpid_cap {
inline constexpr uint64_t execute_only = bit(0);
inline constexpr uint64_t walk_length_4 = bit(6);
inline constexpr uint64_t type_uc = bit(8);
inline constexpr uint64_t type_wb = bit(14);
inline constexpr uint64_t pages_2m = bit(16);
inline constexpr uint64_t pages_1g = bit(17);
inline constexpr uint64_t invept = bit(20);
inline constexpr uint64_t accessed_dirty = bit(21);
inline constexpr uint64_t advanced_exit_information = bit(22);
inline constexpr uint64_t invept_single_context = bit(25);
inline constexpr uint64_t invept_all_context = bit(26);
inline constexpr uint64_t invvpid = bit(32);
inline constexpr uint64_t invvpid_individual_address = bit(40);
inline constexpr uint64_t invvpid_single_context = bit(41);
inline constexpr uint64_t invvpid_all_context = bit(42);
inline constexpr uint64_t invvpid_single_context_keep_globals = bit(43);
}  // namespace ept_vpid_cap
inline constexpr uint64_t kEptVpidCap =
    ept_vpid_cap::execute_only | ept_vpid_cap::walk_length_4 | ept_vpid_cap::type_uc |
    ept_vpid_cap::type_wb | ept_vpid_cap::pages_2m | ept_vpid_cap::pages_1g | ept_vpid_cap::invept |
    ept_vpid_cap::accessed_dirty | ept_vpid_cap::invept_single_context |
    ept_vpid_cap::invept_all_context | ept_vpid_cap::invvpid |
    ept_vpid_cap::invvpid_individual_address | ept_vpid_cap::invvpid_single_context |
    ept_vpid_cap::invvpid_all_context | ept_vpid_cap::invvpid_single_context_keep_globals;

/// The control that each Need of a VMCS field stands for, in the order of Need.
struct NeedRow {
  Need need;
  ControlWord word;
  uint32_t mask;
};
// clang-format off
inline constexpr auto kNeeds = std::to_array<NeedRow>({
    {Need::none,                       ControlWord::pin,         0},
    {Need::posted,                     ControlWord::pin,         pin::process_posted_interrupts},
    {Need::preemption_timer,           ControlWord::pin,         pin::preemption_timer},
    {Need::use_tpr_shadow,             ControlWord::primary,     primary::use_tpr_shadow},
    {Need::virtualize_apic_accesses,   ControlWord::secondary,   secondary::virtualize_apic_accesses},
    {Need::enable_ept,                 ControlWord::secondary,   secondary::enable_ept},
    {Need::enable_vpid,                ControlWord::secondary,   secondary::enable_vpid},
    {Need::virtual_interrupt_delivery, ControlWord::secondary,   secondary::virtual_interrupt_delivery},
    {Need::pause_loop_exiting,         ControlWord::secondary,   secondary::pause_loop_exiting},
    {Need::enable_vm_functions,        ControlWord::secondary,   secondary::enable_vm_functions},
    {Need::eptp_switching,             ControlWord::vm_function, 1},
    {Need::vmcs_shadowing,             ControlWord::secondary,   secondary::vmcs_shadowing},
    {Need::enable_pml,                 ControlWord::secondary,   secondary::enable_pml},
    {Need::ept_violation_ve,           ControlWord::secondary,   secondary::ept_violation_ve},
    {Need::enable_xsaves,              ControlWord::secondary,   secondary::enable_xsaves},
    {Need::use_tsc_scaling,            ControlWord::secondary,   secondary::use_tsc_scaling},
});
// clang-format on

constexpr bool needs_in_enum_order() {
  for (size_t i = 0; i < kNeeds.size(); ++i) {
    if (static_cast<size_t>(kNeeds[i].need) != i) return false;
  }
  return true;
}
static_assert(needs_in_enum_order());

/// A field exists on processors that let its control be 1.
constexpr auto make_existing_fields() {
  std::array<bool, kFieldCount> exists{};
  for (size_t i = 0; i < kFieldCount; ++i) {
    const NeedRow& need = kNeeds[static_cast<size_t>(kFields[i].need)];
    exists[i] = allows(need.word, need.mask);
  }
  return exists;
}
inline constexpr auto kFieldExists = make_existing_fields();

/// The value of capability MSR 480H-491H; `legal_cr4` is what the profile lets CR4 hold.
constexpr uint64_t vmx_capability(uint32_t number, uint64_t legal_cr4) {
  switch (number) {
    case 0x480: return kVmxBasic;
    case 0x481: return default_controls(ControlWord::pin).as_msr();
    case 0x482: return default_controls(ControlWord::primary).as_msr();
    case 0x483: return default_controls(ControlWord::exit).as_msr();
    case 0x484: return default_controls(ControlWord::entry).as_msr();
    case 0x485: return kVmxMisc;
    case 0x486: return kVmxCr0Fixed0;
    case 0x487: return kVmxCr0Fixed1;
    case 0x488: return kVmxCr4Fixed0;
    case 0x489: return legal_cr4;
    case 0x48A: return kVmxVmcsEnum;
    case 0x48B: return default_controls(ControlWord::secondary).as_msr();
    case 0x48C: return kEptVpidCap;
    case 0x48D: return true_controls(ControlWord::pin).as_msr();
    case 0x48E: return true_controls(ControlWord::primary).as_msr();
    case 0x48F: return true_controls(ControlWord::exit).as_msr();
    case 0x490: return true_controls(ControlWord::entry).as_msr();
    case 0x491: return true_controls(ControlWord::vm_function).may_be_1;
    default: return 0;
  }
}

}  // namespace vitrine::emu::arch
