// CacheModel: which level of a core's caches has a line, and what that costs.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/tag_sets.h"

namespace vitrine::emu::timing {

enum class CacheSide : uint8_t { data, code };

/// Where a line was found. `stream`: beyond the second level, but the prefetcher had asked for it.
enum class CacheLevel : uint8_t { first, second, third, memory, stream };

/// First-level caches for code and data, a second level for both, and a third level that takes what
/// the second drops, as Skylake-SP and Zen 4 have them. Lines are 64 bytes of physical memory. Each
/// processor has its own: no other processor and no device takes a line away.
class CacheModel {
 public:
  explicit CacheModel(const CoreParameters& core);

  CacheLevel find(uint64_t line, CacheSide side) const;
  /// The line is used: brings it to the first level.
  void touch(uint64_t line, CacheSide side);
  /// Cycles from address to data beyond those of a first-level hit.
  uint32_t extra(CacheLevel level) const;
  /// CLFLUSH and its kind: the line is in no cache.
  void drop(uint64_t line);
  void clear();
  void visit(StateVisitor& v);

 private:
  using Tags = TagSets<uint32_t>;
  struct Stream {
    uint64_t page = 0;  ///< number plus one; 0: none
    uint8_t line = 0;   ///< last, within the page
    uint8_t run = 0;    ///< lines in a row
    uint8_t down = 0;   ///< towards lower addresses
  };
  static constexpr size_t kStreams = 16;
  static constexpr uint8_t kTrained = 2;

  // The part of a line's number above its set's, plus one: 0 is an empty way.
  static uint64_t set_of(const Tags& tags, uint64_t line) { return line % tags.sets(); }
  static uint32_t tag_of(const Tags& tags, uint64_t line) {
    return static_cast<uint32_t>(line / tags.sets()) + 1;
  }
  static bool has(const Tags& tags, uint64_t line) {
    return tags.holds(set_of(tags, line), tag_of(tags, line));
  }
  bool streams(uint64_t line) const;
  bool turns_page(uint64_t at) const;
  void train(uint64_t line);

  const CoreParameters& core_;
  Tags code_, data_, second_, third_;
  std::array<Stream, kStreams> streams_{};  ///< most recent first
};

}  // namespace vitrine::emu::timing
