// CoreClock: lanes, registers, reorder buffer and store buffer in whole ticks.
#include "emu/cpu/timing/core_clock.h"

#include <algorithm>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"

namespace vitrine::emu::timing {

namespace {

constexpr Ticks ticks(uint64_t cycles) { return cycles * kTicksPerCycle; }

constexpr uint64_t kLineBytes = 64;

constexpr size_t cache_slot(uint64_t tag) { return (tag ^ (tag >> 9)) % 512; }

constexpr uint64_t drained(uint64_t backlog, uint64_t time) {
  return backlog > time ? backlog - time : 0;
}

Cause cause_of_lane(size_t lane, Ticks fetch) {
  if (lane == kDividerLane) return Cause::divider;
  if (lane != kFrontEndLane) return Cause::port;
  return fetch != 0 ? Cause::fetch : Cause::front_end;
}

Cause cause_of(const MemoryCost& cost) {
  if (cost.walk * 2 > cost.extra) return Cause::walk;
  switch (cost.level) {
    case CacheLevel::second: return Cause::second_level;
    case CacheLevel::third: return Cause::third_level;
    case CacheLevel::memory:
    case CacheLevel::stream: return Cause::memory;
    case CacheLevel::first: break;
  }
  return Cause::dependence;
}

/// Bytes of the 8-byte granule at `granule` that [address, address + size) covers.
uint8_t covered(uint64_t granule, Access access) {
  const uint64_t start = granule * 8;
  const uint64_t first = std::max(access.address, start) - start;
  const uint64_t last = std::min(access.address + access.size, start + 8) - start;
  return static_cast<uint8_t>(((1u << last) - 1) & ~((1u << first) - 1));
}

}  // namespace

CoreClock::CoreClock(const CoreParameters& core, const Mmu* mmu) : core_(core) {
  require(core.store_buffer <= kStoreBuffer, "a core's store buffer fits the model");
  if (mmu != nullptr) memory_ = std::make_unique<MemoryModel>(core, *mmu);
}

std::array<uint64_t, kLanes> CoreClock::work_of(const BlockTiming& block) const {
  std::array<uint64_t, kLanes> work{};
  std::copy(block.work.begin(), block.work.end(), work.begin());
  if (decoded_) {
    work[kFrontEndLane] = std::max<uint64_t>(work[kFrontEndLane], block.decode_ticks);
  }
  work[kFrontEndLane] += fetch_;
  return work;
}

/// When the store buffer has room for the block's stores.
Ticks CoreClock::store_space(const BlockTiming& block) const {
  const uint64_t total = total_stores_ + block.stores;
  if (memory_ == nullptr || block.stores == 0 || total <= core_.store_buffer) return 0;
  return commits_[(total - core_.store_buffer - 1) % kStoreBuffer];
}

void CoreClock::enter(const BlockTiming& block, const CodePlace& place) {
  tag_ = place.first.value;
  address_ = place.linear.value;
  decoded_ = uop_cache_[cache_slot(tag_)] != tag_ + 1;
  fetch_ = memory_ == nullptr ? 0 : memory_->fetch_cost(place);
  iterating_ = string_tag_ == tag_ + 1 && block.count == 1;
  string_ticks_ = 0;
  if (iterating_) {
    base_ = now_;
    held_ = Cause::issue;
    return;
  }
  const uint64_t own = block.prefix[block.count];
  const auto work = work_of(block);
  uint64_t held = 0;
  held_ = Cause::issue;
  const auto hold = [&](uint64_t time, Cause cause) {
    if (time <= held) return;
    held = time;
    held_ = cause;
  };
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const uint64_t lead = ticks(lane == kFrontEndLane ? core_.front_end_lead : core_.port_lead);
    hold(drained(lanes_[lane] + work[lane], lead + own), cause_of_lane(lane, fetch_));
  }
  Ticks free = rob_free_;
  Cause cause = Cause::dependence;
  const uint64_t needed = total_slots_ + block.slots;
  for (uint32_t i = 0; i < rob_count_; ++i) {
    const Retired& entry = rob_[(rob_first_ + i) % kRobEntries];
    if (entry.slots + core_.rob_slots > needed) break;
    free = entry.at;
    cause = entry.cause;
  }
  hold(drained(free, now_ + own), cause);
  hold(drained(store_space(block), now_ + own), Cause::store_buffer);
  base_ = now_ + held;
}

