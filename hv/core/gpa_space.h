// The guest-physical space of a partition: which page of memory stands at which page number, with
// what rights.
#pragma once

#include <cstdint>

#include "hv/core/outcome.h"
#include "hv/core/page_record.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

// A child's map is a tree of 512-entry tables in pages of its pool (PageUse::gpa_map), four levels
// deep like the processor's own, so that it costs one page per 2 MiB of dense mapping. The root has
// no tree: its space is the machine's memory, one to one, and its rights are in the page records.
struct GpaEntry {
  std::uint64_t word{};  // 0: unmapped

  // 2:0 rights, 3 mapped, 4 deposited (frozen until withdrawn), 51:12 page
  static constexpr std::uint64_t kMapped = 8;
  static constexpr std::uint64_t kDeposited = 16;

  constexpr bool mapped() const { return (word & kMapped) != 0; }
  constexpr bool deposited() const { return (word & kDeposited) != 0; }
  constexpr Rights rights() const { return static_cast<Rights>(word & 7); }
  constexpr std::uint64_t page() const { return word >> 12; }
  static constexpr GpaEntry make(std::uint64_t page, Rights rights, bool is_deposited = false) {
    return {(page << 12) | kMapped | (is_deposited ? kDeposited : 0) |
            static_cast<std::uint64_t>(rights)};
  }
};

// What stands at a page, without overlays: for the root a mapped entry with its rights, or
// unmapped.
GpaEntry lookup(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa_page);

// The physical address behind `gpa` when the access is allowed to stay within its page; 0 when the
// page is not mapped with these rights. Overlay pages are not looked at: TLFS leaves their use as
// parameter pages undefined.
std::uint64_t reach(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa,
                    Rights rights);

// Maps a page into a child; what was mapped there goes. insufficient_memory when the pool has no
// page for a table, and then nothing has changed.
Status map_page(Hypervisor& hv, Partition& child, std::uint64_t gpa_page, std::uint64_t page,
                Rights rights);
// True if something was mapped there.
bool unmap_page(Hypervisor& hv, Partition& child, std::uint64_t gpa_page);
// Sets or clears the deposited mark of a child's mapping; while set, the guest has no access.
void mark_deposited(Hypervisor& hv, Partition& child, std::uint64_t gpa_page, bool deposited);
// Removes the first mapping at or after `from`; false when there is none. `from` moves behind it.
bool unmap_next(Hypervisor& hv, Partition& child, std::uint64_t& from);

// Remembers that rights or mappings of the partition were taken away, and makes every processor forget
// them: once, at the end of the attempt.
void mark_stale(Hypervisor& hv, Partition& partition);
void flush_stale(Hypervisor& hv);

// Gives the top table back; no mapping may be left.
void release_gpa_root(Hypervisor& hv, Partition& child);

// Puts a hypervisor page over whatever stands at `gpa_page`, and takes it off again.
bool place_overlay(Hypervisor& hv, Partition& partition, std::uint64_t gpa_page, std::uint64_t page,
                   Rights rights);
void remove_overlay(Hypervisor& hv, Partition& partition, std::uint64_t gpa_page);
// Whether one of the partition's overlays stands there, and which page it shows.
std::uint64_t overlay_at(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa_page);

}  // namespace vitrine::hv
