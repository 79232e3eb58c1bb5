// BranchModel: geometric history lengths over counters, a target buffer and a return stack.
#include "emu/cpu/timing/branch_model.h"

#include <algorithm>

namespace vitrine::emu::timing {

namespace {

constexpr std::array<size_t, 4> kLengths = {6, 16, 40, 110};
constexpr unsigned kTagBits = 10, kSlotBits = 10;

/// Spreads the address over the low bits.
constexpr uint64_t mixed(uint64_t at) { return at ^ at >> 7 ^ at >> 17; }

}  // namespace

BranchModel::BranchModel(const CoreParameters& core)
    : core_(core), buffer_(core.btb_sets, core.btb_ways) {
  base_.fill(1);
}

/// The youngest `length` directions, exclusive-or of groups of `bits`.
uint64_t BranchModel::folded(size_t length, unsigned bits) const {
  uint64_t low = length >= 64 ? history_[0] : history_[0] & ((uint64_t{1} << length) - 1);
  uint64_t high = length <= 64 ? 0 : history_[1] & ((uint64_t{1} << (length - 64)) - 1);
  uint64_t out = 0;
  for (; low != 0; low >>= bits) out ^= low;
  for (high <<= 4; high != 0; high >>= bits) out ^= high;
  return out & ((uint64_t{1} << bits) - 1);
}

size_t BranchModel::slot(uint64_t at, size_t table) const {
  return (mixed(at) ^ at >> (table + 3) ^ folded(kLengths[table], kSlotBits)) % kEntries;
}

uint16_t BranchModel::tag(uint64_t at, size_t table) const {
  const uint64_t history = folded(kLengths[table], kTagBits) ^ folded(kLengths[table], 9) << 1;
  // Never 0, which is an empty entry.
  return static_cast<uint16_t>(((mixed(at >> 3) ^ history) & ((1u << kTagBits) - 1)) + 1);
}

void BranchModel::remember(bool bit) {
  history_[1] = history_[1] << 1 | history_[0] >> 63;
  history_[0] = history_[0] << 1 | (bit ? 1 : 0);
}

/// True when the direction was predicted.
bool BranchModel::retire_direction(const Branch& branch) {
  std::array<Counter*, kTables> entries{};
  std::array<uint16_t, kTables> tags{};
  Counter* provider = nullptr;
  Counter* next = nullptr;
  size_t provided = 0;
  for (size_t i = 0; i < kTables; ++i) {
    tags[i] = tag(branch.at, i);
    entries[i] = &tables_[i][slot(branch.at, i)];
    if (entries[i]->tag != tags[i]) continue;
    next = provider;
    provider = entries[i];
    provided = i + 1;
  }
  uint8_t& base = base_[mixed(branch.at) % base_.size()];
  const bool base_taken = base >= 2;
  const bool other = next != nullptr ? next->state >= 4 : base_taken;
  const bool predicted = provider != nullptr ? provider->state >= 4 : base_taken;

  const auto count = [&](uint8_t& counter, uint8_t most) {
    if (branch.taken && counter < most) ++counter;
    if (!branch.taken && counter > 0) --counter;
  };
  if (provider != nullptr) {
    count(provider->state, 7);
    if (predicted != other) {
      const bool useful = predicted == branch.taken;
      if (useful && provider->useful < 3) ++provider->useful;
      if (!useful && provider->useful > 0) --provider->useful;
    }
  } else {
    count(base, 3);
  }
  if (predicted != branch.taken) {
    // A longer history is tried: the first table above whose entry nobody needs takes the branch.
    bool placed = false;
    for (size_t i = provided; i < kTables && !placed; ++i) {
      if (entries[i]->useful != 0) continue;
      *entries[i] = {tags[i], static_cast<uint8_t>(branch.taken ? 4 : 3), 0};
      placed = true;
    }
    for (size_t i = provided; i < kTables && !placed; ++i) --entries[i]->useful;
  }
  return predicted == branch.taken;
}

/// True when the target of an indirect branch was predicted.
bool BranchModel::retire_target(const Branch& branch) {
  uint64_t& plain = targets_[mixed(branch.at) % targets_.size()];
  uint64_t& path = path_targets_[(mixed(branch.at) ^ folded(40, kSlotBits)) % path_targets_.size()];
  const bool known_path = path != 0;
  const uint64_t predicted = known_path ? path : plain;
  const bool right = predicted == branch.target;
  if (!right || known_path) path = branch.target;
  plain = branch.target;
  // What was reached tells paths apart, as directions do.
  for (const unsigned bit : {4u, 5u, 6u}) remember((branch.target >> bit & 1) != 0);
  return right;
}

Prediction BranchModel::retire(const Branch& branch) {
  const bool call = branch.kind == BranchKind::call || branch.kind == BranchKind::indirect_call;
  bool right = true;
  bool from_buffer = branch.taken;
  switch (branch.kind) {
    case BranchKind::none: return Prediction::right;
    case BranchKind::conditional: right = retire_direction(branch); break;
    case BranchKind::jump:
    case BranchKind::call: break;
    case BranchKind::indirect_jump:
    case BranchKind::indirect_call: right = retire_target(branch); break;
    case BranchKind::ret: {
      top_ = (top_ + core_.return_stack - 1) % core_.return_stack;
      right = returns_[top_] == branch.target;
      from_buffer = false;
      break;
    }
  }
  if (call) {
    returns_[top_] = branch.at;
    top_ = (top_ + 1) % core_.return_stack;
  }
  if (branch.kind == BranchKind::conditional) remember(branch.taken);
  bool known = true;
  if (from_buffer) {
    const uint64_t set = branch.at % buffer_.sets();
    const auto name = static_cast<uint32_t>(mixed(branch.at / buffer_.sets())) | 1u << 31;
    known = buffer_.holds(set, name);
    buffer_.touch(set, name);
  }
  if (!right) return Prediction::wrong;
  return known ? Prediction::right : Prediction::resteered;
}

void BranchModel::visit(StateVisitor& v) {
  v.enter("branches");
  v.field("history", history_);
  v.field("base", base_);
  for (auto& table : tables_) {
    for (Counter& counter : table) {
      v.field("tag", counter.tag);
      v.field("state", counter.state);
      v.field("useful", counter.useful);
    }
  }
  buffer_.visit(v, "buffer");
  v.field("targets", targets_);
  v.field("path_targets", path_targets_);
  v.field("returns", returns_);
  v.field("top", top_);
  v.leave();
  if (v.loading() && top_ >= core_.return_stack) v.reject();
}

}  // namespace vitrine::emu::timing
