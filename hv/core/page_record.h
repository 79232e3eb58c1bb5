// The page table of the machine's memory: who owns each physical page and what it is used for.
#pragma once

#include <cstdint>
#include <string_view>

namespace vitrine::hv {

// What a page is used for. Everything from pool_free on belongs to some partition's memory pool.
enum class PageUse : std::uint8_t {
  absent,     // no RAM, or RAM that the hypervisor keeps
  ram,        // the root's, or mapped by it into children
  pool_free,  // deposited and not used
  partition,  // a child's Partition object
  virtual_processor,
  platform,     // state that the image keeps for a partition or a virtual processor
  translation,  // second-level translation tables of the image
  gpa_map,      // tables of GpaSpace
  overlay,      // hypercall, reference-TSC, message, event-flag and assist pages
  port,
  message,
  slots,  // intercepts and connections
  event_log,
  event_log_buffer,
};
inline constexpr std::uint32_t kPageUses = 14;
inline constexpr std::string_view kPageUseNames[kPageUses] = {
    "absent",   "ram",         "pool_free", "partition",       "virtual_processor",
    "platform", "translation", "gpa_map",   "overlay",         "port",
    "message",  "slots",       "event_log", "event_log_buffer"};

// Rights of an access to a page; the bits are those of the TLFS map flags.
enum class Rights : std::uint8_t { none = 0, read = 1, write = 2, execute = 4, all = 7 };
constexpr bool includes(Rights have, Rights need) {
  return (static_cast<unsigned>(need) & ~static_cast<unsigned>(have)) == 0;
}

// One record per physical page, 20 bytes, indexed by page number.
struct PageRecord {
  std::uint32_t owner{};     // the partition whose pool has the page, 0 for none
  std::uint32_t next{};      // free list of the pool: page number, 0 at the end
  std::uint32_t gpa_page{};  // where the depositor had the page, and gets it back
  std::uint32_t mappings{};  // how often children map it; used entries, for a table of a GPA map
  PageUse use{};
  Rights root_rights{};  // what the root may do with a page of use `ram`
  std::uint16_t reserved{};
};
static_assert(sizeof(PageRecord) == 20);

// Decided: guest-physical addresses have 44 bits, so that a page number fits 32.
inline constexpr std::uint64_t kGpaPages = std::uint64_t{1} << 32;

}  // namespace vitrine::hv
