// Input and output structures of the calls on partitions, 0x0040 to 0x004A.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hv/tlfs/types.h"

namespace vitrine::hv::tlfs {

// Calls whose only parameter is a partition: initialize, finalize, delete, clear virtual interrupt.
struct PartitionInput {
  PartitionId partition{};
};
static_assert(sizeof(PartitionInput) == 8);

// Calls whose only answer is a partition.
struct PartitionOutput {
  PartitionId partition{};
};
static_assert(sizeof(PartitionOutput) == 8);

// HvCreatePartition, the 16 bytes of versions 1 and 2; later editions append to them.
struct CreatePartitionInput {
  std::uint64_t flags{};
  ProximityInfo proximity{};
};
static_assert(sizeof(CreatePartitionInput) == 16);

// HvGetPartitionProperty.
struct GetPropertyInput {
  PartitionId partition{};
  std::uint32_t code{};
  std::uint32_t padding{};
};
static_assert(sizeof(GetPropertyInput) == 16);

// HvSetPartitionProperty.
struct SetPropertyInput {
  PartitionId partition{};
  std::uint32_t code{};
  std::uint32_t padding{};
  std::uint64_t value{};
};
static_assert(sizeof(SetPropertyInput) == 24 && offsetof(SetPropertyInput, value) == 16);

struct PropertyOutput {
  std::uint64_t value{};
};
static_assert(sizeof(PropertyOutput) == 8);

// HvGetNextChildPartition.
struct NextChildInput {
  PartitionId parent{};
  PartitionId previous{};  // 0 for the first
};
static_assert(sizeof(NextChildInput) == 16);

// A page number in the caller's guest-physical space: an element of a deposit or withdrawal list.
struct GpaPageElement {
  std::uint64_t page{};
};
static_assert(sizeof(GpaPageElement) == 8);

// HvWithdrawMemory (header) and HvGetMemoryBalance. HvDepositMemory's header is a PartitionInput.
struct PoolInput {
  PartitionId partition{};
  ProximityInfo proximity{};
};
static_assert(sizeof(PoolInput) == 16);

struct BalanceOutput {
  std::uint64_t available{};
  std::uint64_t in_use{};
};
static_assert(sizeof(BalanceOutput) == 16);

}  // namespace vitrine::hv::tlfs
