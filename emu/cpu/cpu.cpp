// Cpu: modes derived from the registers, blocks formed from bytes, and the loop that runs them.
#include "emu/cpu/cpu.h"

#include <algorithm>
#include <memory>

#include "emu/arch/require.h"
#include "emu/cpu/handlers/string.h"
#include "emu/cpu/instruction_table.h"
#include "emu/cpu/jit/engine.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace efer = arch::efer;
namespace rflags = arch::rflags;

/// A data segment that needs no checks: base 0, limit 4 GiB, writable, growing up.
bool flat_data(const SegmentState& s) {
  return s.base == 0 && s.limit == 0xFFFFFFFF && !s.rights.unusable() && s.rights.present() &&
         s.rights.writable() && !s.rights.expand_down();
}

bool flat_code(const SegmentState& s) {
  return s.base == 0 && s.limit == 0xFFFFFFFF && s.rights.readable();
}

}  // namespace

Cpu::Cpu(uint32_t index, Bus& bus, BlockCache& blocks, CpuPorts& ports,
         const arch::CpuProfile& profile)
    : mmu(bus, *this, index),
      index_(index),
      blocks_(blocks),
      builder_(profile),
      ports_(ports),
      profile_(profile),
      code_sink_(*this) {
  bus.memory().add_sink(code_sink_);
  reset(false);
}

Fault Cpu::locate_fault(const Fault& fault, uint8_t segment) {
  if (fault.kind != Fault::Kind::non_canonical) return fault;
  return emu::fault(segment == arch::ss ? arch::Vector::stack_fault
                                        : arch::Vector::general_protection);
}

Flow Cpu::jump(uint64_t target, uint8_t operand_bytes) {
  if (mode_.code_size == 8) {
    if (!canonical(target)) return raise(kGeneralProtection0);
  } else {
    target &= operand_bytes == 2 ? 0xFFFF : 0xFFFFFFFF;
    if (target > state.segments[arch::cs].limit) return raise(kGeneralProtection0);
  }
  state.set_rip(target);
  return Flow::branch;
}

void Cpu::context_changed() {
  PagingContext context;
  const bool paging = (state.cr0 & cr0::pg) != 0;
  context.cr0 = state.cr0 & (cr0::pg | cr0::wp);
  if (paging) {
    context.cr3 = state.cr3;
    context.cr4 = state.cr4 & (cr4::pae | cr4::pse | cr4::smep | cr4::smap);
    context.efer = state.efer & (efer::nxe | efer::lma);
    if ((state.cr4 & cr4::pae) != 0 && !state.long_mode()) context.pdpte = state.pdpte;
    if ((state.cr4 & cr4::pcide) != 0) context.cr3 &= ~uint64_t{0xFFF};
  } else {
    context.efer = state.efer & efer::lma;
  }
  context.eptp = vmx::paging_eptp(*this);
  context.ept_execute_for_user = vmx::ept_mbec(*this);
  context.page_log = vmx::logs_pages(*this) ? this : nullptr;
  context.apic_page = vmx::apic_page(*this);
  context.physical_bits = profile_.physical_bits;
  context.gigabyte_pages = profile_.has(arch::CpuFeature::pages_1g);
  if (context != mmu.context()) mmu.set_context(context);
  name_address_space();
  segments_changed();
}

void Cpu::segments_changed() {
  const bool code64 = state.code64();
  const auto& cs = state.segments[arch::cs];
  mode_.code_size = code64 ? 8 : cs.rights.big() ? 4 : 2;
  mode_.stack32 = state.segments[arch::ss].rights.big();
  mode_.flat = code64 || (flat_code(cs) && flat_data(state.segments[arch::es]) &&
                          flat_data(state.segments[arch::ss]) &&
                          flat_data(state.segments[arch::ds]));
  stack_mask_ = code64 ? ~uint64_t{0} : mode_.stack32 ? 0xFFFFFFFF : 0xFFFF;
  linear_mask_ = code64 ? ~uint64_t{0} : 0xFFFFFFFF;
  for (size_t i = 0; i < linear_base_.size(); ++i) {
    const bool has_base = !code64 || i == arch::fs || i == arch::gs;
    linear_base_[i] = has_base ? state.segments[i].base : 0;
  }
  code_base_ = code64 ? 0 : cs.base;
  code_limited_ = !code64 && cs.limit != 0xFFFFFFFF;

  mode_key_.bits = uint64_t{mode_.code_size} | uint64_t{mode_.stack32 && !code64} << 4 |
                   uint64_t{mode_.flat} << 5 | uint64_t{state.cpl} << 6 |
                   uint64_t{state.v8086()} << 8 | uint64_t{state.protected_mode()} << 9 |
                   uint64_t{vmx::nonroot(vmx)} << 10;
  privilege_changed();
}

