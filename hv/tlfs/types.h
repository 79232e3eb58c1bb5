// The scalar types of the TLFS: pages, identifiers, register values, NUMA information.
#pragma once

#include <cstdint>

namespace vitrine::hv::tlfs {

inline constexpr std::uint64_t kPageSize = 4096;
inline constexpr unsigned kPageShift = 12;

// HV_PARTITION_ID. Zero never names a partition.
// Differs: TLFS 2.0 has no HV_PARTITION_ID_SELF; the later editions' ~0 is accepted everywhere.
using PartitionId = std::uint64_t;
inline constexpr PartitionId kInvalidPartition = 0;
inline constexpr PartitionId kSelf = ~std::uint64_t{0};

using VpIndex = std::uint32_t;
inline constexpr VpIndex kAnyVp = 0xFFFFFFFF;

// HV_UINT128: register values and XMM registers, low quadword first.
struct U128 {
  std::uint64_t low{};
  std::uint64_t high{};

  friend constexpr bool operator==(const U128&, const U128&) = default;
};
static_assert(sizeof(U128) == 16);

// HV_PROXIMITY_DOMAIN_INFO: which NUMA node memory should come from.
struct ProximityInfo {
  std::uint32_t domain{};
  std::uint32_t flags{};

  static constexpr std::uint32_t kPreferred = 1U << 0;
  static constexpr std::uint32_t kValid = 1U << 31;

  // Decided: the machine has one node, 0. "Not valid" means any node and its number is not looked
  // at.
  constexpr bool acceptable() const {
    if ((flags & ~(kPreferred | kValid)) != 0) return false;
    return (flags & kValid) == 0 || domain == 0;
  }
};
static_assert(sizeof(ProximityInfo) == 8);

// A call without input, without output, or a rep call without a list.
struct Nothing {};

}  // namespace vitrine::hv::tlfs
