// Making a unit: which blocks belong to it, in which order, with which registers in the host.
#include "emu/cpu/jit/unit.h"

#include <algorithm>

namespace vitrine::emu::jit {

namespace {

constexpr size_t kMostBlocks = 24;
constexpr uint32_t kMostInsns = 192;

/// Targets inside the guest that the block's end names: by number of the link, whatever is there.
struct Targets {
  std::array<Gva, 2> gva{};
  std::array<bool, 2> known{};
};

Targets targets_of(const Block& block, const Plan& plan) {
  Targets t;
  const uint32_t last = block.count - 1;
  const Insn& insn = block.insns[last];
  const Form& f = plan.form[last];
  const Gva behind = block.gva + block.bytes;
  if (!plan.native[last] || !is_transfer(f.op)) {
    t.known[0] = plan.native[last] || (insn.flags & insn_flag::ends_block) == 0;
    t.gva[0] = behind;
  } else if (f.op == Op::jcc) {
    t = {{behind, behind + insn.imm}, {true, true}};
  } else if (f.op == Op::jmp && f.shape == Shape::i) {
    t = {{behind + insn.imm, {}}, {true, false}};
  }
  return t;
}

int32_t index_of(const Unit& unit, Gva gva) {
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    if (unit.blocks[i].block->gva == gva) return static_cast<int32_t>(i);
  }
  return -1;
}

/// Depth first, what lies behind a block before what it branches to.
void collect(Unit& unit, Block& head, const FormTable& forms, const FindBlock& find) {
  std::vector<Block*> waiting{&head};
  uint32_t insns = 0;
  while (!waiting.empty()) {
    Block& block = *waiting.back();
    waiting.pop_back();
    if (index_of(unit, block.gva) >= 0) continue;
    const bool room = unit.blocks.size() < kMostBlocks && insns + block.count <= kMostInsns;
    if (!room) continue;
    insns += block.count;
    UnitBlock& added = unit.blocks.emplace_back();
    added.block = &block;
    added.plan = survey(block, forms);
    if (block.second_page != Hpa{}) continue;
    const Targets t = targets_of(block, added.plan);
    for (size_t which = t.gva.size(); which-- > 0;) {
      Block* const target = t.known[which] ? find(t.gva[which]) : nullptr;
      if (target != nullptr) waiting.push_back(target);
    }
  }
}

void assign_registers(Unit& unit) {
  std::array<uint16_t, 16> uses{};
  uint32_t written = 0;
  for (const UnitBlock& b : unit.blocks) {
    for (size_t g = 0; g < uses.size(); ++g) uses[g] = static_cast<uint16_t>(uses[g] + b.plan.uses[g]);
    written |= b.plan.written;
  }
  unit.host = assign_hosts(uses);
  for (size_t g = 0; g < uses.size(); ++g) {
    if (unit.host[g] != kNoHost) unit.shared |= uint32_t{1} << g;
  }
  unit.written = written & unit.shared;
}

void assign_vectors(Unit& unit) {
  bool legacy = false, wide = false;
  for (const UnitBlock& b : unit.blocks) {
    legacy |= b.plan.legacy_vectors;
    wide |= b.plan.wide_vectors;
  }
  if (legacy == wide) return;
  unit.vector_bytes = legacy ? 16 : 32;
  for (const UnitBlock& b : unit.blocks) {
    unit.vectors |= b.plan.vectors;
    unit.vectors_written |= b.plan.vectors_written;
  }
}

void connect_blocks(Unit& unit) {
  std::vector<uint32_t> ways(unit.blocks.size());
  std::vector<bool> backward(unit.blocks.size());
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    UnitBlock& b = unit.blocks[i];
    if (b.block->second_page != Hpa{}) continue;
    const Targets t = targets_of(*b.block, b.plan);
    for (size_t which = 0; which < 2; ++which) {
      if (!t.known[which]) continue;
      b.next[which] = index_of(unit, t.gva[which]);
      if (b.next[which] < 0) continue;
      const auto to = static_cast<size_t>(b.next[which]);
      ++ways[to];
      if (to <= i) backward[to] = true;
    }
  }
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    unit.blocks[i].inherits = ways[i] == 1 && !backward[i];
    unit.blocks[i].joins = ways[i] != 0 && !unit.blocks[i].inherits;
  }
}

/// Backwards through the list, so that what is forward is known.
void add_up(Unit& unit) {
  for (size_t i = unit.blocks.size(); i-- > 0;) {
    UnitBlock& b = unit.blocks[i];
    const uint64_t own = b.block->prefix[b.block->count];
    b.longest = own;
    for (const int32_t next : b.next) {
      if (next <= static_cast<int32_t>(i)) continue;
      b.longest = std::max(b.longest, own + unit.blocks[static_cast<size_t>(next)].longest);
    }
  }
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    UnitBlock& b = unit.blocks[i];
    const uint64_t own = b.block->prefix[b.block->count];
    for (const int32_t next : b.next) {
      if (next < 0 || next > static_cast<int32_t>(i)) continue;
      b.around = std::max(b.around, own + unit.blocks[static_cast<size_t>(next)].longest);
    }
  }
}

}  // namespace

Unit make_unit(Block& head, const FormTable& forms, const FindBlock& find) {
  Unit unit;
  collect(unit, head, forms, find);
  assign_registers(unit);
  assign_vectors(unit);
  for (UnitBlock& b : unit.blocks) finish_plan(b.plan, *b.block, unit.host);
  connect_blocks(unit);
  add_up(unit);
  return unit;
}

}  // namespace vitrine::emu::jit