void Cpu::privilege_changed() {
  const bool user = state.cpl == 3;
  const bool ac = (state.rflags_system & rflags::ac) != 0;
  mmu.set_manner({.user = user,
                  .smap_suspended = ac && !user,
                  .alignment_check = user && ac && (state.cr0 & cr0::am) != 0,
                  .watch = core_ != nullptr || (breakpoints_armed() && watches_data())});
}

void Cpu::visit(StateVisitor& v) {
  state.visit(v);
  v.enter("vmx");
  vmx.visit(v);
  v.leave();
  if (core_ != nullptr) core_->visit(v);
  // Whether the next boundary is looked at is part of what happens there.
  v.field("attention", attention_);
  if (v.loading()) context_changed();
}

// --- Time ---

Cycle Cpu::now() const {
  if (running_ == nullptr) return state.clock + extra_cycles_;
  if (core_ != nullptr) {
    const auto k = static_cast<uint32_t>(current_ - running_->insns.data());
    return Cycle{core_->at(*running_->timing, k) / timing::kTicksPerCycle} + extra_cycles_;
  }
  const auto k = static_cast<size_t>(current_ - running_->insns.data());
  return state.clock + (running_->prefix[k] - running_->prefix[start_index_]) + extra_cycles_;
}

void Cpu::use_core_timing(const timing::CoreParameters& core, bool memory) {
  core_parameters_ = &core;
  core_ = std::make_unique<timing::CoreClock>(core, memory ? &mmu : nullptr);
  context_changed();
}

timing::Ticks Cpu::ticks() const { return core_->now(); }
void Cpu::set_ledger(timing::CycleLedger* ledger) { core_->set_ledger(ledger); }

void Cpu::account_position(timing::CycleLedger& ledger) {
  if (state.position.index == 0) return;
  const Block* const block = next_block();
  if (block != nullptr) core_->account(*block->timing, state.position.index, ledger);
}

void Cpu::wait_until(Cycle time) {
  state.clock = std::max(state.clock, time);
  if (core_ != nullptr) core_->wait_until(state.clock.value * timing::kTicksPerCycle);
}

void Cpu::charge(uint64_t cycles, timing::Cause cause) {
  charge_event(cycles, cause);
  end_block();
}

uint64_t Cpu::tsc() const { return now().value + state.msr.tsc_adjust; }

// --- Blocks ---

void Cpu::code_written(uint64_t offset, uint64_t size) {
  const auto overlaps = [&](Hpa hpa, uint64_t bytes) {
    const BusRange& range = bus().find(hpa);
    if (range.kind != BusRange::Kind::ram) return false;
    const uint64_t first = range.ram_offset + (hpa - range.start);
    return first < offset + size && offset < first + bytes;
  };
  if (running_ != nullptr) {
    if (overlaps(running_->hpa, running_->bytes) ||
        (running_->second_page != Hpa{} && overlaps(running_->second_page, 15))) {
      end_block();
    }
  } else if (state.position.index != 0 &&
             overlaps(state.position.entry_hpa, state.position.bytes)) {
    state.position.index = 0;
  }
}

Block* Cpu::block_at(Gva gva, Hpa hpa) {
  if (Block* block = blocks_.find(hpa, gva, mode_key_)) return block;
  auto formed = form_block(gva, hpa);
  return formed == nullptr ? nullptr : blocks_.insert(std::move(formed));
}

