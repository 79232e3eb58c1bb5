// Ranges of cached translations: made from neighbouring pages, forgotten with the rights they stand for.
#include "emu/mmu/translations.h"

namespace vitrine::emu {

void Translations::forget() {
  read.fill(Range{});
  write.fill(Range{});
  patience = kPatience;
  size_t i = 0;
  for (Entry& e : entries) {
    e = {empty_tag(i), empty_tag(i), 0, 0};
    ++i;
  }
  filled = false;
}

void Translations::widen() {
  patience = kPatience;
  const bool writes = wanted >= kKinds;
  Range& range = writes ? write[wanted - kKinds] : read[wanted];
  const uint64_t page = wanted_address & ~kPageMask;
  const uint64_t addend = entries[index(Gva{page})].addend;
  const auto belongs = [&](uint64_t gva) {
    const Entry& e = entries[index(Gva{gva})];
    return e.addend == addend && (writes ? e.write_tag : e.read_tag) == gva;
  };
  if (!belongs(page)) return;
  uint64_t first = page, end = page + kPageSize;
  // What was known before and still is goes on being known.
  const uint64_t known_end = range.start + range.size + kWidest - 1;
  const bool joins = range.size != 0 && range.addend == addend;
  for (uint64_t n = 0; n < kEntries && first != 0 && belongs(first - kPageSize); ++n) {
    first -= kPageSize;
  }
  for (uint64_t n = 0; n < kEntries && end != 0 && belongs(end); ++n) end += kPageSize;
  if (joins && range.start <= end && first <= known_end) {
    if (range.start < first) first = range.start;
    if (known_end > end) end = known_end;
  }
  range = {first, end - first - (kWidest - 1), addend};
}

void Translations::drop_writes(uint64_t host_page) {
  if (!filled) return;
  for (size_t i = 0; i < kEntries; ++i) {
    Entry& e = entries[i];
    if (e.addend + e.write_tag == host_page) e.write_tag = empty_tag(i);
  }
  for (Range& range : write) {
    const uint64_t distance = host_page - (range.addend + range.start);
    if (range.size != 0 && distance < range.size + kWidest - 1) range = {};
  }
}

}  // namespace vitrine::emu
