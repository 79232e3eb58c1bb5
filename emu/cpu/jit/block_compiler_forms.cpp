// The native forms of a block: guest instructions as the host's own, on the registers they were given.
#include "emu/cpu/jit/block_compiler.h"

#include <array>

namespace vitrine::emu::jit {

namespace {

namespace Inst = asmjit::x86::Inst;

asmjit::InstId host_instruction(Op op) {
  switch (op) {
    case Op::add: return Inst::kIdAdd;
    case Op::adc: return Inst::kIdAdc;
    case Op::sub: return Inst::kIdSub;
    case Op::sbb: return Inst::kIdSbb;
    case Op::cmp: return Inst::kIdCmp;
    case Op::and_: return Inst::kIdAnd;
    case Op::or_: return Inst::kIdOr;
    case Op::xor_: return Inst::kIdXor;
    case Op::test: return Inst::kIdTest;
    case Op::inc: return Inst::kIdInc;
    case Op::dec: return Inst::kIdDec;
    case Op::neg: return Inst::kIdNeg;
    case Op::not_: return Inst::kIdNot;
    case Op::shl: return Inst::kIdShl;
    case Op::shr: return Inst::kIdShr;
    case Op::sar: return Inst::kIdSar;
    case Op::rol: return Inst::kIdRol;
    case Op::ror: return Inst::kIdRor;
    case Op::movzx: return Inst::kIdMovzx;
    case Op::movsx: return Inst::kIdMovsx;
    default: return Inst::kIdMov;
  }
}

// clang-format off
constexpr std::array<asmjit::InstId, 16> kJcc = {
    Inst::kIdJo, Inst::kIdJno, Inst::kIdJb, Inst::kIdJnb, Inst::kIdJz, Inst::kIdJnz, Inst::kIdJbe, Inst::kIdJnbe,
    Inst::kIdJs, Inst::kIdJns, Inst::kIdJp, Inst::kIdJnp, Inst::kIdJl, Inst::kIdJnl, Inst::kIdJle, Inst::kIdJnle};
constexpr std::array<asmjit::InstId, 16> kSetcc = {
    Inst::kIdSeto, Inst::kIdSetno, Inst::kIdSetb, Inst::kIdSetnb, Inst::kIdSetz, Inst::kIdSetnz, Inst::kIdSetbe, Inst::kIdSetnbe,
    Inst::kIdSets, Inst::kIdSetns, Inst::kIdSetp, Inst::kIdSetnp, Inst::kIdSetl, Inst::kIdSetnl, Inst::kIdSetle, Inst::kIdSetnle};
constexpr std::array<asmjit::InstId, 16> kCmov = {
    Inst::kIdCmovo, Inst::kIdCmovno, Inst::kIdCmovb, Inst::kIdCmovnb, Inst::kIdCmovz, Inst::kIdCmovnz, Inst::kIdCmovbe, Inst::kIdCmovnbe,
    Inst::kIdCmovs, Inst::kIdCmovns, Inst::kIdCmovp, Inst::kIdCmovnp, Inst::kIdCmovl, Inst::kIdCmovnl, Inst::kIdCmovle, Inst::kIdCmovnle};
// clang-format on

constexpr bool writes(Op op) { return op != Op::cmp && op != Op::test; }

}  // namespace

void BlockCompiler::move(const Insn& insn, const Form& f) {
  const unsigned w = f.width;
  if (f.op == Op::bswap) {
    a_.bswap(change(guest_of(insn, 0), w, false));
    return;
  }
  if (f.op == Op::lea) {
    if (insn.base == kRipRegister || (insn.base >= 16 && insn.index >= 16)) {
      const uint64_t fixed =
          (insn.base == kRipRegister ? next_rip_ : 0) + static_cast<uint64_t>(int64_t{insn.disp});
      const auto destination = change(guest_of(insn, 0), 8, true);
      a_.mov(destination, asmjit::Imm(w == 8 ? fixed : fixed & 0xFFFFFFFF));
      return;
    }
    const x86::Mem at = operand_address(insn);
    a_.lea(change(guest_of(insn, 0), w, true), at);
    return;
  }
  switch (f.shape) {
    case Shape::rr: {
      const auto source = use(guest_of(insn, 1), w);
      a_.mov(change(guest_of(insn, 0), w, true), source);
      break;
    }
    case Shape::ri: a_.mov(change(guest_of(insn, 0), w, true), immediate(insn, w)); break;
    case Shape::rm: {
      const x86::Mem at = access(insn, w, false);
      a_.mov(change(guest_of(insn, 0), w, true), at);
      break;
    }
    case Shape::mr: {
      const auto source = use(guest_of(insn, 1), w);
      a_.mov(access(insn, w, true), source);
      break;
    }
    default: a_.mov(access(insn, w, true), immediate(insn, w)); break;
  }
}

void BlockCompiler::extend(const Insn& insn, const Form& f) {
  const unsigned w = f.width;
  if (f.op == Op::cbw) {
    const auto half = use(arch::rax, w / 2);
    const auto whole = change(arch::rax, w, true);
    a_.emit(w == 8 ? Inst::kIdMovsxd : Inst::kIdMovsx, whole, half);
    return;
  }
  if (f.op == Op::cwd) {
    a_.mov(x86::rax, use(arch::rax, 8));
    if (w == 8) {
      a_.cqo();
    } else {
      a_.cdq();
    }
    a_.mov(change(arch::rdx, w, true), host_register(2, w));
    return;
  }
  const auto id = f.op == Op::movsx && f.source == 4 ? Inst::kIdMovsxd : host_instruction(f.op);
  // A 16-bit destination keeps what is above it, and MOVZX to 32 bits clears as much as to 64.
  if (f.shape == Shape::rr) {
    const auto source = use(guest_of(insn, 1), f.source);
    a_.emit(id, change(guest_of(insn, 0), w, true), source);
  } else {
    const x86::Mem at = access(insn, f.source, false);
    a_.emit(id, change(guest_of(insn, 0), w, true), at);
  }
}

void BlockCompiler::binary(const Insn& insn, const Form& f) {
  const unsigned w = f.width;
  const auto id = host_instruction(f.op);
  const bool carries = f.op == Op::adc || f.op == Op::sbb;
  const auto memory = [&](bool write) {
    return carries ? access_with_flags(insn, w, write) : access(insn, w, write);
  };
  const auto destination = [&] {
    const unsigned guest = guest_of(insn, 0);
    return writes(f.op) ? change(guest, w, false) : use(guest, w);
  };
  switch (f.shape) {
    case Shape::rr: {
      const auto source = use(guest_of(insn, 1), w);
      const auto target = destination();
      if (carries) need_flags();
      a_.emit(id, target, source);
      break;
    }
    case Shape::ri: {
      const auto target = destination();
      if (carries) need_flags();
      a_.emit(id, target, immediate(insn, w));
      break;
    }
    case Shape::rm: {
      use(guest_of(insn, 0), w);
      const x86::Mem at = memory(false);
      const auto target = destination();
      if (f.op == Op::test) {
        a_.test(at, target);
      } else {
        a_.emit(id, target, at);
      }
      break;
    }
    case Shape::mr: {
      const auto source = use(guest_of(insn, 1), w);
      a_.emit(id, memory(writes(f.op)), source);
      break;
    }
    default: {
      const x86::Mem at = memory(writes(f.op));
      a_.emit(id, at, immediate(insn, w));
      break;
    }
  }
  flags_set();
}

void BlockCompiler::unary(const Insn& insn, const Form& f) {
  const auto id = host_instruction(f.op);
  const bool keeps_carry = f.op == Op::inc || f.op == Op::dec;
  if (f.shape == Shape::r) {
    const auto target = change(guest_of(insn, 0), f.width, false);
    if (keeps_carry) need_flags();
    a_.emit(id, target);
  } else if (keeps_carry) {
    a_.emit(id, access_with_flags(insn, f.width, true));
  } else {
    a_.emit(id, access(insn, f.width, true));
  }
  if (f.op != Op::not_) flags_set();
}

/// AF is 0 behind a shift; what the host leaves there stays in the host.
void BlockCompiler::shift(const Insn& insn, const Form& f) {
  const auto id = host_instruction(f.op);
  const unsigned count = static_cast<unsigned>(insn.imm) & (f.width == 8 ? 63 : 31);
  if (f.shape == Shape::rc) {
    a_.mov(x86::ecx, use(arch::rcx, 4));
    a_.emit(id, change(guest_of(insn, 0), f.width, false), x86::cl);
  } else if (f.shape == Shape::ri) {
    a_.emit(id, change(guest_of(insn, 0), f.width, false), asmjit::Imm(count));
  } else {
    a_.emit(id, access(insn, f.width, true), asmjit::Imm(count));
  }
  host_flags_ = flags_pending_ = false;
  if (plan_.dead[index_]) return;
  a_.lahf();
  a_.seto(x86::al);
  a_.and_(x86::eax, 0xEFFF);
  a_.mov(x86::word_ptr(kState, layout_.flags), x86::ax);
}

/// CF and OF from the host; SF, ZF and PF of the product's low half, which the host leaves undefined.
void BlockCompiler::multiply(const Insn& insn, const Form& f) {
  const unsigned w = f.width;
  const unsigned guest = guest_of(insn, 0);
  x86::Gp target;
  if (f.shape == Shape::rr) {
    const auto source = use(guest_of(insn, 1), w);
    target = change(guest, w, false);
    a_.imul(target, source);
  } else if (f.shape == Shape::rm) {
    use(guest, w);
    const x86::Mem at = access(insn, w, false);
    target = change(guest, w, false);
    a_.imul(target, at);
  } else if (f.shape == Shape::rri) {
    const auto source = use(guest_of(insn, 1), w);
    target = change(guest, w, w != 2);
    a_.imul(target, source, immediate(insn, w));
  } else {
    if (w == 2) use(guest, w);
    const x86::Mem at = access(insn, w, false);
    target = change(guest, w, w != 2);
    a_.imul(target, at, immediate(insn, w));
  }
  host_flags_ = flags_pending_ = false;
  if (plan_.dead[index_]) return;
  a_.seto(x86::cl);
  a_.test(target, target);
  a_.lahf();
  a_.or_(x86::ah, x86::cl);
  a_.and_(x86::ah, 0xEF);
  a_.mov(x86::al, x86::cl);
  a_.mov(x86::word_ptr(kState, layout_.flags), x86::ax);
}

void BlockCompiler::conditional(const Insn& insn, const Form& f) {
  const unsigned w = f.width;
  if (f.op == Op::setcc) {
    if (f.shape == Shape::r) {
      const auto target = change(guest_of(insn, 0), 1, false);
      need_flags();
      a_.emit(kSetcc[f.cc], target);
    } else {
      a_.emit(kSetcc[f.cc], access_with_flags(insn, 1, true));
    }
    return;
  }
  if (f.shape == Shape::rr) {
    const auto source = use(guest_of(insn, 1), w);
    const auto target = change(guest_of(insn, 0), w, false);
    need_flags();
    a_.emit(kCmov[f.cc], target, source);
    return;
  }
  use(guest_of(insn, 0), w);
  const x86::Mem at = access_with_flags(insn, w, false);
  a_.emit(kCmov[f.cc], change(guest_of(insn, 0), w, false), at);
}

void BlockCompiler::stack(const Insn& insn, const Form& f) {
  const auto rsp = use(arch::rsp, 8);
  if (f.op == Op::pop) {
    a_.mov(x86::rax, rsp);
    const x86::Mem at = probe(8, false, Translations::stack);
    a_.mov(x86::rcx, at);
    const auto top = change(arch::rsp, 8, false);
    a_.lea(top, x86::ptr(top, 8));
    a_.mov(change(guest_of(insn, 0), 8, true), x86::rcx);
    return;
  }
  x86::Gp source;
  if (f.shape == Shape::r) source = use(guest_of(insn, 0), 8);
  a_.lea(x86::rax, x86::ptr(rsp, -8));
  const x86::Mem at = probe(8, true, Translations::stack);
  if (f.shape == Shape::r) {
    a_.mov(at, source);
  } else {
    a_.mov(at, immediate(insn, 8));
  }
  const auto top = change(arch::rsp, 8, false);
  a_.lea(top, x86::ptr(top, -8));
}

/// A target that is not canonical is the handler's business.
void BlockCompiler::check_canonical() {
  a_.mov(x86::rcx, x86::rax);
  a_.shl(x86::rcx, 16);
  a_.sar(x86::rcx, 16);
  a_.cmp(x86::rcx, x86::rax);
  a_.jne(cold_->from);
}

/// When the condition holds, on to the target; behind the block otherwise.
void BlockCompiler::branch(asmjit::InstId jcc, uint64_t target) {
  BlockCompiler* const next = inside(1);
  if (next == nullptr && inside(0) == nullptr) {
    if (flags_pending_) save_flags(a_, layout_);
    flags_pending_ = false;
    store_dirty(dirty_);
    store_vectors(vectors_);
    dirty_ = 0;
    vectors_.dirty = {};
  }
  if (next != nullptr) pass_on(*next);
  if (goes_straight(1)) {
    a_.emit(jcc, next->start_);
    return;
  }
  ways_.push_back({a_.newLabel(), 1, target, loaded_, dirty_, flags_pending_, vectors_});
  a_.emit(jcc, ways_.back().from);
}

void BlockCompiler::transfer(const Insn& insn, const Form& f) {
  const uint64_t near_target = next_rip_ + insn.imm;
  if (f.op == Op::jcc) {
    end_block();
    need_flags();
    branch(kJcc[f.cc], near_target);
    go(0, next_rip_);
    return;
  }
  if (f.op == Op::jmp && f.shape == Shape::i) {
    end_block();
    go(0, near_target);
    return;
  }
  if (f.op == Op::ret) {
    a_.mov(x86::rax, use(arch::rsp, 8));
    const x86::Mem at = probe(8, false, Translations::stack);
    a_.mov(x86::rax, at);
    check_canonical();
    const auto top = change(arch::rsp, 8, false);
    a_.lea(top, x86::ptr(top, 8 + static_cast<int32_t>(insn.imm & 0xFFFF)));
    end_block();
    indirect();
    return;
  }
  // JMP r/m, CALL r/m, CALL rel: the target first, then what is pushed.
  const auto keep_target = [&] {
    if (cold_ != nullptr) {
      check_canonical();
      a_.mov(x86::qword_ptr(kState, layout_.target), x86::rax);
    }
  };
  if (f.shape == Shape::m) {
    const x86::Mem at = access(insn, 8, false);
    a_.mov(x86::rax, at);
    keep_target();
  }
  if (f.op == Op::call) {
    const asmjit::Label first = cold_ != nullptr ? cold_->from : asmjit::Label();
    const auto rsp = use(arch::rsp, 8);
    if (f.shape == Shape::r) {
      a_.mov(x86::rax, use(guest_of(insn, 0), 8));
      a_.mov(x86::qword_ptr(kState, layout_.target), x86::rax);
    }
    a_.lea(x86::rax, x86::ptr(rsp, -8));
    if (first.isValid()) {
      // The load's cold side does the whole call; so does the push's.
      a_.bind(cold_->back);
      Cold& load = *cold_;
      load.ends = true;
      load.loaded = 0;
    }
    const x86::Mem at = probe(8, true, Translations::stack);
    if (f.shape == Shape::r) {
      a_.mov(x86::rcx, x86::rdx);
      a_.add(x86::rcx, x86::rax);
      a_.mov(x86::rax, x86::qword_ptr(kState, layout_.target));
      a_.mov(x86::rdx, x86::rcx);
      check_canonical();
      a_.mov(x86::rcx, asmjit::Imm(next_rip_));
      a_.mov(x86::qword_ptr(x86::rdx), x86::rcx);
    } else {
      a_.mov(x86::rcx, asmjit::Imm(next_rip_));
      a_.mov(at, x86::rcx);
    }
    const auto top = change(arch::rsp, 8, false);
    a_.lea(top, x86::ptr(top, -8));
    end_block();
    if (f.shape == Shape::i) {
      store_dirty(dirty_);
      store_vectors(vectors_);
      link(0, near_target);
      return;
    }
    a_.mov(x86::rax, x86::qword_ptr(kState, layout_.target));
    indirect();
    return;
  }
  // JMP r/m
  if (f.shape == Shape::r) {
    a_.mov(x86::rax, use(guest_of(insn, 0), 8));
    colds_.push_back({});
    cold_ = &colds_.back();
    cold_->from = a_.newLabel();
    cold_->back = a_.newLabel();
    cold_->index = index_;
    cold_->dirty = dirty_before_;
    cold_->vectors_before = vectors_before_;
    check_canonical();
  }
  end_block();
  indirect();
}

}  // namespace vitrine::emu::jit
