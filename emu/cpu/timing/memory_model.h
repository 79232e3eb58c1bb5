// MemoryModel: the timing level `memory`: caches, translations and branch prediction of one processor.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/timing/block_timing.h"
#include "emu/cpu/timing/branch_model.h"
#include "emu/cpu/timing/cache_model.h"
#include "emu/cpu/timing/translation_model.h"
#include "emu/mmu/mmu.h"

namespace vitrine::emu::timing {

/// A memory access that an instruction made.
struct Access {
  uint64_t address = 0;  ///< physical
  uint64_t linear = 0;
  uint32_t size = 0;     ///< bytes; 0: none
};

/// Where a block's bytes are.
struct CodePlace {
  Gva linear;
  Hpa first;   ///< of its first byte
  Hpa second;  ///< of the page it crosses into; 0: none
  uint32_t bytes = 0;
};

/// What an access costs beyond a hit in the first level, in ticks, and why.
struct MemoryCost {
  Ticks extra = 0;
  Ticks walk = 0;  ///< the part of it that was a walk
  CacheLevel level = CacheLevel::first;
};

/// Everything that depends on addresses. It decides by itself which accesses miss and which
/// translations are walked for; a walk is repeated without side effects to learn the entries it
/// loads, which then go through the caches like data.
class MemoryModel {
 public:
  MemoryModel(const CoreParameters& core, const Mmu& mmu);

  /// The address space of what follows, and whether its pages may be global (CR4.PGE).
  void set_space(const AddressSpace& space, bool global_pages) {
    global_pages_ = global_pages;
    if (space == space_) return;
    space_ = space;
    last_page_ = last_code_ = 0;
  }
  const AddressSpace& space() const { return space_; }

  /// Cost of fetching the block now, in front of its first instruction. Changes nothing.
  Ticks fetch_cost(const CodePlace& code) const;
  /// The block was fetched.
  void fetched(const CodePlace& code);
  /// An access whose address is known at `at`.
  MemoryCost data(const Access& access, Ticks at);
  Prediction branch(const BranchModel::Branch& branch) { return branches_.retire(branch); }

  /// An access of the processor itself to `bytes` of physical memory, all lines at once; cycles.
  uint32_t own_access(Hpa address, uint32_t bytes);
  void invalidate(const Invalidation& what);
  void flush_line(Hpa address);
  void flush_caches() {
    caches_.clear();
    last_line_ = last_code_ = 0;
  }
  void visit(StateVisitor& v);

 private:
  static constexpr size_t kMostBuffers = 32;
  static constexpr size_t kMostWalkers = 8;

  Ticks line_cost(uint64_t line, CacheLevel level, Ticks at);
  Ticks fetch_line_cost(uint64_t line, bool follows) const;
  Ticks fetch_walk_cost(Gva gva) const;
  Ticks walk_cost(Gva gva, Ticks at);
  bool trace(Gva gva, WalkTrace& walk, Translation& found) const;

  const CoreParameters& core_;
  const Mmu& mmu_;
  AddressSpace space_;
  bool global_pages_ = false;
  CacheModel caches_;
  TranslationModel translations_;
  BranchModel branches_;
  uint64_t last_page_ = 0;  ///< linear page number plus one of the last data access
  uint64_t last_line_ = 0;  ///< the same of its physical line
  uint64_t last_code_ = 0;  ///< and of the last line of code
  std::array<Ticks, kMostBuffers> fills_{};
  std::array<Ticks, kMostWalkers> walks_{};
  uint32_t next_fill_ = 0, next_walk_ = 0;
  Ticks bus_free_ = 0;  ///< when memory can send the next line
};

}  // namespace vitrine::emu::timing
