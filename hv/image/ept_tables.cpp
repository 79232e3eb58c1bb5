// EPT tables: mapping, splitting and walking.
#include "hv/image/ept_tables.h"

#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kAddressMask = 0x000F'FFFF'FFFF'F000;
constexpr std::uint64_t kTableRights = arch::ept::rights;
constexpr unsigned kEntries = 512;

// Bytes that one entry of a level covers; level 1 holds 4 KiB pages, level 4 is the top.
constexpr std::uint64_t coverage(unsigned level) {
  return std::uint64_t{1} << (12 + 9 * (level - 1));
}
static_assert(coverage(1) == 4096 && coverage(2) == 0x200000 && coverage(3) == 0x40000000);

constexpr unsigned index_of(std::uint64_t gpa, unsigned level) {
  return static_cast<unsigned>(gpa / coverage(level)) % kEntries;
}

constexpr bool is_leaf(std::uint64_t entry, unsigned level) {
  return level == 1 || (entry & arch::ept::large) != 0;
}

constexpr bool is_present(std::uint64_t entry) { return (entry & arch::ept::rights) != 0; }

}  // namespace

bool EptTables::create(PageSource source) {
  source_ = source;
  root_ = source_.allocate(source_.context);
  return root_ != 0;
}

void EptTables::destroy() {
  if (root_ != 0) release_table(root_, kLevels);
  root_ = 0;
}

void EptTables::release_table(std::uint64_t table, unsigned level) {
  const auto* const entries = at<std::uint64_t>(table);
  for (unsigned i = 0; i < kEntries && level > 1; ++i) {
    if (is_present(entries[i]) && !is_leaf(entries[i], level)) {
      release_table(entries[i] & kAddressMask, level - 1);
    }
  }
  source_.release(source_.context, table);
}

unsigned EptTables::missing_tables(std::uint64_t gpa) const {
  std::uint64_t table = root_;
  for (unsigned level = kLevels; level > 1; --level) {
    const std::uint64_t entry = at<std::uint64_t>(table)[index_of(gpa, level)];
    if (!is_present(entry) || is_leaf(entry, level)) return level - 1;
    table = entry & kAddressMask;
  }
  return 0;
}

bool EptTables::release_one() {
  if (root_ == 0) return false;
  std::uint64_t* link = &root_;
  for (unsigned level = kLevels; level > 1; --level) {
    auto* const entries = at<std::uint64_t>(*link & kAddressMask);
    std::uint64_t* below = nullptr;
    for (unsigned i = 0; i < kEntries && below == nullptr; ++i) {
      if (is_present(entries[i]) && !is_leaf(entries[i], level)) below = &entries[i];
    }
    if (below == nullptr) break;
    link = below;
  }
  const std::uint64_t page = *link & kAddressMask;
  *link = 0;
  source_.release(source_.context, page);
  return true;
}

// The entry for `gpa` at `level`, making the tables above it and splitting large pages on the way.
std::uint64_t* EptTables::table_entry(std::uint64_t gpa, unsigned level) {
  std::uint64_t table = root_;
  for (unsigned upper = kLevels; upper > level; --upper) {
    std::uint64_t& entry = at<std::uint64_t>(table)[index_of(gpa, upper)];
    if (!is_present(entry) || is_leaf(entry, upper)) {
      const std::uint64_t page = source_.allocate(source_.context);
      if (page == 0) return nullptr;
      if (is_present(entry)) {
        const std::uint64_t step = coverage(upper - 1);
        const std::uint64_t first = upper == 2 ? entry & ~arch::ept::large : entry;
        for (unsigned i = 0; i < kEntries; ++i) at<std::uint64_t>(page)[i] = first + i * step;
      }
      entry = page | kTableRights;
    }
    table = entry & kAddressMask;
  }
  return &at<std::uint64_t>(table)[index_of(gpa, level)];
}

bool EptTables::set(std::uint64_t gpa, unsigned level, std::uint64_t entry) {
  std::uint64_t* const slot = table_entry(gpa, level);
  if (slot == nullptr) return false;
  const std::uint64_t old = *slot;
  *slot = entry;
  if (is_present(old) && !is_leaf(old, level)) release_table(old & kAddressMask, level - 1);
  return true;
}

bool EptTables::map(std::uint64_t gpa, std::uint64_t spa, std::uint64_t size, EptLeaf leaf) {
  while (size != 0) {
    unsigned level = 3;
    while (level > 1 && (((gpa | spa) % coverage(level)) != 0 || size < coverage(level))) --level;
    const std::uint64_t entry = spa | leaf.bits | (level > 1 ? arch::ept::large : 0);
    if (!set(gpa, level, entry)) return false;
    gpa += coverage(level);
    spa += coverage(level);
    size -= coverage(level);
  }
  return true;
}

bool EptTables::unmap(std::uint64_t gpa, std::uint64_t size) {
  while (size != 0) {
    std::uint64_t page_size = 0;
    const std::uint64_t entry = lookup(gpa, &page_size);
    const std::uint64_t offset = gpa % page_size;
    if (!is_present(entry)) {
      // Nothing here: go on behind the hole.
      const std::uint64_t step = page_size - offset;
      if (step >= size) return true;
      gpa += step;
      size -= step;
      continue;
    }
    unsigned level = 1;
    while (level < 3 && coverage(level) < page_size && (gpa % coverage(level + 1)) == 0 &&
           size >= coverage(level + 1)) {
      ++level;
    }
    if (!set(gpa, level, 0)) return false;
    gpa += coverage(level);
    size -= coverage(level);
  }
  return true;
}

std::uint64_t EptTables::lookup(std::uint64_t gpa, std::uint64_t* size) const {
  std::uint64_t table = root_;
  for (unsigned level = kLevels;; --level) {
    const std::uint64_t entry = at<std::uint64_t>(table)[index_of(gpa, level)];
    if (!is_present(entry) || is_leaf(entry, level)) {
      if (size != nullptr) *size = coverage(level);
      return entry;
    }
    table = entry & kAddressMask;
  }
}

}  // namespace vitrine::hv