uint32_t CoreClock::name_of(const InsnTiming& insn) const {
  if (core_.renames_memory == 0 || insn.address_name == 0) return 0;
  uint32_t name = insn.address_name;
  for (size_t i = 0; i < insn.address_count; ++i) {
    name = name * 0x01000193 + version_[insn.address[i]];
  }
  return name | 1u;
}

Ticks CoreClock::forwarded(const InsnTiming& insn, Access load, Ticks ready, Ticks extra) const {
  const bool vector = (insn.traits & trait::vector) != 0;
  const Ticks plain =
      ready + extra + ticks(vector ? core_.vector_load_latency : core_.load_latency);
  const uint32_t name = name_of(insn);
  bool renamed = name != 0;
  const uint64_t first = load.address / 8;
  const uint64_t last = (load.address + load.size - 1) / 8;
  uint64_t id = 0;
  bool whole = true, any = false;
  Ticks data = 0, commit = 0;
  for (uint64_t granule = first; granule <= last; ++granule) {
    const StoreEntry& store = stores_[granule % kStores];
    const uint8_t wanted = covered(granule, load);
    const bool pending = store.granule == granule + 1 && store.commit + ticks(1) > ready &&
                         (store.bytes & wanted) != 0;
    if (!pending) {
      whole = false;
      continue;
    }
    if ((wanted & ~store.bytes) != 0 || (any && store.id != id)) whole = false;
    if (store.name != name) renamed = false;
    any = true;
    id = store.id;
    data = std::max(data, store.ready);
    commit = std::max(commit, store.commit);
  }
  if (!any) return plain;
  if (whole && renamed) return data;
  const uint32_t wider = vector ? core_.vector_load_latency - core_.load_latency : 0;
  // The store buffer answers whether or not the cache has the line.
  if (whole) return std::max(plain - extra, data + ticks(core_.forward_latency + wider));
  return std::max(plain, commit + ticks(core_.forward_fail));
}

void CoreClock::record_store(const InsnTiming& insn, Access store, Ticks ready, Ticks commit) {
  const uint32_t name = name_of(insn);
  ++store_id_;
  const uint64_t first = store.address / 8;
  const uint64_t last = (store.address + store.size - 1) / 8;
  for (uint64_t granule = first; granule <= last; ++granule) {
    StoreEntry& entry = stores_[granule % kStores];
    const uint8_t bytes = covered(granule, store);
    entry = {granule + 1, store_id_, ready, commit, bytes, name};
  }
}

void CoreClock::completed(Ticks out, Cause cause) {
  if (out <= completed_) return;
  if (out - completed_ > gain_) {
    gain_ = out - completed_;
    gain_cause_ = cause;
  }
  completed_ = out;
}

/// Bytes move by chunks, lines as the caches have them; the store buffer bounds how far ahead.
void CoreClock::retire_iteration(Access load, Access store) {
  if (store.size == 0) return;
  const auto crosses = [&](uint64_t unit) {
    return (store.linear + store.size - 1) / unit != (store.linear - 1) / unit;
  };
  const bool ascends = store.linear == string_next_;
  string_next_ = store.linear + store.size;
  last_address_ = address_;
  // Downwards, every element by itself.
  string_ticks_ = ascends ? (crosses(core_.string_chunk) ? ticks(1) : 0) : ticks(1);
  if (memory_ == nullptr) return;
  Ticks there = base_;
  if (load.size != 0) there += memory_->data(load, base_).extra;
  completed(there, Cause::memory);
  there = std::max(there, base_ + memory_->data(store, base_).extra);
  committed_ = std::max(committed_, there);
  if (ascends && !crosses(kLineBytes)) return;
  Ticks& slot = commits_[total_stores_++ % kStoreBuffer];
  slot = committed_;
  const uint64_t first = total_stores_ + kStoreBuffer - core_.store_buffer;
  const Ticks free = commits_[first % kStoreBuffer];
  string_ticks_ = std::max(string_ticks_, drained(free, base_));
}

