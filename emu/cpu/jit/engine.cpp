// The engine: entering compiled code, finishing what it leaves, compiling what is hot, linking.
#include "emu/cpu/jit/engine.h"

#include <algorithm>

#include "emu/arch/require.h"
#include "emu/cpu/jit/compiler.h"
#include "emu/cpu/jit/unit.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu::jit {

namespace {

/// No limit is as high as the cost of a dead block.
constexpr uint64_t kHighestLimit = kDeadCost / 2;

uint64_t pure_function(const std::byte* (*f)(Cpu*, const Code*, uint32_t)) {
  return reinterpret_cast<uint64_t>(f);
}

/// The same for every engine of the process: it depends on the instruction table and the host alone.
const FormTable& native_forms() {
  static const FormTable table(can_compile_vectors());
  return table;
}

int32_t distance(const void* from, const void* to) {
  return static_cast<int32_t>(static_cast<const std::byte*>(to) -
                              static_cast<const std::byte*>(from));
}

}  // namespace

std::unique_ptr<Engine> Engine::create(const Cpu& cpu, uint64_t cache_bytes) {
  if (!can_compile()) return nullptr;
  std::unique_ptr<Engine> engine(new Engine(cpu, cache_bytes));
  return engine->memory_.available() ? std::move(engine) : nullptr;
}

Engine::Engine(const Cpu& cpu, uint64_t cache_bytes)
    : forms_(native_forms()), memory_(cache_bytes), targets_(kTargets) {
  const void* const regs = cpu.state.regs.data();
  const Frame& frame = cpu.jit_frame_;
  layout_.cpu = distance(regs, &cpu);
  layout_.clock = distance(regs, &cpu.state.clock);
  layout_.retired = distance(regs, &cpu.state.retired);
  layout_.linear_base = distance(regs, cpu.linear_base_.data());
  layout_.translations = distance(regs, cpu.mmu.ordinary_translations());
  layout_.limit = distance(regs, &frame.limit);
  layout_.flags = distance(regs, &frame.flags);
  layout_.target = distance(regs, &frame.target);
  layout_.link = distance(regs, &frame.link);
  layout_.context = distance(regs, &frame.context);
  layout_.vectors = distance(regs, cpu.state.vector.ymm.data());
  layout_.mxcsr = distance(regs, &cpu.state.vector.mxcsr);
  layout_.cr0 = distance(regs, &cpu.state.cr0);
  layout_.cr4 = distance(regs, &cpu.state.cr4);
  layout_.xcr0 = distance(regs, &cpu.state.xcr0);
  layout_.usable = distance(regs, &frame.usable);
  layout_.host_mxcsr = distance(regs, &frame.host_mxcsr);
  if (!memory_.available()) return;
  const Interpreters calls{reinterpret_cast<const void*>(pure_function(&Engine::interpret)),
                           reinterpret_cast<const void*>(pure_function(&Engine::interpret_rest))};
  thunks_end_ = emit_thunks(memory_, layout_, calls, thunks_);
  used_ = thunks_end_;
}

/// One instruction by its handler, as Cpu::execute does it. Exit::boundary when the block goes on.
uint32_t Engine::handle(Cpu* cpu, Block& block, const Code* code, uint32_t index) {
  const Insn& insn = block.insns[index];
  Frame& frame = cpu->jit_frame_;
  cpu->running_ = &block;
  cpu->start_index_ = 0;
  cpu->current_ = &insn;
  cpu->stop_at_ = &insn + 1;
  cpu->cut_ = false;
  cpu->extra_cycles_ = 0;
  cpu->state.flags.set_arithmetic(unpack_flags(frame.flags));
  cpu->state.set_rip(block.gva.value + code->offset[index + 1]);
  Flow flow = insn.handler(*cpu, insn);
  if (flow == Flow::again) flow = cpu->repeat_string(insn);
  cpu->running_ = nullptr;
  frame.flags = pack_flags(cpu->state.flags.arithmetic());
  const bool ends = (insn.flags & insn_flag::ends_block) != 0;
  if (flow == Flow::next && !cpu->cut_ && !ends) return static_cast<uint32_t>(Exit::boundary);
  frame.block = &block;
  frame.done = flow == Flow::next ? index + 1 : index;
  frame.flow = flow;
  return static_cast<uint32_t>(Exit::inside);
}

