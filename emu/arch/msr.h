// Model-specific registers: number, name, and how each one answers RDMSR and WRMSR.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/arch/bits.h"

namespace vitrine::emu::arch {

/// SDM "Model-Specific Registers (MSRs)", the numbers code refers to by name.
namespace msr {
// clang-format off
inline constexpr uint32_t ia32_time_stamp_counter = 0x10;
inline constexpr uint32_t ia32_platform_id        = 0x17;
inline constexpr uint32_t ia32_apic_base          = 0x1B;
inline constexpr uint32_t ia32_feature_control    = 0x3A;
inline constexpr uint32_t ia32_tsc_adjust         = 0x3B;
inline constexpr uint32_t ia32_spec_ctrl          = 0x48;
inline constexpr uint32_t ia32_pred_cmd           = 0x49;
inline constexpr uint32_t ia32_bios_updt_trig     = 0x79;
inline constexpr uint32_t ia32_bios_sign_id       = 0x8B;
inline constexpr uint32_t platform_info           = 0xCE;
inline constexpr uint32_t ia32_mperf              = 0xE7;
inline constexpr uint32_t ia32_aperf              = 0xE8;
inline constexpr uint32_t ia32_mtrrcap            = 0xFE;
inline constexpr uint32_t ia32_arch_capabilities  = 0x10A;
inline constexpr uint32_t ia32_flush_cmd          = 0x10B;
inline constexpr uint32_t misc_feature_enables    = 0x140;
inline constexpr uint32_t ia32_sysenter_cs        = 0x174;
inline constexpr uint32_t ia32_sysenter_esp       = 0x175;
inline constexpr uint32_t ia32_sysenter_eip       = 0x176;
inline constexpr uint32_t ia32_mcg_cap            = 0x179;
inline constexpr uint32_t ia32_mcg_status         = 0x17A;
inline constexpr uint32_t ia32_misc_enable        = 0x1A0;
inline constexpr uint32_t ia32_debugctl           = 0x1D9;
inline constexpr uint32_t ia32_mtrr_physbase0     = 0x200;
inline constexpr uint32_t ia32_mtrr_physmask0     = 0x201;
inline constexpr uint32_t ia32_mtrr_fix64k_00000  = 0x250;
inline constexpr uint32_t ia32_mtrr_fix16k_80000  = 0x258;
inline constexpr uint32_t ia32_mtrr_fix4k_c0000   = 0x268;
inline constexpr uint32_t ia32_pat                = 0x277;
inline constexpr uint32_t ia32_mtrr_def_type      = 0x2FF;
inline constexpr uint32_t ia32_perf_global_ctrl   = 0x38F;
inline constexpr uint32_t ia32_vmx_basic          = 0x480;
inline constexpr uint32_t ia32_vmx_pinbased_ctls  = 0x481;
inline constexpr uint32_t ia32_vmx_procbased_ctls = 0x482;
inline constexpr uint32_t ia32_vmx_exit_ctls      = 0x483;
inline constexpr uint32_t ia32_vmx_entry_ctls     = 0x484;
inline constexpr uint32_t ia32_vmx_misc           = 0x485;
inline constexpr uint32_t ia32_vmx_cr0_fixed0     = 0x486;
inline constexpr uint32_t ia32_vmx_cr0_fixed1     = 0x487;
inline constexpr uint32_t ia32_vmx_cr4_fixed0     = 0x488;
inline constexpr uint32_t ia32_vmx_cr4_fixed1     = 0x489;
inline constexpr uint32_t ia32_vmx_vmcs_enum      = 0x48A;
inline constexpr uint32_t ia32_vmx_procbased_ctls2 = 0x48B;
inline constexpr uint32_t ia32_vmx_ept_vpid_cap   = 0x48C;
inline constexpr uint32_t ia32_vmx_true_pinbased_ctls = 0x48D;
inline constexpr uint32_t ia32_vmx_true_procbased_ctls = 0x48E;
inline constexpr uint32_t ia32_vmx_true_exit_ctls = 0x48F;
inline constexpr uint32_t ia32_vmx_true_entry_ctls = 0x490;
inline constexpr uint32_t ia32_vmx_vmfunc         = 0x491;
inline constexpr uint32_t ia32_tsc_deadline       = 0x6E0;
inline constexpr uint32_t x2apic_first            = 0x800;
inline constexpr uint32_t x2apic_last             = 0x8FF;
inline constexpr uint32_t ia32_x2apic_tpr         = 0x808;
inline constexpr uint32_t ia32_x2apic_eoi         = 0x80B;
inline constexpr uint32_t ia32_x2apic_icr         = 0x830;
inline constexpr uint32_t ia32_x2apic_self_ipi    = 0x83F;
inline constexpr uint32_t ia32_xss                = 0xDA0;
inline constexpr uint32_t ia32_efer               = 0xC0000080;
inline constexpr uint32_t ia32_star               = 0xC0000081;
inline constexpr uint32_t ia32_lstar              = 0xC0000082;
inline constexpr uint32_t ia32_cstar              = 0xC0000083;
inline constexpr uint32_t ia32_fmask              = 0xC0000084;
inline constexpr uint32_t ia32_fs_base            = 0xC0000100;
inline constexpr uint32_t ia32_gs_base            = 0xC0000101;
inline constexpr uint32_t ia32_kernel_gs_base     = 0xC0000102;
inline constexpr uint32_t ia32_tsc_aux            = 0xC0000103;
// clang-format on
}  // namespace msr

/// How an MSR answers.
enum class MsrKind : uint8_t {
  absent,    ///< known by name, #GP on every access
  constant,  ///< reads `reset`; WRMSR is #GP
  profile,   ///< reads a value of the CPUID profile or the VMX controls table; WRMSR is #GP
  stored,    ///< plain storage, `reset` at reset; WRMSR of a bit outside `writable` is #GP
  ignored,   ///< reads `reset`; WRMSR is accepted and has no effect
  command,   ///< write-only: RDMSR is #GP, WRMSR of a bit outside `writable` is #GP
  core,      ///< a register of the processor with rules of its own
  apic,      ///< a register of the local APIC
};

struct MsrRow {
  uint32_t number;
  uint16_t count;  ///< so many consecutive MSRs of this kind
  std::string_view name;
  MsrKind kind;
  uint64_t reset = 0;
  uint64_t writable = 0;
};

inline constexpr uint64_t kAllBits = ~uint64_t{0};

// clang-format off
inline constexpr auto kMsrs = std::to_array<MsrRow>({
    {0x00000000,  1, "IA32_P5_MC_ADDR",            MsrKind::ignored},
    {0x00000001,  1, "IA32_P5_MC_TYPE",            MsrKind::ignored},
    {0x00000010,  1, "IA32_TIME_STAMP_COUNTER",    MsrKind::core},
    {0x00000017,  1, "IA32_PLATFORM_ID",           MsrKind::constant, 0},
    {0x0000001B,  1, "IA32_APIC_BASE",             MsrKind::apic},
    {0x00000033,  1, "MSR_TEST_CTRL",              MsrKind::absent},
    {0x00000034,  1, "MSR_SMI_COUNT",              MsrKind::constant, 0},
    {0x00000035,  1, "MSR_CORE_THREAD_COUNT",      MsrKind::absent},
    {0x0000003A,  1, "IA32_FEATURE_CONTROL",       MsrKind::profile},
    {0x0000003B,  1, "IA32_TSC_ADJUST",            MsrKind::core},
    {0x00000048,  1, "IA32_SPEC_CTRL",             MsrKind::stored,   0, 0x7},
    {0x00000049,  1, "IA32_PRED_CMD",              MsrKind::command,  0, 0x1},
    {0x0000004E,  1, "MSR_PPIN_CTL",               MsrKind::absent},
    {0x00000079,  1, "IA32_BIOS_UPDT_TRIG",        MsrKind::command,  0, kAllBits},
    {0x0000008B,  1, "IA32_BIOS_SIGN_ID",          MsrKind::core},
    {0x0000009B,  1, "IA32_SMM_MONITOR_CTL",       MsrKind::absent},
    {0x0000009E,  1, "IA32_SMBASE",                MsrKind::absent},
    {0x000000C1,  8, "IA32_PMC",                   MsrKind::absent},
    {0x000000CD,  1, "MSR_FSB_FREQ",               MsrKind::absent},
    {0x000000CE,  1, "MSR_PLATFORM_INFO",          MsrKind::profile},
    {0x000000CF,  1, "IA32_CORE_CAPABILITIES",     MsrKind::absent},
    {0x000000E1,  1, "IA32_UMWAIT_CONTROL",        MsrKind::absent},
    {0x000000E2,  1, "MSR_PKG_CST_CONFIG_CONTROL", MsrKind::constant, 0x8000},
    {0x000000E7,  1, "IA32_MPERF",                 MsrKind::absent},
    {0x000000E8,  1, "IA32_APERF",                 MsrKind::absent},
    {0x000000FE,  1, "IA32_MTRRCAP",               MsrKind::constant, 0x50A},
    {0x0000010A,  1, "IA32_ARCH_CAPABILITIES",     MsrKind::profile},
    {0x0000010B,  1, "IA32_FLUSH_CMD",             MsrKind::command,  0, 0x1},
    {0x0000011E,  1, "MSR_BBL_CR_CTL3",            MsrKind::absent},
    {0x00000122,  1, "IA32_TSX_CTRL",              MsrKind::absent},
    {0x00000123,  1, "IA32_MCU_OPT_CTRL",          MsrKind::absent},
    {0x00000140,  1, "MISC_FEATURE_ENABLES",       MsrKind::stored,   0, 0},
    {0x00000174,  1, "IA32_SYSENTER_CS",           MsrKind::core},
    {0x00000175,  1, "IA32_SYSENTER_ESP",          MsrKind::core},
    {0x00000176,  1, "IA32_SYSENTER_EIP",          MsrKind::core},
    {0x00000179,  1, "IA32_MCG_CAP",               MsrKind::constant, 0},
    {0x0000017A,  1, "IA32_MCG_STATUS",            MsrKind::stored,   0, 0x7},
    {0x0000017B,  1, "IA32_MCG_CTL",               MsrKind::absent},
    {0x0000017F,  1, "MSR_ERROR_CONTROL",          MsrKind::absent},
    {0x00000186,  8, "IA32_PERFEVTSEL",            MsrKind::absent},
    {0x00000198,  1, "IA32_PERF_STATUS",           MsrKind::profile},
    {0x00000199,  1, "IA32_PERF_CTL",              MsrKind::absent},
    {0x0000019A,  1, "IA32_CLOCK_MODULATION",      MsrKind::absent},
    {0x0000019B,  1, "IA32_THERM_INTERRUPT",       MsrKind::absent},
    {0x0000019C,  1, "IA32_THERM_STATUS",          MsrKind::absent},
    {0x000001A0,  1, "IA32_MISC_ENABLE",           MsrKind::core},
    {0x000001A2,  1, "MSR_TEMPERATURE_TARGET",     MsrKind::absent},
    {0x000001A4,  1, "MSR_MISC_FEATURE_CONTROL",   MsrKind::absent},
    {0x000001A6,  2, "MSR_OFFCORE_RSP",            MsrKind::absent},
    {0x000001AD,  3, "MSR_TURBO_RATIO_LIMIT",      MsrKind::absent},
    {0x000001B0,  1, "IA32_ENERGY_PERF_BIAS",      MsrKind::absent},
    {0x000001B1,  2, "IA32_PACKAGE_THERM",         MsrKind::absent},
    {0x000001C8,  2, "MSR_LBR_SELECT",             MsrKind::absent},
    {0x000001D9,  1, "IA32_DEBUGCTL",              MsrKind::core},
    {0x000001DB,  2, "MSR_LASTBRANCH",             MsrKind::absent},
    {0x000001DD,  2, "MSR_LASTINT",                MsrKind::absent},
    {0x000001FC,  1, "MSR_POWER_CTL",              MsrKind::absent},
    {0x00000200, 20, "IA32_MTRR_PHYS",             MsrKind::core},
    {0x00000250,  1, "IA32_MTRR_FIX64K",           MsrKind::core},
    {0x00000258,  2, "IA32_MTRR_FIX16K",           MsrKind::core},
    {0x00000268,  8, "IA32_MTRR_FIX4K",            MsrKind::core},
    {0x00000277,  1, "IA32_PAT",                   MsrKind::core},
    {0x000002FF,  1, "IA32_MTRR_DEF_TYPE",         MsrKind::core},
    {0x00000300,  1, "MSR_CPUBUSNO",               MsrKind::constant, 0},  // bit 63: not valid
    {0x00000309,  3, "IA32_FIXED_CTR",             MsrKind::absent},
    {0x00000345,  1, "IA32_PERF_CAPABILITIES",     MsrKind::absent},
    {0x0000038D,  1, "IA32_FIXED_CTR_CTRL",        MsrKind::absent},
    {0x0000038E,  1, "IA32_PERF_GLOBAL_STATUS",    MsrKind::absent},
    {0x0000038F,  1, "IA32_PERF_GLOBAL_CTRL",      MsrKind::absent},
    {0x00000390,  1, "IA32_PERF_GLOBAL_OVF_CTRL",  MsrKind::absent},
    {0x000003F1,  1, "IA32_PEBS_ENABLE",           MsrKind::absent},
    {0x000003F6,  2, "MSR_PEBS_LD_LAT",            MsrKind::absent},
    {0x00000400, 80, "IA32_MC",                    MsrKind::absent},
    {0x00000480,  1, "IA32_VMX_BASIC",             MsrKind::profile},
    {0x00000481,  1, "IA32_VMX_PINBASED_CTLS",     MsrKind::profile},
    {0x00000482,  1, "IA32_VMX_PROCBASED_CTLS",    MsrKind::profile},
    {0x00000483,  1, "IA32_VMX_EXIT_CTLS",         MsrKind::profile},
    {0x00000484,  1, "IA32_VMX_ENTRY_CTLS",        MsrKind::profile},
    {0x00000485,  1, "IA32_VMX_MISC",              MsrKind::profile},
    {0x00000486,  1, "IA32_VMX_CR0_FIXED0",        MsrKind::profile},
    {0x00000487,  1, "IA32_VMX_CR0_FIXED1",        MsrKind::profile},
    {0x00000488,  1, "IA32_VMX_CR4_FIXED0",        MsrKind::profile},
    {0x00000489,  1, "IA32_VMX_CR4_FIXED1",        MsrKind::profile},
    {0x0000048A,  1, "IA32_VMX_VMCS_ENUM",         MsrKind::profile},
    {0x0000048B,  1, "IA32_VMX_PROCBASED_CTLS2",   MsrKind::profile},
    {0x0000048C,  1, "IA32_VMX_EPT_VPID_CAP",      MsrKind::profile},
    {0x0000048D,  1, "IA32_VMX_TRUE_PINBASED_CTLS", MsrKind::profile},
    {0x0000048E,  1, "IA32_VMX_TRUE_PROCBASED_CTLS", MsrKind::profile},
    {0x0000048F,  1, "IA32_VMX_TRUE_EXIT_CTLS",    MsrKind::profile},
    {0x00000490,  1, "IA32_VMX_TRUE_ENTRY_CTLS",   MsrKind::profile},
    {0x00000491,  1, "IA32_VMX_VMFUNC",            MsrKind::profile},
    {0x00000492,  1, "IA32_VMX_PROCBASED_CTLS3",   MsrKind::absent},
    {0x000004C1,  8, "IA32_A_PMC",                 MsrKind::absent},
    {0x00000560,  2, "IA32_RTIT_OUTPUT",           MsrKind::absent},
    {0x00000570,  3, "IA32_RTIT_CTL",              MsrKind::absent},
    {0x00000600,  1, "IA32_DS_AREA",               MsrKind::absent},
    {0x00000606,  1, "MSR_RAPL_POWER_UNIT",        MsrKind::absent},
    {0x00000610,  5, "MSR_PKG_POWER",              MsrKind::absent},
    {0x00000618,  5, "MSR_DRAM_POWER",             MsrKind::absent},
    {0x00000638,  4, "MSR_PP0_POWER",              MsrKind::absent},
    {0x00000640,  3, "MSR_PP1_POWER",              MsrKind::absent},
    {0x00000648,  5, "MSR_CONFIG_TDP",             MsrKind::absent},
    {0x0000064E,  1, "MSR_PPERF",                  MsrKind::absent},
    {0x00000680, 32, "MSR_LASTBRANCH_FROM",        MsrKind::absent},
    {0x000006C0, 32, "MSR_LASTBRANCH_TO",          MsrKind::absent},
    {0x000006E0,  1, "IA32_TSC_DEADLINE",          MsrKind::apic},
    // Uncore counters of 06_55H, which its kernels program without asking CPUID: they never count.
    {0x00000710, 11, "MSR_PCU_PMON",               MsrKind::ignored},
    {0x00000770,  1, "IA32_PM_ENABLE",             MsrKind::absent},
    {0x00000802,  1, "IA32_X2APIC_APICID",         MsrKind::apic},
    {0x00000803,  1, "IA32_X2APIC_VERSION",        MsrKind::apic},
    {0x00000808,  1, "IA32_X2APIC_TPR",            MsrKind::apic},
    {0x0000080A,  1, "IA32_X2APIC_PPR",            MsrKind::apic},
    {0x0000080B,  1, "IA32_X2APIC_EOI",            MsrKind::apic},
    {0x0000080D,  1, "IA32_X2APIC_LDR",            MsrKind::apic},
    {0x0000080F,  1, "IA32_X2APIC_SIVR",           MsrKind::apic},
    {0x00000810,  8, "IA32_X2APIC_ISR",            MsrKind::apic},
    {0x00000818,  8, "IA32_X2APIC_TMR",            MsrKind::apic},
    {0x00000820,  8, "IA32_X2APIC_IRR",            MsrKind::apic},
    {0x00000828,  1, "IA32_X2APIC_ESR",            MsrKind::apic},
    {0x0000082F,  1, "IA32_X2APIC_LVT_CMCI",       MsrKind::apic},
    {0x00000830,  1, "IA32_X2APIC_ICR",            MsrKind::apic},
    {0x00000832,  1, "IA32_X2APIC_LVT_TIMER",      MsrKind::apic},
    {0x00000833,  1, "IA32_X2APIC_LVT_THERMAL",    MsrKind::apic},
    {0x00000834,  1, "IA32_X2APIC_LVT_PMI",        MsrKind::apic},
    {0x00000835,  1, "IA32_X2APIC_LVT_LINT0",      MsrKind::apic},
    {0x00000836,  1, "IA32_X2APIC_LVT_LINT1",      MsrKind::apic},
    {0x00000837,  1, "IA32_X2APIC_LVT_ERROR",      MsrKind::apic},
    {0x00000838,  1, "IA32_X2APIC_INIT_COUNT",     MsrKind::apic},
    {0x00000839,  1, "IA32_X2APIC_CUR_COUNT",      MsrKind::apic},
    {0x0000083E,  1, "IA32_X2APIC_DIV_CONF",       MsrKind::apic},
    {0x0000083F,  1, "IA32_X2APIC_SELF_IPI",       MsrKind::apic},
    {0x00000A40, 192, "MSR_IIO_PMON",              MsrKind::ignored},
    {0x00000C80,  1, "IA32_DEBUG_INTERFACE",       MsrKind::absent},
    {0x00000D90,  1, "IA32_BNDCFGS",               MsrKind::absent},
    {0x00000DA0,  1, "IA32_XSS",                   MsrKind::core},
    {0xC0000080,  1, "IA32_EFER",                  MsrKind::core},
    {0xC0000081,  1, "IA32_STAR",                  MsrKind::core},
    {0xC0000082,  1, "IA32_LSTAR",                 MsrKind::core},
    {0xC0000083,  1, "IA32_CSTAR",                 MsrKind::core},
    {0xC0000084,  1, "IA32_FMASK",                 MsrKind::core},
    {0xC0000100,  1, "IA32_FS_BASE",               MsrKind::core},
    {0xC0000101,  1, "IA32_GS_BASE",               MsrKind::core},
    {0xC0000102,  1, "IA32_KERNEL_GS_BASE",        MsrKind::core},
    {0xC0000103,  1, "IA32_TSC_AUX",               MsrKind::core},
});
// clang-format on

constexpr bool msrs_ascend() {
  for (size_t i = 1; i < kMsrs.size(); ++i) {
    if (kMsrs[i].number < kMsrs[i - 1].number + kMsrs[i - 1].count) return false;
  }
  return true;
}
static_assert(msrs_ascend());

/// The row that covers `number`; null for a number the table does not know, which is #GP.
constexpr const MsrRow* find_msr(uint32_t number) {
  size_t low = 0;
  size_t high = kMsrs.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const MsrRow& row = kMsrs[middle];
    if (number < row.number) {
      high = middle;
    } else if (number - row.number < row.count) {
      return &row;
    } else {
      low = middle + 1;
    }
  }
  return nullptr;
}