void CoreClock::retire(const BlockTiming& block, uint32_t k, Access load, Access store) {
  if (iterating_) return retire_iteration(load, store);
  const InsnTiming& insn = block.insns[k];
  const Ticks issue = base_ + block.prefix[k];
  const auto has = [&](uint16_t bit) { return (insn.traits & bit) != 0; };
  const auto latest = [&](Ticks from, const auto& list, size_t count) {
    for (size_t i = 0; i < count; ++i) from = std::max(from, ready_[list[i]]);
    return from;
  };
  if (has(trait::syncs_stack)) {
    ready_[arch::rsp] = std::max(ready_[arch::rsp], issue) + ticks(1);
  }
  Ticks start = issue;
  start = std::max(start, barrier_);
  if (has(trait::serialises)) start = std::max(start, completed_);

  Ticks data = latest(start, insn.sources, insn.source_count);
  Cause cause = Cause::dependence;
  if (load.size != 0) {
    const Ticks address = std::max(latest(start, insn.address, insn.address_count), fence_);
    const MemoryCost cost = memory_ == nullptr ? MemoryCost{} : memory_->data(load, address);
    Ticks done = forwarded(insn, load, address, cost.extra);
    if (cost.extra != 0 && done >= data) cause = cause_of(cost);
    const bool chases = has(trait::short_form) && insn.address_count == 1 &&
                        from_load_[insn.address[0]] && done == address + ticks(core_.load_latency);
    if (chases) done = address + ticks(core_.chase_latency);
    data = std::max(data, done);
  }
  Ticks out = data;
  if (has(trait::independent) && load.size == 0) out = start;
  if (has(trait::operates) && !has(trait::locked)) out += insn.latency;
  if (has(trait::locked)) {
    out = std::max(out, start + ticks(core_.lock_cycles));
    fence_ = out;
  } else if (has(trait::serialises)) {
    barrier_ = out;
  }
  completed(std::max(out, issue + ticks(1)), cause);
  resolved_ = out;
  last_address_ = address_ + block.offset[k];
  if (block.fast_string && k + 1 == block.count) string_next_ = store.linear + store.size;
  if (store.size != 0) {
    Ticks commit = std::max(completed_, out);
    if (memory_ != nullptr) {
      const Ticks address = latest(start, insn.address, insn.address_count);
      const Ticks there = address + memory_->data(store, address).extra;
      commit = committed_ = std::max({commit, committed_, there});
      commits_[total_stores_++ % kStoreBuffer] = commit;
    }
    record_store(insn, store, out, commit);
  }
  for (size_t i = 0; i < insn.result_count; ++i) {
    ready_[insn.results[i]] = out;
    if (insn.results[i] < resource::vector) ++version_[insn.results[i]];
    from_load_[insn.results[i]] = load.size != 0 && !has(trait::operates);
  }
}

void CoreClock::leave(const BlockTiming& block, const CodePlace& place, bool taken,
                      uint64_t next) {
  string_tag_ = 0;
  if (ledger_ != nullptr) account(block, block.count, *ledger_);
  uint64_t time = at(block, block.count) - now_ + string_ticks_;
  Prediction prediction = Prediction::right;
  if (memory_ != nullptr && block.branch != BranchKind::none) {
    prediction =
        memory_->branch({block.branch, place.linear.value + place.bytes, next, taken});
  }
  if (prediction == Prediction::wrong) {
    const uint64_t refilled = resolved_ + ticks(core_.mispredict_cycles) - now_;
    if (ledger_ != nullptr && refilled > time) {
      ledger_->spent(last_address_, Cause::branch, refilled - time);
    }
    time = std::max(time, refilled);
  }
  advance(block, time);
  // Nothing of what follows was fetched ahead.
  if (prediction == Prediction::wrong) lanes_[kFrontEndLane] = ticks(core_.front_end_lead);
  if (prediction == Prediction::resteered) lanes_[kFrontEndLane] += ticks(core_.resteer_cycles);
}

void CoreClock::leave_again(const BlockTiming& block, const CodePlace& place) {
  string_tag_ = block.fast_string ? place.first.value + block.offset[block.count - 1] + 1 : 0;
  if (ledger_ != nullptr) account(block, block.count, *ledger_);
  advance(block, at(block, block.count) - now_ + string_ticks_);
}

