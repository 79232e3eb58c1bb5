// The partition privilege mask (CPUID 0x40000003 EAX:EBX, property 0x00010000) as a table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrine::hv::tlfs {

// clang-format off
enum class Privilege : std::uint8_t {
  access_vp_run_time            = 0,
  access_reference_counter      = 1,
  access_synic                  = 2,
  access_synthetic_timers       = 3,
  access_apic                   = 4,
  access_hypercall_msrs         = 5,
  access_vp_index               = 6,
  access_reset                  = 7,
  access_stats_msr              = 8,
  access_reference_tsc          = 9,
  access_guest_idle             = 10,
  access_frequency              = 11,
  access_debug_msrs             = 12,
  access_reenlightenment        = 13,
  access_tsc_invariant          = 15,
  create_partitions             = 32,
  access_partition_id           = 33,
  access_memory_pool            = 34,
  adjust_message_buffers        = 35,
  post_messages                 = 36,
  signal_events                 = 37,
  create_port                   = 38,
  connect_port                  = 39,
  access_stats                  = 40,
  debugging                     = 43,
  cpu_management                = 44,
  configure_profiler            = 45,
  access_vsm                    = 48,
  access_vp_registers           = 49,
  none                          = 0xFF,
};

struct PrivilegeRow {
  Privilege bit;
  std::string_view name;
  bool child_default;  // TLFS 2.0 "Partition Privilege Flags": the initial value of a non-root partition
  bool root_only;      // never granted to another partition
};

inline constexpr auto kPrivileges = std::to_array<PrivilegeRow>({
  {Privilege::access_vp_run_time,       "AccessVpRunTimeMsr",              true,  false},
  {Privilege::access_reference_counter, "AccessPartitionReferenceCounter", true,  false},
  {Privilege::access_synic,             "AccessSynicMsrs",                 true,  false},
  {Privilege::access_synthetic_timers,  "AccessSyntheticTimerMsrs",        true,  false},
  {Privilege::access_apic,              "AccessApicMsrs",                  true,  false},
  {Privilege::access_hypercall_msrs,    "AccessHypercallMsrs",             true,  false},
  {Privilege::access_vp_index,          "AccessVpIndex",                   true,  false},
  {Privilege::access_reset,             "AccessResetMsr",                  true,  false},
  {Privilege::access_stats_msr,         "AccessStatsMsr",                  true,  false},
  {Privilege::access_reference_tsc,     "AccessPartitionReferenceTsc",     false, false},
  {Privilege::access_guest_idle,        "AccessGuestIdleMsr",              true,  false},
  {Privilege::access_frequency,         "AccessFrequencyMsrs",             false, false},
  {Privilege::access_debug_msrs,        "AccessDebugMsrs",                 false, false},
  {Privilege::access_reenlightenment,   "AccessReenlightenmentControls",   false, false},
  {Privilege::access_tsc_invariant,     "AccessTscInvariantControls",      false, false},
  {Privilege::create_partitions,        "CreatePartitions",                false, false},
  {Privilege::access_partition_id,      "AccessPartitionId",               false, false},
  {Privilege::access_memory_pool,       "AccessMemoryPool",                false, false},
  {Privilege::adjust_message_buffers,   "AdjustMessageBuffers",            false, false},
  {Privilege::post_messages,            "PostMessages",                    false, false},
  {Privilege::signal_events,            "SignalEvents",                    false, false},
  {Privilege::create_port,              "CreatePort",                      false, false},
  {Privilege::connect_port,             "ConnectPort",                     false, false},
  {Privilege::access_stats,             "AccessStats",                     false, false},
  {Privilege::debugging,                "Debugging",                       false, true},
  {Privilege::cpu_management,           "CpuManagement",                   false, true},
  {Privilege::configure_profiler,       "ConfigureProfiler",               false, false},
  {Privilege::access_vsm,               "AccessVsm",                       false, false},
  {Privilege::access_vp_registers,      "AccessVpRegisters",               false, false},
});
// clang-format on

constexpr bool privileges_ascend() {
  for (std::size_t i = 1; i < kPrivileges.size(); ++i) {
    if (kPrivileges[i].bit <= kPrivileges[i - 1].bit) return false;
  }
  return true;
}
static_assert(privileges_ascend());

constexpr std::uint64_t mask_of(Privilege privilege) {
  return privilege == Privilege::none ? 0 : std::uint64_t{1} << static_cast<unsigned>(privilege);
}

constexpr std::uint64_t privileges_where(bool PrivilegeRow::*column) {
  std::uint64_t mask = 0;
  for (const PrivilegeRow& row : kPrivileges) {
    if (row.*column) mask |= mask_of(row.bit);
  }
  return mask;
}
constexpr std::uint64_t all_privileges() {
  std::uint64_t mask = 0;
  for (const PrivilegeRow& row : kPrivileges) mask |= mask_of(row.bit);
  return mask;
}

inline constexpr std::uint64_t kChildPrivileges = privileges_where(&PrivilegeRow::child_default);
inline constexpr std::uint64_t kRootOnlyPrivileges = privileges_where(&PrivilegeRow::root_only);
inline constexpr std::uint64_t kDefinedPrivileges = all_privileges();
static_assert(kChildPrivileges == 0x5FF);

}  // namespace vitrine::hv::tlfs
