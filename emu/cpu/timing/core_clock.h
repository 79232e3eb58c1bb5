// CoreClock: the timing level `core`: an out-of-order core's clock, advanced block by block.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "emu/cpu/timing/block_timing.h"
#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/cycle_ledger.h"
#include "emu/cpu/timing/memory_model.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::timing {

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
/// At the level `memory` a MemoryModel adds what depends on addresses: a load's data and a store's way
/// to the cache come later, the front end waits for lines of code, and behind a branch that was
/// predicted wrong nothing issues until it was executed.
///
/// All of it is integers and part of a machine's state. Everything that holds a block up is known when
/// it is entered and charged before its first instruction, so that clock(k) is the entry's time and a
/// constant of the block.
class CoreClock {
 public:
  /// `mmu` is that of the processor, for the level `memory`; nullptr: the level `core`.
  CoreClock(const CoreParameters& core, const Mmu* mmu);

  /// What depends on addresses; nullptr at the level `core`.
  MemoryModel* memory() { return memory_.get(); }
  /// Told of every tick from now on; nullptr: nobody. Not part of the state.
  void set_ledger(CycleLedger* ledger) { ledger_ = ledger; }
  /// Part of what the next drain() is going to be given is for this cause.
  void note_event(Cause cause, uint64_t cycles) {
    if (ledger_ != nullptr) event_ticks_[static_cast<size_t>(cause)] += cycles * kTicksPerCycle;
  }

  /// About to start a block at its first instruction: finds what holds it up. Changes nothing until
  /// begin(), so that it may be asked again. The block's physical address names it to the
  /// micro-operation cache.
  void enter(const BlockTiming& block, const CodePlace& place);
  /// The first instruction of the entered block is about to run.
  void begin(const CodePlace& place) {
    if (memory_ != nullptr) memory_->fetched(place);
    if (ledger_ != nullptr) ledger_->entered();
  }
  /// Tells a ledger of the first `k` instructions of the entered block, which now() does not contain.
  void account(const BlockTiming& block, uint32_t k, CycleLedger& ledger) const;
  /// Issue time of instruction k of the entered block.
  Ticks at(const BlockTiming& block, uint32_t k) const {
    return base_ + (iterating_ ? 0 : block.prefix[k]);
  }
  /// Instruction k has run; its accesses in order.
  void retire(const BlockTiming& block, uint32_t k, Access load, Access store);
  /// The block is over after all of its instructions; `taken` and `next` (linear) say where its branch
  /// went.
  void leave(const BlockTiming& block, const CodePlace& place, bool taken, uint64_t next);
  /// The same, but its last instruction is a repeated one that goes on with the next iteration.
  void leave_again(const BlockTiming& block, const CodePlace& place);
  /// The block was cut before instruction k, or something serialises behind it: what is under way
  /// completes, nothing is carried over. `cycles` is what the event costs.
  void drain(const BlockTiming& block, uint32_t k, uint64_t cycles);
  void drain(uint64_t cycles);
  /// Nothing was executed until `time`, which is not before now().
  void wait_until(Ticks time);

  Ticks now() const { return now_; }
  /// What now() will be behind the entered block, once its last instruction has retired and if nothing
  /// is charged.
  Ticks end(const BlockTiming& block) const { return at(block, block.count) + string_ticks_; }
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
    Cause cause = Cause::dependence;  ///< of most of what it took; for the ledger
  };
  static constexpr size_t kStores = 64;
  static constexpr size_t kRobEntries = 512;
  static constexpr size_t kUopCacheEntries = 512;
  static constexpr size_t kStoreBuffer = 64;

  std::array<uint64_t, kLanes> work_of(const BlockTiming& block) const;
  Ticks forwarded(const InsnTiming& insn, Access load, Ticks ready, Ticks extra) const;
  void record_store(const InsnTiming& insn, Access store, Ticks ready, Ticks commit);
  Ticks store_space(const BlockTiming& block) const;
  void completed(Ticks out, Cause cause);
  void retire_iteration(Access load, Access store);
  void advance(const BlockTiming& block, uint64_t time);
  uint32_t name_of(const InsnTiming& insn) const;

  const CoreParameters& core_;
  std::unique_ptr<MemoryModel> memory_;
  CycleLedger* ledger_ = nullptr;
  Ticks now_ = 0;   ///< issue time reached
  Ticks base_ = 0;  ///< issue time of the entered block's first instruction
  uint64_t tag_ = 0;      ///< of the entered block
  uint64_t address_ = 0;  ///< linear, of the entered block
  bool decoded_ = false;  ///< it comes from the decoders
  Ticks fetch_ = 0;       ///< what its lines of code cost the front end
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
  // Iterations of REP MOVS and REP STOS behind the first take the time of their bytes.
  uint64_t string_tag_ = 0;   ///< of the block that goes on; 0: none
  uint64_t string_next_ = 0;  ///< linear, where the next store goes if it is behind the last
  bool iterating_ = false;    ///< the entered block is such an iteration
  Ticks string_ticks_ = 0;    ///< what it takes
  Ticks resolved_ = 0;  ///< when the last instruction was executed
  Ticks committed_ = 0;  ///< level `memory`: stores reach the cache in order
  uint64_t total_stores_ = 0;
  std::array<Ticks, kStoreBuffer> commits_{};

  // For the ledger alone.
  Cause held_ = Cause::issue;  ///< what holds the entered block up
  Ticks gain_ = 0;             ///< the longest that completion was put off in the block
  Cause gain_cause_ = Cause::dependence;
  uint64_t last_address_ = 0;  ///< of the last instruction
  std::array<Ticks, static_cast<size_t>(Cause::kCount)> event_ticks_{};
};

}  // namespace vitrine::emu::timing