/// The entered block is over and has taken `time`.
void CoreClock::advance(const BlockTiming& block, uint64_t time) {
  const auto work = iterating_ ? std::array<uint64_t, kLanes>{} : work_of(block);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    lanes_[lane] = drained(lanes_[lane] + work[lane], time);
  }
  now_ += time;
  if (iterating_) return;
  // The tag is kept with one added, so that an empty entry matches nothing.
  uop_cache_[cache_slot(tag_)] = tag_ + 1;
  total_slots_ += block.slots;
  while (rob_count_ != 0 && (rob_count_ == kRobEntries ||
                             rob_[rob_first_].slots + core_.rob_slots <= total_slots_)) {
    rob_free_ = rob_[rob_first_].at;
    rob_first_ = (rob_first_ + 1) % kRobEntries;
    --rob_count_;
  }
  rob_[(rob_first_ + rob_count_) % kRobEntries] = {total_slots_, completed_, gain_cause_};
  ++rob_count_;
  gain_ = 0;
  gain_cause_ = Cause::dependence;
}

void CoreClock::account(const BlockTiming& block, uint32_t k, CycleLedger& ledger) const {
  ledger.spent(address_, held_, base_ - now_);
  if (iterating_) {
    if (k != 0) ledger.spent(address_, Cause::string, string_ticks_);
    return;
  }
  for (uint32_t i = 0; i < k; ++i) {
    ledger.spent(address_ + block.offset[i], Cause::issue, block.prefix[i + 1] - block.prefix[i]);
  }
}

void CoreClock::wait_until(Ticks time) {
  if (time <= now_) return;
  if (ledger_ != nullptr) ledger_->spent(last_address_, Cause::idle, time - now_);
  now_ = time;
}

void CoreClock::drain(const BlockTiming& block, uint32_t k, uint64_t cycles) {
  if (ledger_ != nullptr) account(block, k, *ledger_);
  now_ = at(block, k);
  drain(cycles);
}

void CoreClock::drain(uint64_t cycles) {
  if (ledger_ != nullptr) {
    if (completed_ > now_) ledger_->spent(last_address_, Cause::drain, completed_ - now_);
    Ticks rest = ticks(cycles);
    for (size_t i = 0; i < event_ticks_.size(); ++i) {
      const Ticks part = std::min(rest, event_ticks_[i]);
      if (part != 0) ledger_->spent(last_address_, static_cast<Cause>(i), part);
      rest -= part;
    }
    if (rest != 0) ledger_->spent(last_address_, Cause::serialising, rest);
    event_ticks_.fill(0);
  }
  now_ = std::max(now_, completed_) + ticks(cycles);
  lanes_.fill(0);
  ready_.fill(0);
  from_load_.fill(0);
  completed_ = fence_ = barrier_ = now_;
  rob_count_ = 0;
  rob_free_ = 0;
  stores_.fill({});
  string_tag_ = 0;
  iterating_ = false;
  resolved_ = now_;
}

void CoreClock::visit(StateVisitor& v) {
  v.enter("core");
  v.field("now", now_);
  v.field("base", base_);
  v.field("tag", tag_);
  v.field("address", address_);
  v.field("decoded", decoded_);
  v.field("fetch", fetch_);
  v.field("lanes", lanes_);
  v.field("ready", ready_);
  v.field("from_load", from_load_);
  v.field("version", version_);
  v.field("completed", completed_);
  v.field("fence", fence_);
  v.field("barrier", barrier_);
  v.field("total_slots", total_slots_);
  v.field("rob_first", rob_first_);
  v.field("rob_count", rob_count_);
  v.field("rob_free", rob_free_);
  for (Retired& entry : rob_) {
    v.field("slots", entry.slots);
    v.field("at", entry.at);
  }
  v.field("store_id", store_id_);
  for (StoreEntry& store : stores_) {
    v.field("granule", store.granule);
    v.field("id", store.id);
    v.field("ready", store.ready);
    v.field("commit", store.commit);
    v.field("bytes", store.bytes);
    v.field("name", store.name);
  }
  v.field("uop_cache", uop_cache_);
  v.field("string_tag", string_tag_);
  v.field("string_next", string_next_);
  v.field("iterating", iterating_);
  v.field("string_ticks", string_ticks_);
  v.field("resolved", resolved_);
  v.field("committed", committed_);
  v.field("total_stores", total_stores_);
  v.field("commits", commits_);
  if (memory_ != nullptr) memory_->visit(v);
  v.leave();
  if (v.loading() && (rob_first_ >= kRobEntries || rob_count_ > kRobEntries)) v.reject();
}

}  // namespace vitrine::emu::timing