/// SDM "IA32_APIC_BASE MSR" bits.
namespace apic_base {
inline constexpr uint64_t bootstrap = bit(8);
inline constexpr uint64_t x2apic = bit(10);
inline constexpr uint64_t enable = bit(11);
inline constexpr uint64_t default_address = 0xFEE00000;
}  // namespace apic_base

/// SDM "IA32_FEATURE_CONTROL MSR": locked by the firmware, VMX allowed outside SMX only.
namespace feature_control {
inline constexpr uint64_t lock = bit(0);
inline constexpr uint64_t vmx_in_smx = bit(1);
inline constexpr uint64_t vmx_outside_smx = bit(2);
}  // namespace feature_control

/// SDM "IA32_DEBUGCTL MSR": bits that can be set here. Branch recording and tracing do not exist,
/// but LBR and the freeze bits are plain storage on every processor of this family.
namespace debugctl {
inline constexpr uint64_t lbr = bit(0);
inline constexpr uint64_t btf = bit(1);
inline constexpr uint64_t writable = lbr | btf;
}  // namespace debugctl

/// SDM "IA32_MISC_ENABLE": fast strings on; BTS and PEBS unavailable.
namespace misc_enable {
inline constexpr uint64_t fast_strings = bit(0);
inline constexpr uint64_t bts_unavailable = bit(11);
inline constexpr uint64_t pebs_unavailable = bit(12);
inline constexpr uint64_t enable_monitor = bit(18);
inline constexpr uint64_t limit_cpuid_maxval = bit(22);
inline constexpr uint64_t xd_bit_disable = bit(34);
inline constexpr uint64_t reset = fast_strings | bts_unavailable | pebs_unavailable;
inline constexpr uint64_t writable = fast_strings;
}  // namespace misc_enable

