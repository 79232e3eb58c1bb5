// Vector forms: guest registers in the host's of the same numbers, VEX encodings only, and their guards.
#include "emu/cpu/jit/block_compiler.h"

#include <bit>

namespace vitrine::emu::jit {

namespace {

namespace Inst = asmjit::x86::Inst;

/// With VEX there are no penalties between the two kinds of encoding, whatever the upper halves hold.
x86::Vec register_of(unsigned number, unsigned bytes) {
  if (bytes == 32) return x86::ymm(number);
  return x86::xmm(number);
}

}  // namespace

// --- Registers ---

void BlockCompiler::store_vector(unsigned guest, unsigned bytes) {
  const int32_t at = layout_.vectors + static_cast<int32_t>(guest) * 32;
  a_.emit(Inst::kIdVmovups, x86::Mem(kState, at, bytes), register_of(guest, bytes));
}

void BlockCompiler::load_vector(unsigned guest, unsigned bytes) {
  const int32_t at = layout_.vectors + static_cast<int32_t>(guest) * 32;
  a_.emit(Inst::kIdVmovups, register_of(guest, bytes), x86::Mem(kState, at, bytes));
}

void BlockCompiler::store_vectors(const VectorRegisters& which) {
  for (unsigned g = 0; g < which.dirty.size(); ++g) {
    if (which.dirty[g] != 0) store_vector(g, which.dirty[g]);
  }
}

/// After a handler on a cold side. What was usable before the instruction is usable behind it.
void BlockCompiler::load_vectors(const VectorRegisters& which) {
  if (which.usable == 0) return;
  a_.call(address(around_.thunks.use_vectors));
  for (unsigned g = 0; g < which.loaded.size(); ++g) {
    const unsigned bytes = which.loaded[g];
    if (bytes != 0) load_vector(g, bytes);
  }
}

x86::Vec BlockCompiler::use_vector(unsigned guest, unsigned bytes) {
  if (vectors_.loaded[guest] < bytes) {
    if (vectors_.dirty[guest] != 0) store_vector(guest, vectors_.dirty[guest]);
    vectors_.dirty[guest] = 0;
    load_vector(guest, bytes);
    vectors_.loaded[guest] = static_cast<uint8_t>(bytes);
  }
  return register_of(guest, bytes);
}

/// The destination, just before it is written. A VEX encoding clears what is above it; legacy SSE keeps
/// that, so its upper half must be in memory.
x86::Vec BlockCompiler::change_vector(unsigned guest, const VectorForm& v) {
  if (v.legacy && vectors_.dirty[guest] == 32) store_vector(guest, 32);
  vectors_.loaded[guest] = vectors_.dirty[guest] = v.legacy ? 16 : 32;
  return register_of(guest, v.width);
}

// --- Guards ---

void BlockCompiler::guard_vectors(const VectorForm& v) {
  const uint32_t needed = v.legacy ? kSseUsable : kAvxUsable;
  if ((vectors_.usable & needed) != 0) return;
  Guard& guard = guards_.emplace_back();
  guard.floats = floats_;
  guard.from = a_.newLabel();
  guard.back = a_.newLabel();
  guard.index = index_;
  guard.usable = needed;
  guard.dirty = dirty_;
  guard.vectors = vectors_;
  a_.test(x86::dword_ptr(kState, layout_.usable), static_cast<int32_t>(needed));
  a_.je(guard.from);
  a_.bind(guard.back);
  host_flags_ = false;
  vectors_.usable |= needed;
  vectors_before_ = vectors_;
}

void BlockCompiler::guard_side(const Guard& guard) {
  a_.bind(guard.from);
  a_.call(address(around_.thunks.use_vectors));
  a_.test(x86::dword_ptr(kState, layout_.usable), static_cast<int32_t>(guard.usable));
  a_.jne(guard.back);
  floats_ = guard.floats;
  store_dirty(guard.dirty);
  store_vectors(guard.vectors);
  rest_by_handlers(guard.index);
}

// --- Instructions ---

x86::Mem BlockCompiler::vector_access(const Insn& insn, const VectorForm& v, bool write) {
  const x86::Mem at = access(insn, v.memory, write);
  if (v.aligned) {
    // #GP is the handler's.
    a_.test(x86::al, v.memory - 1);
    a_.jne(cold_->from);
  }
  return at;
}

void BlockCompiler::vector(const Insn& insn, const VectorForm& v) {
  guard_vectors(v);
  const asmjit::InstId id = asmjit::InstAPI::stringToInstId(asmjit::Environment::host().arch(),
                                                            v.name.c_str(), v.name.size());
  if (insn.op[0] == kMemory) {
    vector_move_out(insn, v, id);
  } else if (v.pattern == Pattern::to_gpr) {
    vector_to_general(insn, v, id);
  } else {
    vector_compute(insn, v, id);
  }
}

void BlockCompiler::vector_move_out(const Insn& insn, const VectorForm& v, asmjit::InstId id) {
  const unsigned bytes = v.pattern == Pattern::extract ? v.last : v.width;
  const x86::Vec source = use_vector(insn.op[1], bytes);
  const x86::Mem at = vector_access(insn, v, true);
  if (v.immediate != 0) {
    a_.emit(id, at, source, asmjit::Imm(insn.imm & v.immediate));
  } else {
    a_.emit(id, at, source);
  }
}

void BlockCompiler::vector_to_general(const Insn& insn, const VectorForm& v, asmjit::InstId id) {
  if (insn.op[1] == kMemory) {
    const x86::Mem at = vector_access(insn, v, false);
    a_.emit(id, change(guest_of(insn, 0), v.general, true), at);
    return;
  }
  const x86::Vec source = use_vector(insn.op[1], v.last);
  a_.emit(id, change(guest_of(insn, 0), v.general, true), source);
}

void BlockCompiler::vector_compute(const Insn& insn, const VectorForm& v, asmjit::InstId id) {
  // Operands behind the destination, in the host's order.
  std::array<asmjit::Operand, 6> operands;
  size_t count = 1;
  const bool loads = v.pattern == Pattern::scalar && insn.op[1] == kMemory;
  const bool first = !loads && (v.pattern == Pattern::three || v.pattern == Pattern::scalar ||
                                v.pattern == Pattern::half || v.pattern == Pattern::shift ||
                                v.pattern == Pattern::fused || v.pattern == Pattern::from_gpr);
  size_t next = 1;
  if (first) {
    const unsigned guest = v.legacy ? insn.op[0] : insn.op[next++];
    operands[count++] = use_vector(guest, v.width);
  }
  if (v.pattern == Pattern::flags) use_vector(insn.op[0], 16);
  if (v.pattern == Pattern::fused) use_vector(insn.op[0], v.width);
  if (v.pattern != Pattern::shift) {
    if (insn.op[next] == kMemory) {
      operands[count++] = vector_access(insn, v, false);
    } else if (v.general != 0) {
      operands[count++] = use(guest_of(insn, next), v.general);
    } else {
      operands[count++] = use_vector(insn.op[next], v.last);
    }
  }
  if (v.immediate != 0) operands[count++] = asmjit::Imm(insn.imm & v.immediate);
  if (v.pattern == Pattern::flags) {
    operands[0] = register_of(insn.op[0], 16);
  } else {
    operands[0] = change_vector(insn.op[0], v);
  }
  a_.emitOpArray(id, operands.data(), count);
  if (v.pattern == Pattern::flags) flags_set();
}

}  // namespace vitrine::emu::jit