uint32_t Engine::handle_rest(Cpu* cpu, Block& block, const Code* code, uint32_t index) {
  for (; index < block.count; ++index) {
    const uint32_t exit = handle(cpu, block, code, index);
    if (exit != static_cast<uint32_t>(Exit::boundary)) return exit;
  }
  Frame& frame = cpu->jit_frame_;
  frame.block = &block;
  frame.done = block.count;
  frame.flow = Flow::next;
  return static_cast<uint32_t>(Exit::inside);
}

/// Called by compiled code for an instruction that it does not do itself. Null when it may go on behind
/// it; what must be looked at before the next block is looked at where this one ends.
const std::byte* Engine::interpret(Cpu* cpu, const Code* code, uint32_t index) {
  Block& block = *code->block;
  const uint64_t translations = cpu->mmu.incarnation();
  const uint32_t exit = handle(cpu, block, code, index);
  cpu->mmu.widen_range();
  if (exit != static_cast<uint32_t>(Exit::boundary)) return cpu->engine_->go_on(*cpu);
  const bool calm = !cpu->attention_ && !cpu->stop_requested_ &&
                    cpu->mmu.incarnation() == translations && code->block != nullptr &&
                    cpu->deadline_.value >= cpu->jit_frame_.limit;
  return calm ? nullptr : interpret_rest(cpu, code, index + 1);
}

/// The block from there to its end.
const std::byte* Engine::interpret_rest(Cpu* cpu, const Code* code, uint32_t index) {
  Engine& engine = *cpu->engine_;
  handle_rest(cpu, *code->block, code, index);
  return engine.go_on(*cpu);
}

/// Behind a block whose last instruction a handler did: the compiled code of the next one, in place of a
/// round through Cpu::run() that looks at the same.
const std::byte* Engine::go_on(Cpu& cpu) {
  Frame& frame = cpu.jit_frame_;
  cpu.finish(*frame.block, 0, frame.done, frame.flow);
  frame.link = nullptr;
  const auto limit = [&] {
    const Cycle deadline = std::min(cpu.deadline_, vmx::preemption_deadline(cpu));
    return std::min(std::min(deadline, frame.budget).value, kHighestLimit);
  };
  frame.limit = limit();
  if (cpu.stop_requested_ || cpu.state.clock.value >= frame.limit || cpu.wants_steps() ||
      cpu.bus().version() != cpu.bus_version_) {
    return thunks_.leave_between;
  }
  if (cpu.attention_) {
    if (!cpu.service_attention() || cpu.stop_requested_ || cpu.wants_steps()) {
      return thunks_.leave_between;
    }
    frame.limit = limit();
  }
  if (cpu.mode_.code_size != 8 || cpu.state.activity != Activity::active ||
      cpu.state.position.index != 0) {
    return thunks_.leave_between;
  }
  frame.context = context_of(cpu);
  frame.flags = pack_flags(cpu.state.flags.arithmetic());
  const Target& target = targets_[cpu.state.rip() % kTargets];
  const bool known = target.gva == cpu.state.rip() && target.context == frame.context;
  return known ? target.entry : thunks_.leave_between;
}

bool Engine::run(Cpu& cpu, Block& block, Cycle limit, Cycle budget) {
  Code* code = block.code;
  if (code == nullptr) {
    if (++block.heat < hot_) return false;
    code = compile(cpu, block);
    if (code == nullptr) return false;
  }
  if (cpu.state.clock.value + code->longest >= limit.value) return false;
  Link* const pending = std::exchange(pending_, nullptr);  // compile() may have dropped it
  Frame& frame = cpu.jit_frame_;
  frame.limit = std::min(limit.value, kHighestLimit);
  frame.budget = budget;
  frame.context = context_of(cpu);
  frame.flags = pack_flags(cpu.state.flags.arithmetic());
  frame.link = nullptr;
  const bool follows =
      pending != nullptr && pending->target == block.gva && pending_context_ == frame.context;
  if (follows) connect(*pending, *code, frame.context);
  targets_[block.gva.value % kTargets] = {block.gva.value, frame.context, code->entry};

  using Enter = uint32_t (*)(uint64_t*, const std::byte*);
  const auto enter = reinterpret_cast<Enter>(reinterpret_cast<uint64_t>(thunks_.enter));
  const auto exit = static_cast<Exit>(enter(cpu.state.regs.data(), code->body));
  cpu.state.flags.set_arithmetic(unpack_flags(frame.flags));
  if (exit == Exit::boundary) {
    cpu.state.position.index = 0;
    cpu.extra_cycles_ = 0;
    pending_ = frame.link;
    pending_context_ = frame.context;
    return true;
  }
  Block& last = *frame.block;
  BlockPosition& at = cpu.state.position;
  at.entry = last.gva;
  at.entry_hpa = last.hpa;
  at.mode = last.mode.bits;
  at.bytes = last.bytes;
  at.entry_clock = cpu.state.clock;
  cpu.finish(last, 0, frame.done, frame.flow);
  return true;
}

