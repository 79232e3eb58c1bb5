// BlockTiming made from bytes: predecode windows, decoders, fusion, slots and the work of port sets.
#include "emu/cpu/timing/block_timing.h"

#include <algorithm>
#include <bit>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"

namespace vitrine::emu::timing {

namespace {

struct Costed {
  DataFlow flow;
  FormCost cost;
  bool assumed = false;
  bool joins_previous = false;  ///< a conditional branch in the slot of the instruction before it
};

bool joins(const DataFlow& first, const DataFlow& branch) {
  if (!branch.is_jcc) return false;
  const uint8_t kind = branch.condition >> 1;  // 0 O, 1 B, 2 Z, 3 BE, 4 S, 5 P, 6 L, 7 LE
  switch (first.fusion) {
    case MacroFusion::none: return false;
    case MacroFusion::all: return true;
    case MacroFusion::compare: return kind != 0 && kind != 4 && kind != 5;
    case MacroFusion::increment: return kind == 2 || kind == 6 || kind == 7;
  }
  return false;
}

/// What a form without a line is taken to cost: microcoded in proportion to nothing known.
FormCost assumed_cost(const DataFlow& flow, const UopTable& table) {
  FormCost cost;
  cost.uops.push_back({1, 1});
  if (flow.loads) cost.uops.push_back({table.ports().load, 1});
  if (flow.stores) {
    cost.uops.push_back({table.ports().store_address, 1});
    cost.uops.push_back({table.ports().store_data, 1});
  }
  cost.latency = 4;
  cost.slots = 1 + (flow.stores ? 1u : 0u);
  return cost;
}

/// Indexed addresses come apart at issue, except in loads that update a register and in plain stores
/// (Intel optimisation manual, "Micro-fusion and Indexed Addressing").
uint32_t issue_slots(const Costed& insn) {
  const auto& flow = insn.flow;
  uint32_t slots = std::max<uint32_t>(insn.cost.slots, 1);
  if (!flow.indexed || (!flow.loads && !flow.stores)) return slots;
  const bool updates_register = flow.loads && !flow.stores && !flow.form.vex && flow.memory_updated;
  const bool plain_store = flow.stores && !flow.loads && flow.form.name.starts_with("mov");
  if (updates_register || plain_store) return slots;
  return std::clamp<uint32_t>(slots + 1, slots, std::max(insn.cost.uop_count(), slots));
}

uint32_t divider_cycles(const DataFlow& flow, const CoreParameters& core) {
  if (flow.divider_bits == 0) return 0;
  const auto& name = flow.form.name;
  if (flow.divider_bits <= 64 && (name == "div" || name == "idiv")) {
    if (flow.divider_bits < 64) return core.divide_integer32;
    return name == "div" ? core.divide_unsigned64 : core.divide_signed64;
  }
  const bool root = name.find("sqrt") != name.npos;
  const bool twofold = name.back() == 'd';
  const uint32_t narrow = root ? (twofold ? core.root_double : core.root_single)
                               : (twofold ? core.divide_double : core.divide_single);
  return flow.divider_bits == 256 ? narrow * core.divide_wide_factor : narrow;
}

class FrontEnd {
 public:
  FrontEnd(Gva start, const CoreParameters& core)
      : core_(core), start_(start.value), at_(start.value) {
    window_ = core.predecode_bytes == 0 ? 0 : at_ / core.predecode_bytes;
  }

  void add(const Costed& insn) {
    predecode(insn.flow);
    if (!insn.joins_previous) decode(insn);
  }

  uint32_t ticks() const {
    uint64_t fetched = predecode_cycles_ * kTicksPerCycle;
    if (core_.predecode_bytes != 0) {
      // The windows at both ends are shared with the blocks around.
      const uint64_t bytes = core_.predecode_bytes;
      fetched += (at_ % bytes) * kTicksPerCycle / bytes;
      fetched -= std::min(fetched, (start_ % bytes) * kTicksPerCycle / bytes);
    }
    const uint64_t decoded =
        decode_cycles_ * kTicksPerCycle + uint64_t{group_} * kTicksPerCycle / core_.decode_width;
    return static_cast<uint32_t>(std::max(fetched, decoded));
  }

 private:
  void predecode(const DataFlow& flow) {
    if (core_.predecode_bytes != 0) {
      const uint64_t last = (at_ + flow.length - 1) / core_.predecode_bytes;
      if (last != window_) in_window_ = 0;
      predecode_cycles_ += last - window_;
      window_ = last;
      if (in_window_ == core_.predecode_insns) {
        ++predecode_cycles_;
        in_window_ = 0;
      }
      ++in_window_;
      if (flow.changes_length) predecode_cycles_ += core_.lcp_cycles;
    }
    at_ += flow.length;
  }

  void decode(const Costed& insn) {
    const uint32_t slots = insn.cost.slots;
    if (slots > 4) {
      if (group_ != 0) ++decode_cycles_;
      decode_cycles_ += core_.microcode_cycles - 1 + (slots + 3) / 4;
      group_ = 0;
      return;
    }
    const bool complex = core_.one_complex_decoder != 0 && slots > 1;
    if (group_ == core_.decode_width || (complex && group_ != 0)) {
      ++decode_cycles_;
      group_ = 0;
    }
    ++group_;
  }

