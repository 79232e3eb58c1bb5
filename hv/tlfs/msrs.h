// The table of synthetic MSRs: number, name, scope, access, and the privilege that gates each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hv/tlfs/privileges.h"

namespace vitrine::hv::tlfs {

// clang-format off
enum class Msr : std::uint32_t {
  guest_os_id        = 0x40000000,
  hypercall          = 0x40000001,
  vp_index           = 0x40000002,
  reset              = 0x40000003,
  vp_runtime         = 0x40000010,
  time_ref_count     = 0x40000020,
  reference_tsc      = 0x40000021,
  tsc_frequency      = 0x40000022,
  apic_frequency     = 0x40000023,
  eoi                = 0x40000070,
  icr                = 0x40000071,
  tpr                = 0x40000072,
  vp_assist_page     = 0x40000073,
  scontrol           = 0x40000080,
  sversion           = 0x40000081,
  siefp              = 0x40000082,
  simp               = 0x40000083,
  eom                = 0x40000084,
  sirbp              = 0x40000085,
  sint0              = 0x40000090,
  sint15             = 0x4000009F,
  stimer0_config     = 0x400000B0,
  stimer3_count      = 0x400000B7,
  guest_idle         = 0x400000F0,
  crash_p0           = 0x40000100,
  crash_p4           = 0x40000104,
  crash_ctl          = 0x40000105,
};

enum class MsrScope : std::uint8_t { partition, virtual_processor };
enum class MsrAccess : std::uint8_t { read, write, both };

struct MsrRow {
  std::uint32_t first;
  std::uint32_t last;
  std::string_view name;
  MsrScope scope;
  MsrAccess access;
  Privilege privilege;
};

// What this hypervisor virtualizes; any other index in the range raises #GP.
inline constexpr auto kMsrs = std::to_array<MsrRow>({
  {0x40000000, 0x40000000, "HV_X64_MSR_GUEST_OS_ID",     MsrScope::partition,         MsrAccess::both,  Privilege::access_hypercall_msrs},
  {0x40000001, 0x40000001, "HV_X64_MSR_HYPERCALL",       MsrScope::partition,         MsrAccess::both,  Privilege::access_hypercall_msrs},
  {0x40000002, 0x40000002, "HV_X64_MSR_VP_INDEX",        MsrScope::virtual_processor, MsrAccess::read,  Privilege::access_vp_index},
  {0x40000003, 0x40000003, "HV_X64_MSR_RESET",           MsrScope::partition,         MsrAccess::both,  Privilege::access_reset},
  {0x40000010, 0x40000010, "HV_X64_MSR_VP_RUNTIME",      MsrScope::virtual_processor, MsrAccess::read,  Privilege::access_vp_run_time},
  {0x40000020, 0x40000020, "HV_X64_MSR_TIME_REF_COUNT",  MsrScope::partition,         MsrAccess::read,  Privilege::access_reference_counter},
  {0x40000021, 0x40000021, "HV_X64_MSR_REFERENCE_TSC",   MsrScope::partition,         MsrAccess::both,  Privilege::access_reference_tsc},
  {0x40000022, 0x40000022, "HV_X64_MSR_TSC_FREQUENCY",   MsrScope::partition,         MsrAccess::read,  Privilege::access_frequency},
  {0x40000023, 0x40000023, "HV_X64_MSR_APIC_FREQUENCY",  MsrScope::partition,         MsrAccess::read,  Privilege::access_frequency},
  {0x40000070, 0x40000070, "HV_X64_MSR_EOI",             MsrScope::virtual_processor, MsrAccess::write, Privilege::access_apic},
  {0x40000071, 0x40000071, "HV_X64_MSR_ICR",             MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_apic},
  {0x40000072, 0x40000072, "HV_X64_MSR_TPR",             MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_apic},
  {0x40000073, 0x40000073, "HV_X64_MSR_VP_ASSIST_PAGE",  MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_apic},
  {0x40000080, 0x40000080, "HV_X64_MSR_SCONTROL",        MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x40000081, 0x40000081, "HV_X64_MSR_SVERSION",        MsrScope::virtual_processor, MsrAccess::read,  Privilege::access_synic},
  {0x40000082, 0x40000082, "HV_X64_MSR_SIEFP",           MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x40000083, 0x40000083, "HV_X64_MSR_SIMP",            MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x40000084, 0x40000084, "HV_X64_MSR_EOM",             MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x40000085, 0x40000085, "HV_X64_MSR_SIRBP",           MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x40000090, 0x4000009F, "HV_X64_MSR_SINT0-15",        MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synic},
  {0x400000B0, 0x400000B7, "HV_X64_MSR_STIMER0-3",       MsrScope::virtual_processor, MsrAccess::both,  Privilege::access_synthetic_timers},
  {0x400000F0, 0x400000F0, "HV_X64_MSR_GUEST_IDLE",      MsrScope::virtual_processor, MsrAccess::read,  Privilege::access_guest_idle},
  {0x40000100, 0x40000104, "HV_X64_MSR_CRASH_P0-4",      MsrScope::partition,         MsrAccess::both,  Privilege::none},
  {0x40000105, 0x40000105, "HV_X64_MSR_CRASH_CTL",       MsrScope::partition,         MsrAccess::both,  Privilege::none},
});
// clang-format on

constexpr bool msrs_ascend() {
  for (std::size_t i = 0; i < kMsrs.size(); ++i) {
    if (kMsrs[i].last < kMsrs[i].first) return false;
    if (i != 0 && kMsrs[i].first <= kMsrs[i - 1].last) return false;
  }
  return true;
}
static_assert(msrs_ascend());

constexpr const MsrRow* find_msr(std::uint32_t index) {
  for (const MsrRow& row : kMsrs) {
    if (index >= row.first && index <= row.last) return &row;
  }
  return nullptr;
}

inline constexpr std::uint32_t kFirstMsr = 0x40000000;
inline constexpr std::uint32_t kLastMsr = 0x40001FFF;

inline constexpr std::uint64_t kResetBit = 1;
// CRASH_CTL: the guest may notify, and name a message.
inline constexpr std::uint64_t kCrashNotify = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kCrashMessage = std::uint64_t{1} << 62;

}  // namespace vitrine::hv::tlfs