std::unique_ptr<Block> Cpu::form_block(Gva gva, Hpa hpa) {
  auto block = blocks_.blank();
  block->gva = gva;
  block->hpa = hpa;
  block->mode = mode_key_;
  std::array<std::byte, kPageSize> page;
  const uint64_t in_page = kPageSize - (hpa.value & kPageMask);
  bus().read_block(hpa, std::span{page}.first(in_page));

  while (block->count < kMaxBlockInsns && block->bytes < in_page) {
    const auto rest = std::span{page}.subspan(block->bytes, in_page - block->bytes);
    Insn insn;
    if (!builder_.build(rest.first(std::min<size_t>(rest.size(), kMaxInsnBytes)), mode_, insn)) {
      // The instruction crosses into the next page: a block of its own.
      if (block->count != 0 || !form_crossing(*block, rest)) break;
      return block;
    }
    block->insns[block->count] = insn;
    block->prefix[block->count + 1] = block->prefix[block->count] + insn.cost;
    ++block->count;
    block->bytes += insn.length;
    if ((insn.flags & insn_flag::ends_block) != 0) break;
  }
  if (block->count == 0) return nullptr;
  const Insn& last = block->insns[block->count - 1];
  const InsnClass last_class = instruction_table()[last.row].insn_class;
  block->chains = last_class == InsnClass::plain || last_class == InsnClass::branch;
  time_block(*block, std::span{page}.first(block->bytes));
  return block;
}

void Cpu::time_block(Block& block, std::span<const std::byte> bytes) const {
  if (core_ == nullptr) return;
  block.timing = std::make_unique<timing::BlockTiming>(
      timing::time_block(bytes, block.gva, mode_.code_size, block.count, *core_parameters_));
}

bool Cpu::form_crossing(Block& block, std::span<const std::byte> head) {
  const Gva next = (block.gva & ~kPageMask) + kPageSize;
  const auto second = mmu.translate_fetch(Gva{next.value & linear_mask_});
  if (!second) {
    pending_fault_ = locate_fault(second.error(), arch::cs);
    return false;
  }
  std::array<std::byte, kMaxInsnBytes> bytes{};
  std::copy(head.begin(), head.end(), bytes.begin());
  bus().read_block(*second, std::span{bytes}.subspan(head.size()));
  Insn insn;
  require(builder_.build(bytes, mode_, insn), "fifteen bytes always decide an instruction");
  insn.flags |= insn_flag::ends_block;
  block.insns[0] = insn;
  block.prefix[1] = insn.cost;
  block.count = 1;
  block.bytes = insn.length;
  block.second_page = *second;
  time_block(block, std::span{bytes}.first(block.bytes));
  return true;
}

// --- Running ---

Block* Cpu::next_block() {
  BlockPosition& at = state.position;
  if (at.index != 0) {
    const bool same_mode = at.mode == mode_key_.bits;
    Block* const block = same_mode ? block_at(at.entry, at.entry_hpa) : nullptr;
    if (block != nullptr && at.index < block->count) return block;
    at.index = 0;
  }
  const Gva gva{(code_base_ + state.rip()) & linear_mask_};
  const auto hpa = mmu.translate_fetch(gva);
  if (!hpa) {
    pending_fault_ = locate_fault(hpa.error(), arch::cs);
    return nullptr;
  }
  Block* const block = block_at(gva, *hpa);
  if (block != nullptr) {
    at.entry = gva;
    at.entry_hpa = *hpa;
    at.mode = mode_key_.bits;
    at.entry_clock = state.clock;
    at.bytes = block->bytes;
  }
  return block;
}

