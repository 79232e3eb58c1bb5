// MemoryModel: costs of lines and walks, bounded by fill buffers, walkers and the memory bus.
#include "emu/cpu/timing/memory_model.h"

#include <algorithm>

namespace vitrine::emu::timing {

namespace {

constexpr unsigned kLineShift = 6;
constexpr uint64_t kLineBytes = 64;

constexpr Ticks ticks(uint64_t cycles) { return cycles * kTicksPerCycle; }

}  // namespace

MemoryModel::MemoryModel(const CoreParameters& core, const Mmu& mmu)
    : core_(core), mmu_(mmu), caches_(core), translations_(core), branches_(core) {
  require(core.fill_buffers <= kMostBuffers && core.walkers <= kMostWalkers,
          "a core's buffers fit the model");
}

/// The entries that a translation of `gva` loads; rights do not matter for where they are.
bool MemoryModel::trace(Gva gva, WalkTrace& walk, Translation& found) const {
  const auto t = mmu_.peek(gva, AccessRequest{.smap_suspended = true}, &walk);
  if (!t) return false;
  found = *t;
  return true;
}

/// One line through the caches: it waits for a fill buffer, and for the bus if it is in none of them.
Ticks MemoryModel::line_cost(uint64_t line, CacheLevel level, Ticks at) {
  if (level == CacheLevel::first) {
    caches_.touch(line, CacheSide::data);
    return 0;
  }
  Ticks& buffer = fills_[next_fill_];
  next_fill_ = (next_fill_ + 1) % core_.fill_buffers;
  Ticks start = std::max(at, buffer);
  if (level == CacheLevel::memory || level == CacheLevel::stream) {
    start = std::max(start, bus_free_);
    bus_free_ = start + ticks(core_.dram_line_cycles);
  }
  const Ticks extra = ticks(caches_.extra(level));
  buffer = start + extra;
  caches_.touch(line, CacheSide::data);
  return buffer - at;
}

Ticks MemoryModel::walk_cost(Gva gva, Ticks at) {
  using Hit = TranslationModel::Hit;
  const Hit hit = translations_.find(TranslationModel::Side::data, gva, space_);
  if (hit != Hit::none) {
    translations_.touch(TranslationModel::Side::data, gva, space_);
    return hit == Hit::first ? 0 : ticks(core_.stlb_latency);
  }
  WalkTrace walk;
  Translation found;
  // The instruction itself may have taken the translation away; then nothing is known of its walk.
  if (!trace(gva, walk, found)) return 0;
  Ticks& walker = walks_[next_walk_];
  next_walk_ = (next_walk_ + 1) % core_.walkers;
  Ticks time = std::max(at + ticks(core_.stlb_latency), walker);
  const auto loads = translations_.needed(walk, gva, space_);
  for (size_t i = 0; i < loads.count; ++i) {
    const uint64_t line = loads.entries[i].value >> kLineShift;
    time += ticks(core_.load_latency);
    time += line_cost(line, caches_.find(line, CacheSide::data), time);
  }
  walker = time;
  translations_.learn(walk, gva, space_);
  translations_.fill(TranslationModel::Side::data, gva, space_, found.page_size,
                     walk.global && global_pages_);
  return time - at;
}

MemoryCost MemoryModel::data(const Access& access, Ticks at) {
  MemoryCost cost;
  const uint64_t page = (access.linear >> 12) + 1;
  if (page != last_page_) {
    cost.walk = walk_cost(Gva{access.linear}, at);
    last_page_ = page;
  }
  const uint64_t line = access.address >> kLineShift;
  const bool split = (access.address + access.size - 1) >> kLineShift != line;
  if (line + 1 != last_line_ || split) {
    cost.level = caches_.find(line, CacheSide::data);
    cost.extra = line_cost(line, cost.level, at + cost.walk);
    last_line_ = line + 1;
  }
  cost.extra += cost.walk;
  if (split) cost.extra += ticks(core_.split_line_cycles);
  return cost;
}

Ticks MemoryModel::fetch_line_cost(uint64_t line, bool follows) const {
  const CacheLevel level = caches_.find(line, CacheSide::code);
  if (level == CacheLevel::first) return 0;
  // Straight on, the next lines are under way already.
  if (follows && level == CacheLevel::second) return ticks(core_.fetch_stream_cycles);
  if (follows) return ticks(core_.stream_latency);
  return ticks(level == CacheLevel::second  ? core_.l2_latency
               : level == CacheLevel::third ? core_.l3_latency
                                            : core_.dram_latency);
}

Ticks MemoryModel::fetch_walk_cost(Gva gva) const {
  using Hit = TranslationModel::Hit;
  const Hit hit = translations_.find(TranslationModel::Side::code, gva, space_);
  if (hit == Hit::first) return 0;
  if (hit == Hit::second) return ticks(core_.stlb_latency);
  WalkTrace walk;
  Translation found;
  if (!trace(gva, walk, found)) return 0;
  Ticks cost = ticks(core_.stlb_latency);
  const auto loads = translations_.needed(walk, gva, space_);
  for (size_t i = 0; i < loads.count; ++i) {
    const CacheLevel level = caches_.find(loads.entries[i].value >> kLineShift, CacheSide::data);
    cost += ticks(core_.load_latency + caches_.extra(level));
  }
  return cost;
}

Ticks MemoryModel::fetch_cost(const CodePlace& code) const {
  const uint64_t first = code.first.value >> kLineShift;
  const uint64_t in_page = std::min<uint64_t>(code.bytes, kPageSize - (code.first.value & kPageMask));
  const uint64_t last = (code.first.value + in_page - 1) >> kLineShift;
  if (first == last && first + 1 == last_code_ && code.second.value == 0) return 0;
  Ticks cost = fetch_walk_cost(code.linear);
  for (uint64_t line = first; line <= last; ++line) {
    cost += fetch_line_cost(line, line != first || line == last_code_);
  }
  if (code.second.value != 0) {
    cost += fetch_walk_cost((code.linear & ~kPageMask) + kPageSize);
    cost += fetch_line_cost(code.second.value >> kLineShift, true);
  }
  return cost;
}

void MemoryModel::fetched(const CodePlace& code) {
  const auto translated = [&](Gva gva) {
    WalkTrace walk;
    Translation found;
    if (translations_.find(TranslationModel::Side::code, gva, space_) !=
        TranslationModel::Hit::none) {
      translations_.touch(TranslationModel::Side::code, gva, space_);
    } else if (trace(gva, walk, found)) {
      const auto loads = translations_.needed(walk, gva, space_);
      for (size_t i = 0; i < loads.count; ++i) {
        caches_.touch(loads.entries[i].value >> kLineShift, CacheSide::data);
      }
      translations_.learn(walk, gva, space_);
      translations_.fill(TranslationModel::Side::code, gva, space_, found.page_size,
                     walk.global && global_pages_);
    }
  };
  const uint64_t first = code.first.value >> kLineShift;
  const uint64_t in_page = std::min<uint64_t>(code.bytes, kPageSize - (code.first.value & kPageMask));
  const uint64_t last = (code.first.value + in_page - 1) >> kLineShift;
  if (first == last && first + 1 == last_code_ && code.second.value == 0) return;
  translated(code.linear);
  for (uint64_t line = first; line <= last; ++line) caches_.touch(line, CacheSide::code);
  last_code_ = last + 1;
  if (code.second.value != 0) {
    translated((code.linear & ~kPageMask) + kPageSize);
    caches_.touch(code.second.value >> kLineShift, CacheSide::code);
    last_code_ = (code.second.value >> kLineShift) + 1;
  }
}

uint32_t MemoryModel::own_access(Hpa address, uint32_t bytes) {
  uint32_t most = 0, lines = 0;
  const uint64_t last = (address.value + bytes - 1) >> kLineShift;
  for (uint64_t line = address.value >> kLineShift; line <= last; ++line, ++lines) {
    most = std::max(most, caches_.extra(caches_.find(line, CacheSide::data)));
    caches_.touch(line, CacheSide::data);
  }
  last_line_ = 0;
  return most == 0 ? 0 : most + lines;
}

void MemoryModel::invalidate(const Invalidation& what) {
  translations_.invalidate(what);
  last_page_ = last_code_ = 0;
}

void MemoryModel::flush_line(Hpa address) {
  caches_.drop(address.value / kLineBytes);
  last_line_ = last_code_ = 0;
}

void MemoryModel::visit(StateVisitor& v) {
  v.enter("memory");
  v.field("vpid", space_.vpid);
  v.field("pcid", space_.pcid);
  v.field("ept", space_.ept);
  v.field("global_pages", global_pages_);
  caches_.visit(v);
  translations_.visit(v);
  branches_.visit(v);
  v.field("last_page", last_page_);
  v.field("last_line", last_line_);
  v.field("last_code", last_code_);
  v.field("fills", fills_);
  v.field("walks", walks_);
  v.field("next_fill", next_fill_);
  v.field("next_walk", next_walk_);
  v.field("bus_free", bus_free_);
  v.leave();
  if (v.loading() && (next_fill_ >= core_.fill_buffers || next_walk_ >= core_.walkers)) v.reject();
}

}  // namespace vitrine::emu::timing
