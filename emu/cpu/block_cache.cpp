// BlockCache: finding blocks by where and how they run, and dropping them when their bytes change.
#include <algorithm>
#include <utility>

#include "emu/cpu/block.h"
#include "emu/cpu/jit/code.h"

namespace vitrine::emu {

namespace {

bool overlaps(const Block::Part& part, uint64_t offset, uint64_t size) {
  return part.offset < offset + size && offset < part.offset + part.size;
}

constexpr uint64_t page_of(const Block::Part& part) { return part.offset & ~kPageMask; }

}  // namespace

BlockCache::BlockCache(Bus& bus) : bus_(bus), fast_(kFastSlots, nullptr) {
  bus.memory().add_sink(*this);
}

Block* BlockCache::find_slow(Hpa hpa, Gva gva, ModeKey mode) {
  const auto found = by_hpa_.find(hpa.value);
  if (found == by_hpa_.end()) return nullptr;
  for (Block* block = found->second; block != nullptr; block = block->same_start) {
    if (block->gva == gva && block->mode == mode) {
      fast_[slot(hpa, gva, mode)] = block;
      return block;
    }
  }
  return nullptr;
}

Block::Part BlockCache::part_of(Hpa start, uint64_t bytes) const {
  if (bytes == 0) return {};
  const BusRange& range = bus_.find(start);
  const bool stored = range.kind == BusRange::Kind::ram || range.kind == BusRange::Kind::rom;
  return stored ? Block::Part{range.ram_offset + (start - range.start), bytes} : Block::Part{};
}

std::unique_ptr<Block> BlockCache::blank() {
  if (spare_.empty()) return std::make_unique<Block>();
  std::unique_ptr<Block> block = std::move(spare_.back());
  spare_.pop_back();
  block->start_anew();
  return block;
}

Block* BlockCache::insert(std::unique_ptr<Block> owned) {
  Block* const block = owned.get();
  const uint64_t in_first = std::min<uint64_t>(block->bytes,
                                               kPageSize - (block->hpa.value & kPageMask));
  block->parts = {part_of(block->hpa, in_first),
                  part_of(block->second_page, block->bytes - in_first)};
  for (const Block::Part& part : block->parts) {
    if (part.size == 0) continue;
    bus_.memory().mark_lines(part.offset, part.size, mark::code);
    std::vector<Block*>& page = by_page_[page_of(part)];
    if (page.empty() || page.back() != block) page.push_back(block);  // both may be one page
  }
  Block*& head = by_hpa_[block->hpa.value];
  block->same_start = head;
  head = block;
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
    fast_[slot(block->hpa, block->gva, block->mode)] = nullptr;
    invalidate(*block);
    retired_.push_back(std::move(block));
  }
  blocks_.clear();
  by_hpa_.clear();
  by_page_.clear();
  ++generation_;
}

void BlockCache::code_written(uint64_t offset, uint64_t size) {
  const auto page = by_page_.find(offset & ~kPageMask);
  if (page == by_page_.end()) return;
  std::vector<Block*> dead;
  for (Block* block : page->second) {
    const auto hit = [&](const Block::Part& part) { return overlaps(part, offset, size); };
    if (std::none_of(block->parts.begin(), block->parts.end(), hit)) continue;
    invalidate(*block);
    dead.push_back(block);
  }
  if (dead.empty()) return;
  ++generation_;
  uint64_t first = ~uint64_t{0}, end = 0;
  for (Block* block : dead) {
    for (const Block::Part& part : block->parts) {
      if (part.size == 0 || page_of(part) != page->first) continue;
      first = std::min(first, part.offset);
      end = std::max(end, part.offset + part.size);
    }
    unlink(*block);
  }
  // Lines that no remaining block was decoded from are plain data again.
  first &= ~(kLineSize - 1);
  end = (end + kLineSize - 1) & ~(kLineSize - 1);
  bus_.memory().unmark_lines(first, end - first, mark::code);
  for (const Block* block : page->second) {
    for (const Block::Part& part : block->parts) {
      if (part.size == 0 || !overlaps(part, first, end - first)) continue;
      bus_.memory().mark_lines(part.offset, part.size, mark::code);
    }
  }
}

void BlockCache::unlink(Block& block) {
  const auto same_start = by_hpa_.find(block.hpa.value);
  Block** link = &same_start->second;
  while (*link != &block) link = &(*link)->same_start;
  *link = block.same_start;
  if (same_start->second == nullptr) by_hpa_.erase(same_start);
  Block*& fast = fast_[slot(block.hpa, block.gva, block.mode)];
  if (fast == &block) fast = nullptr;
  for (const Block::Part& part : block.parts) {
    if (part.size != 0) std::erase(by_page_[page_of(part)], &block);
  }
  ++dead_count_;
}

void BlockCache::free_dead() {
  retired_.clear();
  if (dead_count_ < kCollectThreshold) return;
  const auto dead = std::partition(blocks_.begin(), blocks_.end(),
                                   [](const std::unique_ptr<Block>& block) { return block->valid; });
  for (auto block = dead; block != blocks_.end() && spare_.size() < kCollectThreshold; ++block) {
    spare_.push_back(std::move(*block));
  }
  blocks_.erase(dead, blocks_.end());
  dead_count_ = 0;
}

}  // namespace vitrine::emu
