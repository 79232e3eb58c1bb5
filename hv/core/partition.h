// A partition: its place in the tree, state, privileges, pool, memory map and everything it owns.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hv/core/memory_pool.h"
#include "hv/core/virtual_processor.h"
#include "hv/tlfs/privileges.h"

namespace vitrine::hv {

enum class PartitionState : std::uint32_t { uninitialized, active, finalizing, finalized };
inline constexpr std::string_view kPartitionStateNames[] = {"uninitialized", "active", "finalizing",
                                                            "finalized"};

// What finalization takes apart, in this order. A unit is one object, one mapping or one page.
enum class FinalizeStage : std::uint32_t {
  messages,
  timers,
  virtual_processors,
  intercepts,
  ports,
  connections,
  mappings,
  translations,
  overlays,
  done,
};
inline constexpr std::string_view kFinalizeStageNames[] = {
    "messages",    "timers",   "virtual_processors", "intercepts", "ports",
    "connections", "mappings", "translations",       "overlays",   "done"};

struct Finalization {
  FinalizeStage stage{};
  std::uint32_t attempts{};  // slices begun
  std::uint64_t units_done{};
  std::uint64_t units_at_start{};  // what was there when it began
  std::uint64_t cursor{};          // where the walk over the memory map stands: a GPA page number
};

inline constexpr std::uint32_t kMaximumVps = 64;

// Overlay pages of a partition, in the order of Partition::overlay.
enum class PartitionOverlay : std::uint32_t { hypercall, reference_tsc };
inline constexpr std::uint32_t kPartitionOverlays = 2;

// The properties that are values and nothing more, in the order of Partition::properties.
inline constexpr std::uint32_t kStoredProperties = 8;

// One page of the creator's pool (the root's is the hypervisor's own). Links are physical addresses
// of the objects, 0 for none.
struct Partition {
  std::uint64_t id{};
  std::uint64_t parent_id{};
  std::uint64_t parent{};
  std::uint64_t next{};  // all partitions, in order of id
  std::uint32_t child_count{};
  std::uint32_t depth{};  // the root's is 0
  PartitionState state{};
  std::uint32_t reserved{};
  std::uint64_t privileges{};
  std::uint64_t creation_flags{};
  MemoryPool pool;
  Finalization finalization;

  std::uint64_t gpa_root{};  // the top table of GpaSpace; the root partition has none
  std::uint64_t mapping_count{};

  std::array<std::uint64_t, kMaximumVps> vps{};  // by index
  std::uint32_t vp_count{};
  std::uint32_t intercept_count{};
  std::uint32_t port_count{};
  std::uint32_t connection_count{};
  std::uint64_t first_port{};
  std::uint64_t intercept_slots{};  // chains of SlotPage
  std::uint64_t connection_slots{};
  std::uint32_t interrupt_asserted{};  // ExtINT of HvAssertVirtualInterrupt, not yet acknowledged
  std::uint32_t interrupt_acknowledged{};  // acknowledged by the guest, not yet cleared
  std::uint32_t interrupt_vector{};
  std::uint32_t overlay_count{};

  std::uint64_t guest_os_id{};  // MSR values
  std::uint64_t hypercall{};
  std::uint64_t reference_tsc{};
  std::array<std::uint64_t, 5> crash_parameters{};
  std::uint64_t crash_control{};
  std::uint64_t created_at{};  // TSC when its reference time was 0
  std::array<std::uint64_t, kPartitionOverlays> overlay{};
  std::array<std::uint64_t, kStoredProperties> properties{};
  std::array<std::uint64_t, kMaximumPlatformPages> platform_pages{};
  std::uint64_t platform_data{};  // the image's own
};
static_assert(sizeof(Partition) <= tlfs::kPageSize);

// Units of finalization that a stage still has to do.
std::uint64_t units_left(const Hypervisor& hv, const Partition& partition, FinalizeStage stage);

constexpr bool has_privilege(const Partition& partition, tlfs::Privilege privilege) {
  return (partition.privileges & tlfs::mask_of(privilege)) == tlfs::mask_of(privilege);
}

}  // namespace vitrine::hv
