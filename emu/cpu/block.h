// Block: consecutive Insns from one entry point, the unit that the engines run and the clock knows.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "emu/arch/types.h"
#include "emu/cpu/decoded.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/timing/block_timing.h"
#include "emu/mmu/bus.h"

namespace vitrine::emu::jit {
struct Code;
}

namespace vitrine::emu {

inline constexpr uint32_t kMaxBlockInsns = timing::kMaxTimedInsns;

/// Everything besides bytes and addresses that the shape and the handlers of a block depend on.
struct ModeKey {
  uint64_t bits = 0;
  friend constexpr bool operator==(ModeKey, ModeKey) = default;
};

/// A block's shape is a pure function of the bytes at its entry, its addresses and its mode: it is cut
/// behind a branch, a serialising instruction or a repeated string instruction, before an instruction
/// that crosses into the next page (which is a block of its own), and after 32 instructions.
struct Block {
  Gva gva;
  Hpa hpa;
  ModeKey mode;
  uint32_t count = 0;            ///< instructions
  uint32_t bytes = 0;
  bool valid = true;             ///< false once its bytes were written; kept until nobody runs it
  bool chains = false;           ///< when it ends by itself, only the next block is to be found
  Hpa second_page;               ///< of the one instruction that crosses a page; else 0
  /// The RAM its bytes lie in, one part per page; a part of size 0 lies in none.
  struct Part {
    uint64_t offset = 0, size = 0;
  };
  std::array<Part, 2> parts{};
  Block* same_start = nullptr;   ///< the next one at this Hpa, of another address or mode
  uint32_t heat = 0;             ///< how often it was run before it was compiled
  jit::Code* code = nullptr;     ///< compiled
  std::array<uint32_t, kMaxBlockInsns + 1> prefix{};  ///< cycles before instruction k at `count`
  std::array<Insn, kMaxBlockInsns> insns;
  std::unique_ptr<timing::BlockTiming> timing;  ///< at level `core`

  /// As if just made, but for instructions and costs, which are written up to `count`.
  void start_anew() {
    second_page = {};
    count = bytes = heat = 0;
    valid = true;
    chains = false;
    parts = {};
    same_start = nullptr;
    code = nullptr;
    timing.reset();
  }
};

/// All blocks of a machine, shared by its processors. A cache: dropping it at any instruction boundary
/// changes nothing that a guest or a clock can see.
class BlockCache : public WriteSink {
 public:
  explicit BlockCache(Bus& bus);

  Block* find(Hpa hpa, Gva gva, ModeKey mode) {
    Block* const block = fast_[slot(hpa, gva, mode)];
    if (block != nullptr && block->hpa == hpa && block->gva == gva && block->mode == mode &&
        block->valid) [[likely]] {
      return block;
    }
    return find_slow(hpa, gva, mode);
  }
  /// An empty block, to be filled and inserted. Storage of dead blocks is used again.
  std::unique_ptr<Block> blank();
  /// Takes ownership; marks the lines the block was decoded from.
  Block* insert(std::unique_ptr<Block> block);
  void clear();

  /// Bumped whenever a block was invalidated; a running engine compares it to notice.
  uint64_t generation() const { return generation_; }
  size_t size() const { return blocks_.size(); }

  void code_written(uint64_t offset, uint64_t size) override;
  void translation_written() override {}
  void page_marked(uint64_t) override {}
  /// Frees blocks that were dropped, once they are many; no processor may be inside one.
  void collect() {
    if (dead_count_ >= kCollectThreshold || !retired_.empty()) [[unlikely]] free_dead();
  }

 private:
  static constexpr size_t kCollectThreshold = 1024;
  static constexpr size_t kFastSlots = size_t{1} << 15;
  static size_t slot(Hpa hpa, Gva gva, ModeKey mode) {
    const uint64_t mixed = hpa.value ^ (gva.value >> 12) * 0x9E3779B97F4A7C15 ^ mode.bits * 31;
    return (mixed ^ (mixed >> 15)) & (kFastSlots - 1);
  }
  Block* find_slow(Hpa hpa, Gva gva, ModeKey mode);
  static void invalidate(Block& block);
  /// Where in RAM the bytes at `start` lie; of size 0 for devices and holes.
  Block::Part part_of(Hpa start, uint64_t bytes) const;
  void unlink(Block& block);
  void free_dead();

  Bus& bus_;
  std::vector<Block*> fast_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::unordered_map<uint64_t, Block*> by_hpa_;  // heads of Block::same_start; never iterated
  std::unordered_map<uint64_t, std::vector<Block*>> by_page_;  // RAM page offset; never iterated
  std::vector<std::unique_ptr<Block>> retired_;
  std::vector<std::unique_ptr<Block>> spare_;  // at most kCollectThreshold
  uint64_t generation_ = 0;
  size_t dead_count_ = 0;
};

}  // namespace vitrine::emu
