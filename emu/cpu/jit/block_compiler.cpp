// A block's frame: registers, flags, memory accesses with their cold sides, links and ends.
#include "emu/cpu/jit/block_compiler.h"

#include "emu/arch/require.h"

namespace vitrine::emu::jit {

namespace {

constexpr int32_t kEntries = offsetof(Translations, entries);
static_assert(sizeof(Translations::Entry) == 32 && Translations::kEntries == 512);
constexpr uint32_t kTargetIndexMask = 4095;
constexpr uint8_t kNoGuest = 0xFF;

constexpr uint32_t bit(unsigned guest) { return uint32_t{1} << guest; }

}  // namespace

BlockCompiler::BlockCompiler(x86::Assembler& a, const Surroundings& around, const Unit& unit,
                             size_t number, BlockCompilers& all)
    : cost(a.newLabel()),
      entry(a.newLabel()),
      body(a.newLabel()),
      a_(a),
      around_(around),
      layout_(around.layout),
      unit_(unit),
      unit_block_(unit.blocks[number]),
      number_(number),
      all_(all),
      block_(*unit_block_.block),
      plan_(unit_block_.plan),
      code_(*unit_block_.code),
      start_(a.newLabel()),
      no_vectors_(a.newLabel()) {
  floats_.fill(kNoGuest);
  if (!unit_block_.joins) return;
  loaded_at_start_ = unit.shared;
  dirty_at_start_ = unit.written;
  if (unit.vector_bytes == 0) return;
  vectors_at_start_.usable = unit.vector_bytes == 16 ? kSseUsable : kAvxUsable;
  for (unsigned g = 0; g < 16; ++g) {
    if ((unit.vectors & bit(g)) != 0) vectors_at_start_.loaded[g] = unit.vector_bytes;
    if ((unit.vectors_written & bit(g)) != 0) vectors_at_start_.dirty[g] = unit.vector_bytes;
  }
}

void BlockCompiler::compile() {
  if (number_ == 0) entry_from_outside();
  a_.bind(start_);
  loaded_ = loaded_at_start_;
  dirty_ = dirty_at_start_;
  vectors_ = vectors_at_start_;
  make_room();
  look_at_limit();

  next_rip_ = block_.gva.value;
  colds_.reserve(block_.count + 1);  // a call through memory has two
  for (index_ = 0; index_ < block_.count; ++index_) {
    const Insn& insn = block_.insns[index_];
    next_rip_ += insn.length;
    if (plan_.native[index_] && plan_.floating) bring_in(registers_of(insn, plan_.form[index_]));
    dirty_before_ = dirty_;
    vectors_before_ = vectors_;
    cold_ = nullptr;
    if (plan_.native[index_]) {
      instruction(insn, plan_.form[index_]);
    } else {
      handler(insn);
    }
    if (cold_ == nullptr) continue;
    a_.bind(cold_->back);
    cold_->loaded = loaded_;
    cold_->host_flags = host_flags_;
    cold_->ends = ended_;
    cold_->vectors_after = vectors_;
  }
  if (!ended_) {
    end_block();
    go(0, next_rip_);
  }
}

void BlockCompiler::compile_rest() {
  resting_ = true;
  if (number_ != 0) entry_from_outside();
  for (const Way& way : ways_) {
    a_.bind(way.from);
    loaded_ = way.loaded;
    dirty_ = way.dirty;
    flags_pending_ = way.flags_pending;
    vectors_ = way.vectors;
    go(way.which, way.target);
  }
  for (const Miss& miss : misses_) miss_side(miss);
  for (const Cold& cold : colds_) cold_side(cold);
  for (const Guard& guard : guards_) guard_side(guard);
  for (const Turn& turn : turns_) {
    a_.bind(turn.from);
    store_dirty(turn.dirty);
    store_vectors(turn.vectors);
    rest_by_handlers(0);
  }
  if (vectors_at_start_.usable == 0) return;
  a_.bind(no_vectors_);
  a_.call(address(around_.thunks.use_vectors));
  a_.test(x86::dword_ptr(kState, layout_.usable), static_cast<int32_t>(vectors_at_start_.usable));
  a_.jne(body);
  rest_by_handlers(0);
}

/// Looks at the limit, and loads what the block expects.
void BlockCompiler::entry_from_outside() {
  const auto refused = a_.newLabel();
  a_.bind(cost);
  a_.embedUInt64(unit_block_.longest);
  a_.bind(refused);
  leave_at(block_.gva.value);
  a_.bind(entry);
  a_.mov(x86::rax, x86::qword_ptr(cost));
  a_.add(x86::rax, kClock);
  a_.cmp(x86::rax, x86::qword_ptr(kState, layout_.limit));
  a_.jae(refused);
  a_.bind(body);
  if (vectors_at_start_.usable != 0) {
    a_.test(x86::dword_ptr(kState, layout_.usable), static_cast<int32_t>(vectors_at_start_.usable));
    a_.je(no_vectors_);
    for (unsigned g = 0; g < 16; ++g) {
      if (vectors_at_start_.loaded[g] != 0) load_vector(g, vectors_at_start_.loaded[g]);
    }
  }
  for (unsigned g = 0; g < 16; ++g) {
    if ((loaded_at_start_ & bit(g)) == 0) continue;
    a_.mov(x86::gpq(unit_.host[g]), guest_register(g));
  }
  if (number_ != 0) a_.jmp(start_);
}

/// Shared registers whose places this block needs for others.
void BlockCompiler::make_room() {
  for (unsigned g = 0; g < 16; ++g) {
    if ((loaded_ & bit(g)) == 0 || in_shared_place(g)) continue;
    if ((dirty_ & bit(g)) != 0) a_.mov(guest_register(g), x86::gpq(unit_.host[g]));
    loaded_ &= ~bit(g);
    dirty_ &= ~bit(g);
  }
}

/// The flags are free here: they are saved, or the block sets them before anybody looks.
void BlockCompiler::look_at_limit() {
  if (unit_block_.around == 0) return;
  Turn& turn = turns_.emplace_back();
  turn.from = a_.newLabel();
  turn.dirty = dirty_;
  turn.vectors = vectors_;
  a_.lea(x86::rax, x86::ptr(kClock, static_cast<int32_t>(unit_block_.around)));
  a_.cmp(x86::rax, x86::qword_ptr(kState, layout_.limit));
  a_.jae(turn.from);
}

void BlockCompiler::instruction(const Insn& insn, const Form& f) {
  switch (f.op) {
    case Op::none:
    case Op::nop: break;
    case Op::mov:
    case Op::lea:
    case Op::bswap: move(insn, f); break;
    case Op::movzx:
    case Op::movsx:
    case Op::cbw:
    case Op::cwd: extend(insn, f); break;
    case Op::add:
    case Op::adc:
    case Op::sub:
    case Op::sbb:
    case Op::cmp:
    case Op::and_:
    case Op::or_:
    case Op::xor_:
    case Op::test: binary(insn, f); break;
    case Op::inc:
    case Op::dec:
    case Op::neg:
    case Op::not_: unary(insn, f); break;
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rol:
    case Op::ror: shift(insn, f); break;
    case Op::imul: multiply(insn, f); break;
    case Op::cmov:
    case Op::setcc: conditional(insn, f); break;
    case Op::push:
    case Op::pop: stack(insn, f); break;
    case Op::jcc:
    case Op::jmp:
    case Op::call:
    case Op::ret: transfer(insn, f); break;
    case Op::vector: vector(insn, *f.vector); break;
  }
}

// --- Registers ---

uint8_t BlockCompiler::host_of(unsigned guest) const {
  if (plan_.host[guest] != kNoHost) return plan_.host[guest];
  for (size_t i = 0; plan_.floating && i < kFloats; ++i) {
    if (floats_[i] == guest) return plan_.floats[i];
  }
  return kNoHost;
}

/// Moves alone, so that the flags stay.
void BlockCompiler::bring_in(uint32_t guests) {
  for (unsigned g = 0; g < 16; ++g) {
    if ((guests & bit(g)) == 0 || host_of(g) != kNoHost) continue;
    const auto busy = [&](size_t i) { return floats_[i] != kNoGuest && (guests & bit(floats_[i])) != 0; };
    size_t tries = 0;
    while (busy(next_float_)) {
      next_float_ = (next_float_ + 1) % kFloats;
      require(++tries < kFloats, "no instruction needs more registers than there are floating places");
    }
    uint8_t& place = floats_[next_float_];
    if (place != kNoGuest) {
      if ((dirty_ & bit(place)) != 0) a_.mov(guest_register(place), x86::gpq(plan_.floats[next_float_]));
      loaded_ &= ~bit(place);
      dirty_ &= ~bit(place);
    }
    place = static_cast<uint8_t>(g);
    next_float_ = (next_float_ + 1) % kFloats;
  }
}

x86::Gp BlockCompiler::use(unsigned guest, unsigned bytes) {
  const uint8_t host = host_of(guest);
  require(host != kNoHost, "a native instruction has all its registers");
  if ((loaded_ & bit(guest)) == 0) {
    a_.mov(x86::gpq(host), guest_register(guest));
    loaded_ |= bit(guest);
  }
  return host_register(host, bytes);
}

x86::Gp BlockCompiler::change(unsigned guest, unsigned bytes, bool whole) {
  if (whole && bytes >= 4) {
    loaded_ |= bit(guest);
  } else {
    use(guest, bytes);
  }
  require((plan_.written & bit(guest)) != 0, "a plan knows what its forms write");
  dirty_ |= bit(guest);
  return host_register(host_of(guest), bytes);
}

void BlockCompiler::store_dirty(uint32_t which) {
  for (unsigned g = 0; g < 16; ++g) {
    if ((which & bit(g)) != 0) a_.mov(guest_register(g), x86::gpq(host_of(g)));
  }
}

// --- Flags ---

void BlockCompiler::need_flags() {
  if (host_flags_) return;
  load_flags(a_, layout_);
  host_flags_ = true;
}

void BlockCompiler::flags_set() {
  host_flags_ = true;
  flags_pending_ = !plan_.seen[index_];
  if (plan_.seen[index_]) save_flags(a_, layout_);
}

// --- Memory ---

x86::Mem BlockCompiler::operand_address(const Insn& insn) {
  const bool has_base = insn.base < 16;
  const bool has_index = insn.index < 16;
  x86::Gp base, index;
  if (has_base) base = use(insn.base, 8);
  if (has_index) index = use(insn.index, 8);
  if (has_base && has_index) return x86::ptr(base, index, insn.scale, insn.disp);
  if (has_base) return x86::ptr(base, insn.disp);
  if (has_index) {
    return x86::ptr(static_cast<uint64_t>(int64_t{insn.disp}), index, insn.scale);
  }
  const uint64_t fixed =
      (insn.base == kRipRegister ? next_rip_ : 0) + static_cast<uint64_t>(int64_t{insn.disp});
  a_.mov(x86::rax, asmjit::Imm(fixed));
  return x86::ptr(x86::rax);
}

void BlockCompiler::linear_address(const Insn& insn) {
  const x86::Mem at = operand_address(insn);
  const bool there = at.baseId() == x86::rax.id() && !at.hasIndex();
  if (!there) a_.lea(x86::rax, at);
  if (insn.segment == arch::fs || insn.segment == arch::gs) {
    a_.add(x86::rax, x86::qword_ptr(kState, layout_.linear_base + insn.segment * 8));
  }
}

x86::Mem BlockCompiler::probe(unsigned bytes, bool write, Translations::Kind kind) {
  using Range = Translations::Range;
  require(bytes <= Translations::kWidest, "ranges leave room for the widest access");
  colds_.push_back({});
  cold_ = &colds_.back();
  cold_->from = a_.newLabel();
  cold_->back = a_.newLabel();
  cold_->index = index_;
  cold_->dirty = dirty_before_;
  cold_->floats = floats_;
  cold_->vectors_before = vectors_before_;
  const Miss& miss = misses_.emplace_back(
      Miss{a_.newLabel(), a_.newLabel(), cold_->from, bytes, write, kind});
  const auto range = static_cast<int32_t>(
      (write ? offsetof(Translations, write) : offsetof(Translations, read)) + kind * sizeof(Range));
  const auto part = [&](size_t offset) {
    return x86::qword_ptr(x86::rcx, range + static_cast<int32_t>(offset));
  };
  a_.mov(x86::rcx, x86::qword_ptr(kState, layout_.translations));
  a_.mov(x86::rdx, x86::rax);
  a_.sub(x86::rdx, part(offsetof(Range, start)));
  a_.cmp(x86::rdx, part(offsetof(Range, size)));
  a_.jae(miss.from);
  a_.mov(x86::rdx, part(offsetof(Range, addend)));
  a_.bind(miss.found);
  host_flags_ = false;
  return x86::Mem(x86::rax, x86::rdx, 0, 0, bytes);
}

/// Outside its range: the table of pages, as long as patience lasts.
void BlockCompiler::miss_side(const Miss& miss) {
  using Entry = Translations::Entry;
  const auto field = [](size_t offset) {
    return x86::qword_ptr(x86::rdx, kEntries + static_cast<int32_t>(offset));
  };
  const auto tired = a_.newLabel();
  a_.bind(miss.from);
  a_.sub(x86::dword_ptr(x86::rcx, offsetof(Translations, patience)), 1);
  a_.js(tired);
  // Translations::index() times the bytes of an entry.
  a_.mov(x86::rdx, x86::rax);
  a_.shr(x86::rdx, Translations::kFold);
  a_.xor_(x86::rdx, x86::rax);
  a_.shr(x86::rdx, 7);
  a_.and_(x86::edx, 0x3FE0);
  a_.add(x86::rdx, x86::rcx);
  a_.mov(x86::rcx, x86::rax);
  a_.xor_(x86::rcx, field(miss.write ? offsetof(Entry, write_tag) : offsetof(Entry, read_tag)));
  a_.cmp(x86::rcx, 4096 - static_cast<int32_t>(miss.bytes));
  a_.ja(miss.cold);
  a_.mov(x86::rdx, field(offsetof(Entry, addend)));
  a_.jmp(miss.found);
  a_.bind(tired);
  const uint32_t wanted = miss.kind + (miss.write ? uint32_t{Translations::kKinds} : 0);
  a_.mov(x86::dword_ptr(x86::rcx, offsetof(Translations, wanted)), wanted);
  a_.mov(x86::qword_ptr(x86::rcx, offsetof(Translations, wanted_address)), x86::rax);
  a_.jmp(miss.cold);
}

Translations::Kind BlockCompiler::kind_of(const Insn& insn) {
  if (insn.segment == arch::fs || insn.segment == arch::gs) return Translations::segment;
  if (insn.base == arch::rsp) return Translations::stack;
  return insn.base < 16 ? Translations::based : Translations::fixed;
}

x86::Mem BlockCompiler::access(const Insn& insn, unsigned bytes, bool write) {
  linear_address(insn);
  return probe(bytes, write, kind_of(insn));
}

x86::Mem BlockCompiler::access_with_flags(const Insn& insn, unsigned bytes, bool write) {
  access(insn, bytes, write);
  a_.add(x86::rdx, x86::rax);
  need_flags();
  return x86::Mem(x86::rdx, 0, bytes);
}

asmjit::Imm BlockCompiler::immediate(const Insn& insn, unsigned bytes) const {
  const unsigned unused = 64 - bytes * 8;
  return asmjit::Imm(static_cast<int64_t>(insn.imm << unused) >> unused);
}

/// The whole instruction by its handler, with everything stored and loaded again.
void BlockCompiler::cold_side(const Cold& cold) {
  a_.bind(cold.from);
  floats_ = cold.floats;
  store_dirty(cold.dirty);
  store_vectors(cold.vectors_before);
  a_.mov(x86::rsi, address(&code_));
  a_.mov(x86::edx, cold.index);
  a_.call(address(around_.thunks.interpret));
  if (cold.ends) return;  // the thunk does not come back
  for (unsigned g = 0; g < 16; ++g) {
    if ((cold.loaded & bit(g)) != 0) a_.mov(x86::gpq(host_of(g)), guest_register(g));
  }
  load_vectors(cold.vectors_after);
  if (cold.host_flags) load_flags(a_, layout_);
  a_.jmp(cold.back);
}

void BlockCompiler::handler(const Insn& insn) {
  store_dirty(dirty_);
  store_vectors(vectors_);
  vectors_ = {};
  dirty_ = 0;
  loaded_ = 0;
  host_flags_ = false;
  a_.mov(x86::rsi, address(&code_));
  a_.mov(x86::edx, index_);
  a_.call(address(around_.thunks.interpret));
  // What such an instruction leaves is looked at outside: the thunk does not come back.
  if ((insn.flags & insn_flag::ends_block) != 0) ended_ = true;
}

/// The block from there to its end; everything is stored.
void BlockCompiler::rest_by_handlers(uint32_t index) {
  a_.mov(x86::rsi, address(&code_));
  a_.mov(x86::edx, index);
  a_.call(address(around_.thunks.interpret_rest));
}

// --- Ends ---

void BlockCompiler::end_block() {
  put_back();
  if (unit_.vector_bytes == 0) {
    store_vectors(vectors_);
    vectors_ = {};
  }
  a_.lea(kClock, x86::ptr(kClock, static_cast<int32_t>(block_.prefix[block_.count])));
  a_.lea(kRetired, x86::ptr(kRetired, static_cast<int32_t>(block_.count)));
  ended_ = true;
}

/// Registers that only this block has in the host leave it.
void BlockCompiler::put_back() {
  for (unsigned g = 0; g < 16; ++g) {
    if ((loaded_ & bit(g)) == 0 || in_shared_place(g)) continue;
    if ((dirty_ & bit(g)) != 0) a_.mov(guest_register(g), x86::gpq(host_of(g)));
    loaded_ &= ~bit(g);
    dirty_ &= ~bit(g);
  }
}

BlockCompiler* BlockCompiler::inside(size_t which) const {
  const int32_t next = unit_block_.next[which];
  return next < 0 ? nullptr : &all_[static_cast<size_t>(next)];
}

/// Whether the next block can be jumped to as things are.
bool BlockCompiler::goes_straight(size_t which) const {
  const BlockCompiler* const next = inside(which);
  if (next == nullptr || (flags_pending_ && !next->plan_.kills_flags)) return false;
  if (next->unit_block_.inherits) return true;
  if ((next->loaded_at_start_ & ~loaded_) != 0) return false;
  const VectorRegisters& wanted = next->vectors_at_start_;
  for (size_t g = 0; g < 16; ++g) {
    if (vectors_.loaded[g] < wanted.loaded[g]) return false;
  }
  return (wanted.usable & ~vectors_.usable) == 0;
}

void BlockCompiler::pass_on(BlockCompiler& next) const {
  if (!next.unit_block_.inherits) return;
  next.loaded_at_start_ = loaded_;
  next.dirty_at_start_ = dirty_;
  next.vectors_at_start_ = vectors_;
}

void BlockCompiler::go(size_t which, uint64_t target) {
  BlockCompiler* const next = inside(which);
  if (flags_pending_ && (next == nullptr || !next->plan_.kills_flags)) save_flags(a_, layout_);
  if (next == nullptr) {
    store_dirty(dirty_);
    store_vectors(vectors_);
    link(which, target);
    return;
  }
  pass_on(*next);
  const VectorRegisters& wanted = next->vectors_at_start_;
  if ((wanted.usable & ~vectors_.usable) != 0) {
    // As from outside, but for the limit.
    store_dirty(dirty_);
    store_vectors(vectors_);
    a_.jmp(next->body);
    return;
  }
  require((dirty_ & ~next->dirty_at_start_) == 0, "a unit knows which registers it changes");
  for (unsigned g = 0; g < 16; ++g) {
    if ((next->loaded_at_start_ & ~loaded_ & bit(g)) != 0) {
      a_.mov(x86::gpq(unit_.host[g]), guest_register(g));
    }
    require(vectors_.dirty[g] <= wanted.dirty[g], "and which vector registers");
    if (vectors_.loaded[g] < wanted.loaded[g]) load_vector(g, wanted.loaded[g]);
  }
  if (resting_ || next->number_ != number_ + 1) a_.jmp(next->start_);
}

void BlockCompiler::leave_at(uint64_t rip) {
  a_.mov(x86::rax, asmjit::Imm(rip));
  a_.mov(guest_register(kRipRegister), x86::rax);
  a_.mov(x86::qword_ptr(kState, layout_.link), 0);
  a_.xor_(x86::eax, x86::eax);
  a_.jmp(address(around_.thunks.leave));
}

void BlockCompiler::link(size_t which, uint64_t target) {
  LinkLabels& labels = links[which];
  labels.used = true;
  labels.target = Gva{target};
  labels.compare_end = a_.newLabel();
  labels.jump_end = a_.newLabel();
  const auto out = a_.newLabel();
  // The 32-bit form of CMP, whatever the value, so that it can be patched; likewise JMP rel32.
  a_.long_().cmp(x86::dword_ptr(kState, layout_.context), static_cast<int32_t>(kNoLink));
  a_.bind(labels.compare_end);
  a_.jne(out);
  a_.long_().jmp(out);
  a_.bind(labels.jump_end);
  a_.bind(out);
  a_.mov(x86::rax, asmjit::Imm(target));
  a_.mov(guest_register(kRipRegister), x86::rax);
  a_.mov(x86::rax, address(&code_.links[which]));
  a_.mov(x86::qword_ptr(kState, layout_.link), x86::rax);
  a_.xor_(x86::eax, x86::eax);
  a_.jmp(address(around_.thunks.leave));
}

/// To the address in RAX.
void BlockCompiler::indirect() {
  store_dirty(dirty_);
  store_vectors(vectors_);
  const auto out = a_.newLabel();
  a_.mov(x86::ecx, x86::eax);
  a_.and_(x86::ecx, kTargetIndexMask);
  a_.shl(x86::ecx, 5);
  a_.mov(x86::rdx, address(around_.targets));
  a_.add(x86::rdx, x86::rcx);
  a_.cmp(x86::rax, x86::qword_ptr(x86::rdx));
  a_.jne(out);
  a_.mov(x86::ecx, x86::dword_ptr(kState, layout_.context));
  a_.cmp(x86::rcx, x86::qword_ptr(x86::rdx, 8));
  a_.jne(out);
  a_.jmp(x86::qword_ptr(x86::rdx, 16));
  a_.bind(out);
  a_.mov(guest_register(kRipRegister), x86::rax);
  a_.mov(x86::qword_ptr(kState, layout_.link), 0);
  a_.xor_(x86::eax, x86::eax);
  a_.jmp(address(around_.thunks.leave));
}

}  // namespace vitrine::emu::jit
