// Slots: small records of a partition, 126 to a page of its pool, for intercepts and connections.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/hypervisor.h"
#include "hv/tlfs/types.h"

namespace vitrine::hv {

struct Slot {
  std::uint32_t used{};
  std::uint32_t key{};
  std::uint64_t first{};
  std::uint64_t second{};
  std::uint64_t third{};
};
static_assert(sizeof(Slot) == 32);

inline constexpr std::uint32_t kSlotsPerPage = 126;

struct SlotPage {
  std::uint64_t next{};  // the next SlotPage of the chain
  std::uint64_t used{};
  std::array<std::uint64_t, 6> reserved{};
  std::array<Slot, kSlotsPerPage> slots{};
};
static_assert(sizeof(SlotPage) == tlfs::kPageSize);

// An empty slot of the chain, marked used; null when that needs a page and the pool has none.
Slot* add_slot(Hypervisor& hv, Partition& partition, std::uint64_t& chain);

// Frees a slot of the chain, and its page with the last one.
void remove_slot(Hypervisor& hv, Partition& partition, std::uint64_t& chain, const Slot& slot);

// The first used slot for which `wanted` is true, null if there is none.
template <class Wanted>
Slot* find_slot(const Hypervisor& hv, std::uint64_t chain, Wanted wanted) {
  while (chain != 0) {
    SlotPage& page = *hv.at<SlotPage>(chain);
    for (Slot& slot : page.slots) {
      if (slot.used != 0 && wanted(slot)) return &slot;
    }
    chain = page.next;
  }
  return nullptr;
}

}  // namespace vitrine::hv