RunStop Cpu::run(const RunLimits& limits) {
  stop_requested_ = false;
  deadline_ = limits.deadline;
  shared_ = limits.shared;
  for (;;) {
    blocks_.collect();
    if (stop_requested_) return RunStop::observer;
    if (state.clock >= deadline_) return RunStop::deadline;
    if (state.retired >= limits.max_retired) return RunStop::budget;
    if (bus().version() != bus_version_) {
      bus_version_ = bus().version();
      mmu.drop_all();
      blocks_.clear();
    }
    if (state.clock >= vmx::preemption_deadline(*this) || vmx::wants_step(*this)) attention_ = true;
    if (attention_ || state.activity != Activity::active) {
      if (!service_attention()) return RunStop::idle;
      if (state.clock >= deadline_) return RunStop::deadline;
    }
    const uint64_t rip = state.rip();
    if (code_limited_ && rip > state.segments[arch::cs].limit) {
      deliver_exception(kGeneralProtection0);
      settle();
      continue;
    }
    Block* const block = next_block();
    if (block == nullptr) {
      take_fault();
      continue;
    }
    const uint32_t index = state.position.index;
    const Cycle deadline = std::min(deadline_, vmx::preemption_deadline(*this));
    if (core_ != nullptr && index == 0) core_->enter(*block->timing, place_of(*block));
    const Cycle end = end_of(*block, index);
    const bool limit_near = code_limited_ && rip + block->bytes - 1 > state.segments[arch::cs].limit;
    const bool careful = wants_steps() || limit_near || end >= deadline ||
                         limits.max_retired - state.retired < block->count - index;
    if (careful) {
      if (!step(*block, index)) return RunStop::observer;
    } else if (index != 0 || !run_compiled(*block, deadline, limits.max_retired)) {
      const bool chains =
          block->chains && core_ == nullptr && engine_ == nullptr && !code_limited_;
      const Flow flow = execute(*block, index, block->count, true);
      if (chains) run_chained(flow, limits.max_retired);
    }
  }
}

/// Whether every instruction is to be looked at.
bool Cpu::wants_steps() const {
  return observe_all_ || state.sti_shadow || state.mov_ss_shadow ||
         (state.rflags_system & (rflags::tf | rflags::rf)) != 0 || vmx::wants_step(*this) ||
         breakpoints_armed();
}

/// From block to block in place of rounds through run(), as long as blocks end by themselves, so that
/// of what it looks at nothing can have changed but the clock and what is asked for here.
void Cpu::run_chained(Flow flow, uint64_t max_retired) {
  const Cycle preemption = vmx::preemption_deadline(*this);
  for (bool chains = true; chains && !cut_ && (flow == Flow::next || flow == Flow::branch);) {
    if (attention_ || stop_requested_ || observe_all_ || state.position.index != 0) return;
    const Gva gva{(code_base_ + state.rip()) & linear_mask_};
    const auto hpa = mmu.translate_fetch(gva);
    if (!hpa) return;  // run() comes to the same fault
    Block* const block = blocks_.find(*hpa, gva, mode_key_);
    if (block == nullptr) return;
    const Cycle end = state.clock + block->prefix[block->count];
    if (end >= std::min(deadline_, preemption)) return;
    if (max_retired - state.retired < block->count) return;
    state.position = {.entry = gva,
                      .entry_hpa = *hpa,
                      .mode = mode_key_.bits,
                      .index = 0,
                      .bytes = block->bytes,
                      .entry_clock = state.clock};
    chains = block->chains;
    flow = execute(*block, 0, block->count, true);
  }
}

/// No instruction is free, so a limit on instructions bounds the clock as well.
bool Cpu::run_compiled(Block& block, Cycle deadline, uint64_t max_retired) {
  if (engine_ == nullptr || mode_.code_size != 8) return false;
  const uint64_t rest = max_retired - state.retired;
  const bool bounded = rest < kNever.value - state.clock.value;
  const Cycle budget = bounded ? state.clock + rest : kNever;
  return engine_->run(*this, block, std::min(deadline, budget), budget);
}

