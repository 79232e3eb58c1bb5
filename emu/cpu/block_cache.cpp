// BlockCache: finding blocks by where and how they run, and dropping them when their bytes change.
#include <algorithm>

#include "emu/cpu/block.h"
#include "emu/cpu/jit/code.h"

namespace vitrine::emu {

namespace {

/// Page of RAM behind a physical address; none for devices and holes.
const BusRange* backing(const Bus& bus, Hpa hpa) {
  const BusRange& range = bus.find(hpa);
  const bool stored = range.kind == BusRange::Kind::ram || range.kind == BusRange::Kind::rom;
  return stored ? &range : nullptr;
}

}  // namespace

BlockCache::BlockCache(Bus& bus) : bus_(bus), fast_(kFastSlots, nullptr) {
  bus.memory().add_sink(*this);
}

Block* BlockCache::find_slow(Hpa hpa, Gva gva, ModeKey mode) {
  const auto found = by_hpa_.find(hpa.value);
  if (found == by_hpa_.end()) return nullptr;
  for (Block* block : found->second) {
    if (block->gva == gva && block->mode == mode) {
      fast_[slot(hpa, gva, mode)] = block;
      return block;
    }
  }
  return nullptr;
}

Block* BlockCache::insert(std::unique_ptr<Block> owned) {
  Block* const block = owned.get();
  const uint64_t in_first = std::min<uint64_t>(block->bytes,
                                               kPageSize - (block->hpa.value & kPageMask));
  if (const BusRange* range = backing(bus_, block->hpa)) {
    const uint64_t offset = range->ram_offset + (block->hpa - range->start);
    bus_.memory().mark_lines(offset, in_first, mark::code);
    by_page_[offset & ~kPageMask].push_back(block);
  }
  if (in_first < block->bytes) {
    if (const BusRange* range = backing(bus_, block->second_page)) {
      const uint64_t offset = range->ram_offset + (block->second_page - range->start);
      bus_.memory().mark_lines(offset, block->bytes - in_first, mark::code);
      by_page_[offset].push_back(block);
    }
  }
  by_hpa_[block->hpa.value].push_back(block);
  fast_[slot(block->hpa, block->gva, block->mode)] = block;
  blocks_.push_back(std::move(owned));
  return block;
}

void BlockCache::invalidate(Block& block) {
  block.valid = false;
  if (block.code != nullptr) jit::retire(*block.code);
  block.code = nullptr;
}

void BlockCache::clear() {
  for (auto& block : blocks_) {
    invalidate(*block);
    retired_.push_back(std::move(block));
  }
  blocks_.clear();
  by_hpa_.clear();
  by_page_.clear();
  std::fill(fast_.begin(), fast_.end(), nullptr);
  ++generation_;
}

void BlockCache::code_written(uint64_t offset, uint64_t size) {
  const auto page = by_page_.find(offset & ~kPageMask);
  if (page == by_page_.end()) return;
  const auto covers = [&](const Block& block) {
    const auto hits = [&](Hpa start, uint64_t bytes) {
      const BusRange* range = backing(bus_, start);
      if (range == nullptr || bytes == 0) return false;
      const uint64_t first = range->ram_offset + (start - range->start);
      return first < offset + size && offset < first + bytes;
    };
    const uint64_t in_first =
        std::min<uint64_t>(block.bytes, kPageSize - (block.hpa.value & kPageMask));
    return hits(block.hpa, in_first) || hits(block.second_page, block.bytes - in_first);
  };
  bool any = false;
  for (Block* block : page->second) {
    if (block->valid && covers(*block)) {
      invalidate(*block);
      any = true;
    }
  }
  if (!any) return;
  ++generation_;
  unlink_invalid(page->second);
  // Lines of this page that no remaining block was decoded from are plain data again.
  const uint64_t base = offset & ~kPageMask;
  bus_.memory().unmark_lines(base, kPageSize, mark::code);
  for (const Block* block : page->second) remark(*block, base);
}

void BlockCache::remark(const Block& block, uint64_t page) {
  const uint64_t in_first =
      std::min<uint64_t>(block.bytes, kPageSize - (block.hpa.value & kPageMask));
  const BusRange* first = backing(bus_, block.hpa);
  if (first == nullptr) return;  // the map has changed; every block goes before one runs
  const uint64_t offset = first->ram_offset + (block.hpa - first->start);
  if ((offset & ~kPageMask) == page) {
    bus_.memory().mark_lines(offset, in_first, mark::code);
  } else {
    bus_.memory().mark_lines(page, block.bytes - in_first, mark::code);
  }
}

void BlockCache::unlink_invalid(std::vector<Block*>& page_list) {
  std::vector<Block*> dead;
  for (Block* block : page_list) {
    if (!block->valid) dead.push_back(block);
  }
  for (Block* block : dead) {
    const auto same_start = by_hpa_.find(block->hpa.value);
    std::erase(same_start->second, block);
    if (same_start->second.empty()) by_hpa_.erase(same_start);
    Block*& fast = fast_[slot(block->hpa, block->gva, block->mode)];
    if (fast == block) fast = nullptr;
    if (const BusRange* range = backing(bus_, block->hpa)) {
      const uint64_t page = (range->ram_offset + (block->hpa - range->start)) & ~kPageMask;
      std::erase(by_page_[page], block);
    }
    if (block->second_page != Hpa{}) {
      if (const BusRange* range = backing(bus_, block->second_page)) {
        std::erase(by_page_[range->ram_offset + (block->second_page - range->start)], block);
      }
    }
  }
  dead_count_ += dead.size();
}

void BlockCache::collect() {
  retired_.clear();
  if (dead_count_ < kCollectThreshold) return;
  std::erase_if(blocks_, [](const std::unique_ptr<Block>& block) { return !block->valid; });
  dead_count_ = 0;
}

}  // namespace vitrine::emu
