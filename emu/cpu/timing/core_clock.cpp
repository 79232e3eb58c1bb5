// CoreClock: lanes, registers, reorder buffer and store buffer in whole ticks.
#include "emu/cpu/timing/core_clock.h"

#include <algorithm>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"

namespace vitrine::emu::timing {

namespace {

constexpr Ticks ticks(uint64_t cycles) { return cycles * kTicksPerCycle; }

constexpr size_t cache_slot(uint64_t tag) { return (tag ^ (tag >> 9)) % 512; }

constexpr uint64_t drained(uint64_t backlog, uint64_t time) {
  return backlog > time ? backlog - time : 0;
}

/// Bytes of the 8-byte granule at `granule` that [address, address + size) covers.
uint8_t covered(uint64_t granule, Access access) {
  const uint64_t start = granule * 8;
  const uint64_t first = std::max(access.address, start) - start;
  const uint64_t last = std::min(access.address + access.size, start + 8) - start;
  return static_cast<uint8_t>(((1u << last) - 1) & ~((1u << first) - 1));
}

}  // namespace

std::array<uint64_t, kLanes> CoreClock::work_of(const BlockTiming& block) const {
  std::array<uint64_t, kLanes> work{};
  std::copy(block.work.begin(), block.work.end(), work.begin());
  if (decoded_) {
    work[kFrontEndLane] = std::max<uint64_t>(work[kFrontEndLane], block.decode_ticks);
  }
  return work;
}

void CoreClock::enter(const BlockTiming& block, uint64_t tag) {
  tag_ = tag;
  decoded_ = uop_cache_[cache_slot(tag)] != tag + 1;
  const uint64_t own = block.prefix[block.count];
  const auto work = work_of(block);
  uint64_t held = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const uint64_t lead = ticks(lane == kFrontEndLane ? core_.front_end_lead : core_.port_lead);
    held = std::max(held, drained(lanes_[lane] + work[lane], lead + own));
  }
  Ticks free = rob_free_;
  const uint64_t needed = total_slots_ + block.slots;
  for (uint32_t i = 0; i < rob_count_; ++i) {
    const Retired& entry = rob_[(rob_first_ + i) % kRobEntries];
    if (entry.slots + core_.rob_slots > needed) break;
    free = entry.at;
  }
  held = std::max(held, drained(free, now_ + own));
  base_ = now_ + held;
}

uint32_t CoreClock::name_of(const InsnTiming& insn) const {
  if (!core_.renames_memory || insn.address_name == 0) return 0;
  uint32_t name = insn.address_name;
  for (size_t i = 0; i < insn.address_count; ++i) {
    name = name * 0x01000193 + version_[insn.address[i]];
  }
  return name | 1u;
}

Ticks CoreClock::forwarded(const InsnTiming& insn, Access load, Ticks ready) const {
  const bool vector = (insn.traits & trait::vector) != 0;
  const Ticks plain = ready + ticks(vector ? core_.vector_load_latency : core_.load_latency);
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
  const uint32_t extra = vector ? core_.vector_load_latency - core_.load_latency : 0;
  if (whole) return std::max(plain, data + ticks(core_.forward_latency + extra));
  return std::max(plain, commit + ticks(core_.forward_fail));
}

void CoreClock::record_store(const InsnTiming& insn, Access store, Ticks ready) {
  const uint32_t name = name_of(insn);
  ++store_id_;
  const uint64_t first = store.address / 8;
  const uint64_t last = (store.address + store.size - 1) / 8;
  for (uint64_t granule = first; granule <= last; ++granule) {
    StoreEntry& entry = stores_[granule % kStores];
    const uint8_t bytes = covered(granule, store);
    entry = {granule + 1, store_id_, ready, std::max(completed_, ready), bytes, name};
  }
}

void CoreClock::retire(const BlockTiming& block, uint32_t k, Access load, Access store) {
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
  if (load.size != 0) {
    const Ticks address = std::max(latest(start, insn.address, insn.address_count), fence_);
    Ticks done = forwarded(insn, load, address);
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
  completed_ = std::max({completed_, out, issue + ticks(1)});
  if (store.size != 0) {
    record_store(insn, store, out);
  }
  for (size_t i = 0; i < insn.result_count; ++i) {
    ready_[insn.results[i]] = out;
    if (insn.results[i] < resource::vector) ++version_[insn.results[i]];
    from_load_[insn.results[i]] = load.size != 0 && !has(trait::operates);
  }
}

void CoreClock::leave(const BlockTiming& block) {
  const auto work = work_of(block);
  const uint64_t time = base_ - now_ + block.prefix[block.count];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    lanes_[lane] = drained(lanes_[lane] + work[lane], time);
  }
  // The tag is kept with one added, so that an empty entry matches nothing.
  uop_cache_[cache_slot(tag_)] = tag_ + 1;
  now_ += time;
  total_slots_ += block.slots;
  while (rob_count_ != 0 && (rob_count_ == kRobEntries ||
                             rob_[rob_first_].slots + core_.rob_slots <= total_slots_)) {
    rob_free_ = rob_[rob_first_].at;
    rob_first_ = (rob_first_ + 1) % kRobEntries;
    --rob_count_;
  }
  rob_[(rob_first_ + rob_count_) % kRobEntries] = {total_slots_, completed_};
  ++rob_count_;
}

void CoreClock::drain(const BlockTiming& block, uint32_t k, uint64_t cycles) {
  now_ = base_ + block.prefix[k];
  drain(cycles);
}

void CoreClock::drain(uint64_t cycles) {
  now_ = std::max(now_, completed_) + ticks(cycles);
  lanes_.fill(0);
  ready_.fill(0);
  from_load_.fill(0);
  completed_ = fence_ = barrier_ = now_;
  rob_count_ = 0;
  rob_free_ = 0;
  stores_.fill({});
}

void CoreClock::visit(StateVisitor& v) {
  v.enter("core");
  v.field("now", now_);
  v.field("base", base_);
  v.field("tag", tag_);
  v.field("decoded", decoded_);
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
  v.leave();
  if (v.loading() && (rob_first_ >= kRobEntries || rob_count_ > kRobEntries)) v.reject();
}

}  // namespace vitrine::emu::timing