bool Cpu::step(Block& block, uint32_t index) {
  const Insn& insn = block.insns[index];
  const uint64_t rip = state.rip();
  const bool trap = (state.rflags_system & rflags::tf) != 0;
  const bool resumed = (state.rflags_system & rflags::rf) != 0;
  const bool sti_shadow = state.sti_shadow;
  const bool mov_ss_shadow = state.mov_ss_shadow;
  const uint64_t transitions = vmx.transitions;
  if (code_limited_ && rip + insn.length - 1 > state.segments[arch::cs].limit) {
    deliver_exception(kGeneralProtection0);
    settle();
    return true;
  }
  if (observe_all_ && observer_ != nullptr && observer_->stop_before(*this, insn)) return false;
  if (breakpoint_hit(rip)) return true;
  const Insn copy = insn;  // the block may be dropped while its instruction runs
  const bool repeats = !observe_all_ && !trap && !breakpoints_armed() && !vmx::wants_step(*this);
  watch_hits_ = 0;
  const Flow flow = execute(block, index, index + 1, repeats);
  if (flow == Flow::fault || flow == Flow::exit) return true;
  // Traps and shadows of the other side of a VM entry are not this one's.
  if (vmx.transitions == transitions) {
    trap_after(copy, rip, trap);
    if (flow == Flow::again) return true;
    // RF that IRET has just loaded is for the instruction behind it.
    if (resumed) state.rflags_system &= ~rflags::rf;
    if (sti_shadow) state.sti_shadow = false;
    if (mov_ss_shadow) state.mov_ss_shadow = false;
    if (sti_shadow || mov_ss_shadow) attention_ = true;
  }
  if (observe_all_ && observer_ != nullptr) observer_->retired(*this, copy, rip);
  return true;
}

/// The clock behind the last instruction of a block from instruction `index` on, if nothing is charged
/// inside; rounded up.
Cycle Cpu::end_of(const Block& block, uint32_t index) const {
  if (core_ != nullptr) {
    const timing::Ticks end = core_->at(*block.timing, block.count);
    return Cycle{(end + timing::kTicksPerCycle - 1) / timing::kTicksPerCycle};
  }
  return state.clock + (block.prefix[block.count] - block.prefix[index]);
}

Flow Cpu::execute(Block& block, uint32_t index, uint32_t last, bool repeat) {
  if (core_ != nullptr) return execute_timed(block, index, last, repeat);
  const Insn* insn = block.insns.data() + index;
  running_ = &block;
  start_index_ = index;
  stop_at_ = block.insns.data() + last;
  cut_ = false;
  extra_cycles_ = 0;
  Flow flow = Flow::next;
  uint64_t rip = state.rip();  // only instructions that end the block set it otherwise
  do {
    current_ = insn;
    rip += insn->length;
    state.regs[kRipRegister] = rip;
    flow = insn->handler(*this, *insn);
    if (flow != Flow::next) [[unlikely]] {
      if (flow == Flow::again && repeat) flow = repeat_string(*insn);
      if (flow != Flow::next) break;
    }
    ++insn;
  } while (insn != stop_at_);
  running_ = nullptr;

  finish(block, index, static_cast<uint32_t>(insn - block.insns.data()), flow);
  return flow;
}

Flow Cpu::execute_timed(Block& block, uint32_t index, uint32_t last, bool repeat) {
  const Insn* insn = block.insns.data() + index;
  if (index == 0) core_->begin(place_of(block));
  running_ = &block;
  start_index_ = index;
  stop_at_ = block.insns.data() + last;
  cut_ = false;
  extra_cycles_ = 0;
  Flow flow = Flow::next;
  do {
    current_ = insn;
    load_ = store_ = {};
    state.regs[kRipRegister] += insn->length;
    flow = insn->handler(*this, *insn);
    if (flow == Flow::fault || flow == Flow::exit) break;
    const auto k = static_cast<uint32_t>(insn - block.insns.data());
    // A read-modify-write is one access that asks for the right to write.
    const bool loads = (block.timing->insns[k].traits & timing::trait::loads) != 0;
    core_->retire(*block.timing, k, loads && load_.size == 0 ? store_ : load_, store_);
    if (flow == Flow::again && repeat && iterate(block)) continue;
    if (flow != Flow::next) break;
    ++insn;
  } while (insn != stop_at_);
  running_ = nullptr;

  finish(block, index, static_cast<uint32_t>(insn - block.insns.data()), flow);
  return flow;
}

