// TagSets: the tags of a set-associative structure, most recently used first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::timing {

/// Tag{} is an empty way. Replacement is exact LRU, so that contents depend on the accesses alone.
template <class Tag>
class TagSets {
  static_assert(std::has_unique_object_representations_v<Tag>, "tags are hashed as bytes");

 public:
  TagSets(uint32_t sets, uint32_t ways) : sets_(sets), ways_(ways), tags_(size_t{sets} * ways) {}

  uint32_t sets() const { return sets_; }

  bool holds(uint64_t set, const Tag& tag) const {
    const Tag* const first = way(set);
    return std::find(first, first + ways_, tag) != first + ways_;
  }
  /// Makes the tag the most recent of its set. Returns what was dropped for it: Tag{} when it was there
  /// or a way was empty.
  Tag touch(uint64_t set, const Tag& tag) {
    Tag* const first = way(set);
    if (*first == tag) return {};
    Tag* const found = std::find(first, first + ways_, tag);
    Tag* const last = found == first + ways_ ? found - 1 : found;
    const Tag dropped = found == last ? Tag{} : *last;
    std::rotate(first, last, last + 1);
    *first = tag;
    return dropped;
  }
  void drop(uint64_t set, const Tag& tag) {
    Tag* const first = way(set);
    Tag* const found = std::find(first, first + ways_, tag);
    if (found == first + ways_) return;
    std::rotate(found, found + 1, first + ways_);
    first[ways_ - 1] = Tag{};
  }
  template <class Unwanted>
  void drop_if(Unwanted unwanted) {
    for (uint64_t set = 0; set < sets_; ++set) {
      Tag* const first = way(set);
      Tag* const rest = std::remove_if(first, first + ways_, unwanted);
      std::fill(rest, first + ways_, Tag{});
    }
  }
  void clear() { std::fill(tags_.begin(), tags_.end(), Tag{}); }

  void visit(StateVisitor& v, std::string_view name) {
    v.bytes(name, std::as_writable_bytes(std::span{tags_}));
  }

 private:
  Tag* way(uint64_t set) { return tags_.data() + set * ways_; }
  const Tag* way(uint64_t set) const { return tags_.data() + set * ways_; }

  uint32_t sets_, ways_;
  std::vector<Tag> tags_;
};

}  // namespace vitrine::emu::timing
