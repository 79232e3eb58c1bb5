// CoreClock: the timing level `core`: an out-of-order core's clock, advanced block by block.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "emu/cpu/timing/block_timing.h"
#include "emu/cpu/timing/core_parameters.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::timing {

/// A memory access that an instruction made, by physical address.
struct Access {
  uint64_t address = 0;
  uint32_t size = 0;  ///< bytes; 0: none
};

/// The clock is the time at which an instruction issues. What lies behind issue (execution ports,
/// results on their way, the reorder buffer, stores that have not reached the cache) is carried from
/// block to block, and holds issue up when a buffer is full:
///
///  * Every set of ports, the divider and the front end is a lane: work enters it with each block and
///    leaves it with time; a lane may be behind by the depth of its buffer and no further.
///  * Every register has the time at which its value is ready; an instruction's results are ready when
///    its sources were, and the time of its operation later.
///  * A slot of the reorder buffer is free once the instruction `rob_slots` before has retired.
///  * A load takes its data from a store before it, or waits until that has reached the cache.
///
/// All of it is integers and part of a machine's state. Everything that holds a block up is known when
/// it is entered and charged before its first instruction, so that clock(k) is the entry's time and a
/// constant of the block.
class CoreClock {
 public:
  explicit CoreClock(const CoreParameters& core) : core_(core) {}

  /// About to start a block at its first instruction: finds what holds it up. Changes nothing until
  /// leave(), so that it may be asked again. `tag` names the block to the micro-operation cache (its
  /// physical address).
  void enter(const BlockTiming& block, uint64_t tag);
  /// Issue time of instruction k of the entered block.
  Ticks at(const BlockTiming& block, uint32_t k) const { return base_ + block.prefix[k]; }
  /// Instruction k has run; its accesses in order.
  void retire(const BlockTiming& block, uint32_t k, Access load, Access store);
  /// The block is over after all of its instructions.
  void leave(const BlockTiming& block);
  /// The block was cut before instruction k, or something serialises behind it: what is under way
  /// completes, nothing is carried over. `cycles` is what the event costs.
  void drain(const BlockTiming& block, uint32_t k, uint64_t cycles);
  void drain(uint64_t cycles);
  /// Nothing was executed until `time`, which is not before now().
  void wait_until(Ticks time) { now_ = std::max(now_, time); }

  Ticks now() const { return now_; }
  void visit(StateVisitor& v);

 private:
  struct StoreEntry {
    uint64_t granule = 0;  ///< address / 8 + 1; 0: empty
    uint64_t id = 0;       ///< which store
    Ticks ready = 0;       ///< data there
    Ticks commit = 0;      ///< in the cache
    uint8_t bytes = 0;     ///< mask of the granule's bytes
    uint32_t name = 0;     ///< address expression and the versions of its registers; 0: none
  };
  struct Retired {
    uint64_t slots = 0;  ///< all slots up to and with the block
    Ticks at = 0;
  };
  static constexpr size_t kStores = 64;
  static constexpr size_t kRobEntries = 512;
  static constexpr size_t kUopCacheEntries = 512;

  std::array<uint64_t, kLanes> work_of(const BlockTiming& block) const;
  Ticks forwarded(const InsnTiming& insn, Access load, Ticks ready) const;
  void record_store(const InsnTiming& insn, Access store, Ticks ready);
  uint32_t name_of(const InsnTiming& insn) const;

  const CoreParameters& core_;
  Ticks now_ = 0;   ///< issue time reached
  Ticks base_ = 0;  ///< issue time of the entered block's first instruction
  uint64_t tag_ = 0;      ///< of the entered block
  bool decoded_ = false;  ///< it comes from the decoders
  std::array<uint64_t, kLanes> lanes_{};
  std::array<Ticks, resource::count> ready_{};
  std::array<uint8_t, resource::count> from_load_{};
  std::array<uint32_t, resource::vector> version_{};  ///< writes of each address register
  Ticks completed_ = 0;  ///< everything up to here has completed: in-order retirement
  Ticks fence_ = 0;      ///< memory operations start behind it
  Ticks barrier_ = 0;    ///< everything starts behind it
  uint64_t total_slots_ = 0;
  std::array<Retired, kRobEntries> rob_{};
  uint32_t rob_first_ = 0, rob_count_ = 0;
  Ticks rob_free_ = 0;
  uint64_t store_id_ = 0;
  std::array<StoreEntry, kStores> stores_{};
  std::array<uint64_t, kUopCacheEntries> uop_cache_{};
};

}  // namespace vitrine::emu::timing