/// SDM "Memory Types That Can Be Encoded With PAT"; 2 and 3 are reserved, 7 exists in PAT only.
enum class MemoryType : uint8_t { uc = 0, wc = 1, wt = 4, wp = 5, wb = 6, uc_minus = 7 };

constexpr bool valid_mtrr_type(uint64_t type) {
  return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}
constexpr bool valid_pat_type(uint64_t type) { return valid_mtrr_type(type) || type == 7; }
/// Every byte of IA32_PAT must be a memory type.
constexpr bool valid_pat(uint64_t value) {
  for (unsigned i = 0; i < 64; i += 8) {
    if (!valid_pat_type(bits(value, i + 7, i))) return false;
  }
  return true;
}
inline constexpr uint64_t kPatReset = 0x0007040600070406;
static_assert(valid_pat(kPatReset));

/// SDM "MTRR Feature Identification": 10 variable ranges, fixed ranges and write combining.
namespace mtrr {
inline constexpr unsigned variable_count = 10;
inline constexpr uint64_t capabilities = variable_count | bit(8) | bit(10);
inline constexpr uint64_t def_type_fixed_enable = bit(10);
inline constexpr uint64_t def_type_enable = bit(11);
inline constexpr uint64_t def_type_writable = 0xFF | def_type_fixed_enable | def_type_enable;
inline constexpr uint64_t mask_valid = bit(11);

/// WRMSR checks of IA32_MTRR_PHYSBASEn, PHYSMASKn, the fixed ranges and IA32_MTRR_DEF_TYPE.
constexpr bool valid_base(uint64_t value, unsigned physical_bits) {
  return valid_mtrr_type(value & 0xFF) && (value & 0xF00) == 0 && (value >> physical_bits) == 0;
}
constexpr bool valid_mask(uint64_t value, unsigned physical_bits) {
  return (value & 0x7FF) == 0 && (value >> physical_bits) == 0;
}
constexpr bool valid_fixed(uint64_t value) {
  for (unsigned i = 0; i < 64; i += 8) {
    if (!valid_mtrr_type(bits(value, i + 7, i))) return false;
  }
  return true;
}
constexpr bool valid_def_type(uint64_t value) {
  return (value & ~def_type_writable) == 0 && valid_mtrr_type(value & 0xFF);
}
}  // namespace mtrr
static_assert(find_msr(msr::ia32_mtrrcap)->reset == mtrr::capabilities);
static_assert(find_msr(msr::ia32_mtrr_physbase0)->count == 2 * mtrr::variable_count);

}  // namespace vitrine::emu::arch