Code* Engine::compile(Cpu& cpu, Block& head) {
  const auto find = [&](Gva gva) -> Block* {
    if (((gva.value ^ head.gva.value) & ~kPageMask) != 0) return nullptr;
    const Hpa hpa{(head.hpa.value & ~kPageMask) | (gva.value & kPageMask)};
    Block* const block = cpu.blocks_.find(hpa, gva, head.mode);
    return block != nullptr && block->code == nullptr && block->heat >= warm_ ? block : nullptr;
  };
  const Surroundings around{layout_, thunks_, targets_.data()};
  Unit unit = make_unit(head, forms_, find);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const size_t before = codes_.size();
    add_codes(unit);
    const uint64_t used = compile_unit(memory_, used_, around, unit);
    if (used != 0) {
      used_ = used;
      for (const UnitBlock& b : unit.blocks) b.block->code = b.code;
      compiled_ += unit.blocks.size();
      return head.code;
    }
    codes_.resize(before);
    flush();
  }
  return nullptr;
}

void Engine::add_codes(Unit& unit) {
  for (UnitBlock& b : unit.blocks) {
    Code& code = codes_.emplace_back();
    code.block = b.block;
    for (uint32_t k = 0; k < b.block->count; ++k) {
      code.offset[k + 1] = static_cast<uint16_t>(code.offset[k] + b.block->insns[k].length);
    }
    b.code = &code;
  }
  const size_t count = unit.blocks.size();
  for (size_t i = 0; i < count; ++i) unit.blocks[i].code->next = unit.blocks[(i + 1) % count].code;
}

/// Room for all by forgetting all; nobody is inside compiled code.
void Engine::flush() {
  for (const Code& code : codes_) {
    if (code.block != nullptr) code.block->code = nullptr;
  }
  codes_.clear();
  std::fill(targets_.begin(), targets_.end(), Target{});
  pending_ = nullptr;
  used_ = thunks_end_;
  ++flushes_;
}

/// The number of the processor's translations and mode together; a new one when they are forgotten.
uint32_t Engine::context_of(const Cpu& cpu) {
  const uint64_t translations = cpu.mmu.incarnation() << 3 | cpu.index();
  const uint64_t mode = cpu.mode_key().bits;
  // The modes of one machine differ in few bits, anywhere.
  constexpr uint64_t kSpread = 0x9E37'79B9'7F4A'7C15;
  Context& context = contexts_[((translations * kSpread) ^ (mode * kSpread)) >> 58];
  if (context.number == kLeave || context.translations != translations || context.mode != mode) {
    context = {translations, mode, ++last_context_};
    require(last_context_ < kNoLink, "contexts are numbered with 31 bits");
  }
  return context.number;
}

void Engine::connect(Link& link, Code& code, uint32_t context) {
  if (link.to != nullptr && link.to != &code) std::erase(link.to->incoming, &link);
  if (link.to != &code) code.incoming.push_back(&link);
  link.to = &code;
  const std::byte* const behind =
      memory_.executable() + (link.jump - memory_.writable()) + sizeof(int32_t);
  const auto displacement = static_cast<int32_t>(code.entry - behind);
  std::memcpy(link.jump, &displacement, sizeof(displacement));
  std::memcpy(link.context, &context, sizeof(context));
}

}  // namespace vitrine::emu::jit
