// Translations: cached translations of ordinary accesses with one set of rights, as compiled code knows them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "emu/arch/types.h"

namespace vitrine::emu {

/// A table of pages, and in front of it a few ranges: neighbouring pages that lie in the host as they lie
/// in the guest. Compiled code asks a range first, since that takes no look at the table whose place
/// depends on the address.
struct Translations {
  static constexpr size_t kEntries = 512;

  struct Entry {
    uint64_t read_tag = 0;
    uint64_t write_tag = 0;
    uint64_t addend = 0;  ///< host address minus guest-virtual address, modulo 2^64
    /// The page's Hpa, and kMayWrite when a write needs no walk: one was walked for, and D is set. Such a
    /// page lacks the write tag when somebody has to hear of writes.
    uint64_t physical = 0;
    static constexpr uint64_t kMayWrite = 1;
  };
  /// Accesses of up to kWidest bytes may start in the first `size` bytes.
  struct Range {
    uint64_t start = 0;
    uint64_t size = 0;
    uint64_t addend = 0;
  };
  static constexpr uint64_t kWidest = 32;
  /// Whose range it is: accesses of one kind tend to stay in one part of memory.
  enum Kind : uint8_t { based, stack, fixed, segment, kKinds };

  std::array<Range, kKinds> read, write;
  /// How many more accesses may miss their range and be found in the table until compiled code has the
  /// range made anew, by a handler that does this access.
  int32_t patience = kPatience;
  uint32_t wanted = 0;  ///< index in read, or kKinds and more: in write
  uint64_t wanted_address = 0;
  bool filled = false;
  std::array<Entry, kEntries> entries;

  static constexpr int32_t kPatience = 200;

  /// A page that belongs to another slot: no address that is looked up in this one matches it.
  static constexpr uint64_t empty_tag(size_t slot) { return (uint64_t{slot} ^ 1) * kPageSize; }
  /// The slot of a page. Bits of higher ones are mixed in: data that lie a power of two apart are common.
  static constexpr unsigned kFold = 9;
  static size_t index(Gva gva) {
    return ((gva.value ^ gva.value >> kFold) >> 12) & (kEntries - 1);
  }

  Translations() { forget(); }
  /// Costs nothing where nothing was looked up.
  void clear() {
    if (filled) forget();
  }
  /// The entry for this page, to be filled.
  Entry& fill(Gva gva) {
    filled = true;
    return entries[index(gva)];
  }
  /// Makes the range that was missed last as wide as the cached pages around that address.
  void widen();
  void forget();
  /// Forgets the right to write to the page that lies at this host address.
  void drop_writes(uint64_t host_page);
};
static_assert(std::is_standard_layout_v<Translations>);

}  // namespace vitrine::emu
