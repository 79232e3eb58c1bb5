// Memory pools: the pages a partition was given for its own hypervisor objects, each accounted for.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/outcome.h"
#include "hv/core/page_record.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

// What objects cost, in pages of the pool they come from:
//   partition (creator's pool)   1
//   initialized partition        1 GPA table + 2 overlays + Platform::partition_pages
//   virtual processor            1 + 4 overlays + Platform::vp_pages
//   GPA map                      1 table per started 2 MiB, 1 GiB, 512 GiB, and the image's own
//   tables port                         2 (the port, its 16 messages) intercepts, connections 1 per
//   126 of each event-log group              1 per started 64 buffers; a buffer its pages, and 1
//   list if it has several
struct MemoryPool {
  std::uint64_t deposited{};
  std::uint64_t available{};
  std::uint64_t first_free{};                       // page number, 0 for none
  std::array<std::uint64_t, kPageUses> used_for{};  // pages in use, by PageUse
};

// A zeroed page from the partition's pool, as a physical address; 0 when the pool has none.
std::uint64_t take_page(Hypervisor& hv, Partition& partition, PageUse use);
void give_page(Hypervisor& hv, Partition& partition, std::uint64_t address);

// Takes the page that `depositor` has at `gpa_page` away from it, into the pool of `partition`.
Status deposit_page(Hypervisor& hv, Partition& depositor, Partition& partition,
                    std::uint64_t gpa_page);
// Gives an unused page back to the depositor, zeroed; its page number there is the answer.
Outcome<std::uint64_t> withdraw_page(Hypervisor& hv, Partition& depositor, Partition& partition);

}  // namespace vitrine::hv