  const CoreParameters& core_;
  uint64_t start_, at_;
  uint64_t window_ = 0;
  uint64_t predecode_cycles_ = 0, decode_cycles_ = 0;
  uint32_t in_window_ = 0, group_ = 0;
};

template <size_t N, size_t M>
uint8_t copy_resources(const ResourceList<N>& from, std::array<uint8_t, M>& to) {
  const size_t count = std::min(from.size(), M);
  std::copy_n(from.begin(), count, to.begin());
  return static_cast<uint8_t>(count);
}

InsnTiming insn_timing(const Costed& insn, bool syncs_stack, const UopTable& table) {
  const auto& flow = insn.flow;
  InsnTiming out;
  out.source_count = copy_resources(flow.sources, out.sources);
  out.result_count = copy_resources(flow.results, out.results);
  out.address_count = copy_resources(flow.address, out.address);
  out.access_size = flow.access_size;
  const auto& ports = table.ports();
  const bool operates =
      std::any_of(insn.cost.uops.begin(), insn.cost.uops.end(), [&](const auto& u) {
        return u.ports != ports.load && u.ports != ports.store_address &&
               u.ports != ports.store_data;
      });
  const auto set = [&](bool on, uint16_t bit) {
    if (on) out.traits = static_cast<uint16_t>(out.traits | bit);
  };
  const bool renamed = flow.move && !flow.loads && !flow.stores;
  set(flow.loads, trait::loads);
  set(flow.stores, trait::stores);
  set(operates && !renamed && !flow.zero_idiom, trait::operates);
  set(renamed, trait::renamed);
  set(flow.zero_idiom || (!operates && !flow.loads && !flow.stores && !renamed),
      trait::independent);
  set(flow.serialises, trait::serialises);
  set(flow.serialises && flow.loads, trait::locked);
  set(flow.short_displacement && flow.loads && !flow.stores, trait::short_form);
  set(syncs_stack, trait::syncs_stack);
  set(insn.assumed, trait::assumed);
  set(flow.loads &&
          std::any_of(flow.results.begin(), flow.results.end(),
                      [](uint8_t r) { return r >= resource::vector && r < resource::carry; }),
      trait::vector);
  out.address_name = flow.address_name;
  out.latency = static_cast<uint16_t>(std::min<uint32_t>(insn.cost.latency, 4000) * kTicksPerCycle);
  return out;
}

}  // namespace

BlockTiming time_block(std::span<const std::byte> bytes, Gva address, uint8_t code_size,
                       uint32_t count, const CoreParameters& core) {
  const UopTable& table = core.uops();
  BlockTiming out;
  out.count = count;
  FrontEnd front_end(address, core);
  std::array<uint64_t, kPortLanes> port_uops{};
  uint64_t divider = 0;
  uint32_t slots = 0;
  bool stack_moved = false;
  Costed before;

  for (uint32_t k = 0; k < count; ++k) {
    Costed insn;
    require(analyse(bytes, code_size, insn.flow), "a block's instructions decode");
    bytes = bytes.subspan(std::min<size_t>(insn.flow.length, bytes.size()));
    insn.assumed = !table.find(insn.flow.form, insn.cost);
    if (insn.assumed) insn.cost = assumed_cost(insn.flow, table);
    if (insn.flow.zero_idiom || (insn.flow.move && !insn.flow.loads && !insn.flow.stores)) {
      insn.cost.uops.clear();
    }
    insn.joins_previous = k != 0 && joins(before.flow, insn.flow);

    // The front end moves RSP by itself; the first other use of RSP costs a slot that brings the
    // ports' copy up to date.
    const bool syncs = stack_moved && insn.flow.explicit_rsp;
    if (insn.flow.stack != Stack::none) {
      stack_moved = true;
    } else if (insn.flow.explicit_rsp) {
      stack_moved = false;
    }

    front_end.add(insn);
    out.prefix[k] = slots * kTicksPerCycle / core.issue_width;
    if (!insn.joins_previous) slots += issue_slots(insn) + (syncs ? 1 : 0);
    if (insn.joins_previous) insn.cost.uops.clear();
    if (syncs) insn.cost.uops.push_back({core.lanes[0], 1});
    for (const auto& group : insn.cost.uops) {
      for (size_t lane = 0; lane < kPortLanes; ++lane) {
        const PortSet ports = core.lanes[lane];
        if (ports != 0 && (group.ports & ~ports) == 0) port_uops[lane] += group.count;
      }
    }
    divider += divider_cycles(insn.flow, core);
    out.insns[k] = insn_timing(insn, syncs, table);
    out.offset[k + 1] = static_cast<uint16_t>(out.offset[k] + insn.flow.length);
    out.stores += insn.flow.stores ? 1 : 0;
    out.branch = insn.flow.branch;
    out.fast_string = insn.flow.fast_string;
    before = insn;
  }
  out.prefix[count] = slots * kTicksPerCycle / core.issue_width;
  if (out.fast_string) out.prefix[count] += core.string_startup * kTicksPerCycle;
  out.slots = slots;
  for (size_t lane = 0; lane < kPortLanes; ++lane) {
    if (core.lanes[lane] == 0) continue;
    const auto ports = static_cast<uint64_t>(std::popcount(core.lanes[lane]));
    out.work[lane] = static_cast<uint32_t>(port_uops[lane] * kTicksPerCycle / ports);
  }
  out.work[kDividerLane] = static_cast<uint32_t>(divider * kTicksPerCycle);
  out.work[kFrontEndLane] = slots * kTicksPerCycle / core.uop_cache_width;
  out.decode_ticks = front_end.ticks();
  return out;
}

}  // namespace vitrine::emu::timing