/// From one iteration of a string instruction to the next in place of a round through run(): the same
/// boundary, with its own look at the deadline.
bool Cpu::iterate(Block& block) {
  if (block.count != 1 || cut_ || attention_ || !block.valid || extra_cycles_ != 0) return false;
  const Cycle deadline = std::min(deadline_, vmx::preemption_deadline(*this));
  const Cycle end{core_->end(*block.timing) / timing::kTicksPerCycle};
  if (end + 1 >= deadline) return false;
  const timing::CodePlace place = place_of(block);
  core_->leave_again(*block.timing, place);
  state.clock = end;
  core_->enter(*block.timing, place);
  core_->begin(place);
  state.regs[kRipRegister] -= block.insns[0].length;
  return true;
}

timing::CodePlace Cpu::place_of(const Block& block) {
  return {block.gva, block.hpa, block.second_page, block.bytes};
}

/// Iterations of a string instruction in place of rounds through run(): the same boundaries, each with
/// its own look at the deadline.
Flow Cpu::repeat_string(const Insn& insn) {
  Flow flow = Flow::again;
  const Cycle deadline = std::min(deadline_, vmx::preemption_deadline(*this));
  while (flow == Flow::again && !cut_ && !attention_ && now() + insn.cost < deadline) {
    if (core_ == nullptr && mode_.code_size == 8) {
      const uint64_t most = (deadline.value - now().value - 1) / insn.cost;
      const uint64_t done = repeat_in_bulk(*this, insn, most);
      extra_cycles_ += done * insn.cost;
      if (done != 0) continue;
    }
    extra_cycles_ += insn.cost;
    flow = insn.handler(*this, insn);
  }
  return flow;
}

void Cpu::finish(Block& block, uint32_t index, uint32_t done, Flow flow) {
  uint32_t charged = done;
  switch (flow) {
    case Flow::next: break;
    case Flow::branch:
      ++charged;
      ++done;
      break;
    case Flow::again: ++charged; break;
    case Flow::fault:
    case Flow::exit: break;
  }
  state.retired += done - index;
  const bool inside = flow == Flow::next && !cut_ && block.valid && done < block.count;
  if (core_ != nullptr) {
    advance_core(block, charged, inside, flow);
  } else {
    state.clock += block.prefix[charged] - block.prefix[index] + extra_cycles_;
  }
  extra_cycles_ = 0;
  state.position.index = inside ? done : 0;
  if (flow == Flow::again) {
    // SDM "Resume Flag": whatever arrives between two iterations finds RF set.
    state.rflags_system |= rflags::rf;
    state.regs[kRipRegister] -= block.insns[done].length;
  } else if (flow == Flow::fault) {
    state.regs[kRipRegister] -= block.insns[done].length;
    take_fault(block.insns[done].length);
  }
}

/// `charged` instructions of the block have run. A block that ends early drains the core, as does
/// whatever charged cycles of its own.
void Cpu::advance_core(Block& block, uint32_t charged, bool inside, Flow flow) {
  const timing::BlockTiming& timing = *block.timing;
  if (inside) {
    state.clock = Cycle{core_->at(timing, charged) / timing::kTicksPerCycle};
    return;
  }
  if (charged == block.count) {
    const uint64_t next = (code_base_ + state.rip()) & linear_mask_;
    if (flow == Flow::again) {
      core_->leave_again(timing, place_of(block));
    } else {
      core_->leave(timing, place_of(block), flow == Flow::branch, next);
    }
    if (extra_cycles_ != 0) core_->drain(extra_cycles_);
  } else {
    core_->drain(timing, charged, extra_cycles_);
  }
  state.clock = Cycle{core_->now() / timing::kTicksPerCycle};
}

void Cpu::take_fault(uint8_t instruction_length) {
  state.position.index = 0;
  if (pending_fault_.kind == Fault::Kind::exception) {
    deliver_exception(pending_fault_);
  } else {
    vmx::exit_on_ept_fault(*this, pending_fault_, instruction_length);
  }
  settle();
}

void Cpu::settle() {
  if (core_ != nullptr) {
    core_->drain(extra_cycles_);
    state.clock = Cycle{core_->now() / timing::kTicksPerCycle};
  } else {
    state.clock += extra_cycles_;
  }
  extra_cycles_ = 0;
  state.position.index = 0;
}

}  // namespace vitrine::emu
