// Compiling: the shared pieces, the shape of a block, and where its links can be patched.
#include "emu/cpu/jit/compiler.h"

#include <asmjit/x86.h>

#include <cstring>

#include "emu/arch/require.h"
#include "emu/cpu/jit/block_compiler.h"
#include "emu/cpu/jit/calling_convention.h"
#include "emu/cpu/jit/vector_state.h"

namespace vitrine::emu::jit {

namespace {

/// Bytes to leave free at the end: one unit at its worst.
constexpr uint64_t kLargestUnit = 96 * 1024;

class Strict final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) override {
    require(false, message);
  }
};

/// Copies what was emitted to its place; answers its bytes.
uint64_t place(asmjit::CodeHolder& holder, host::CodeMemory& memory, uint64_t at) {
  holder.flatten();
  holder.resolveUnresolvedLinks();
  holder.relocateToBase(reinterpret_cast<uint64_t>(memory.executable() + at));
  const uint64_t size = holder.codeSize();
  holder.copyFlattenedData(memory.writable() + at, size);
  return size;
}

void start(asmjit::CodeHolder& holder, host::CodeMemory& memory, uint64_t at, Strict& strict) {
  holder.init(asmjit::Environment::host(), reinterpret_cast<uint64_t>(memory.executable() + at));
  holder.setErrorHandler(&strict);
}

}  // namespace

bool can_compile() { return asmjit::Environment::host().is64Bit(); }

uint64_t emit_thunks(host::CodeMemory& memory, const Layout& layout, const Interpreters& calls,
                     Thunks& thunks) {
  constexpr CallingConvention abi = kHostConvention;
  Strict strict;
  asmjit::CodeHolder holder;
  start(holder, memory, 0, strict);
  x86::Assembler a(&holder);

  // Entered with RSP 8 modulo 16; blocks run with it at a multiple of 16.
  const auto enter = a.newLabel();
  a.bind(enter);
  for (size_t i = 0; i < abi.saved_count; ++i) a.push(x86::gpq(abi.saved[i]));
  const int32_t room = abi.shadow_space + 8;
  a.sub(x86::rsp, room);
  a.mov(kState, x86::gpq(abi.arguments[0]));
  a.mov(x86::rax, x86::gpq(abi.arguments[1]));
  a.mov(kClock, x86::qword_ptr(kState, layout.clock));
  a.mov(kRetired, x86::qword_ptr(kState, layout.retired));
  a.jmp(x86::rax);

  const auto leave = a.newLabel();
  const auto leave_inside = a.newLabel();
  const auto leave_between = a.newLabel();
  a.bind(leave_between);
  a.xor_(x86::eax, x86::eax);
  a.jmp(leave);
  a.bind(leave_inside);
  a.mov(x86::eax, static_cast<uint32_t>(Exit::inside));
  a.bind(leave);
  leave_vectors(a, layout);
  a.mov(x86::qword_ptr(kState, layout.clock), kClock);
  a.mov(x86::qword_ptr(kState, layout.retired), kRetired);
  a.add(x86::rsp, room);
  for (size_t i = abi.saved_count; i-- > 0;) a.pop(x86::gpq(abi.saved[i]));
  a.ret();

  static_assert(static_cast<uint32_t>(Exit::boundary) == 0);
  const auto emit_call = [&](const void* function) {
    const auto label = a.newLabel();
    a.bind(label);
    leave_vectors(a, layout);
    a.mov(x86::qword_ptr(kState, layout.clock), kClock);
    a.mov(x86::qword_ptr(kState, layout.retired), kRetired);
    if (abi.arguments[2] != 2) {
      a.mov(x86::gpd(abi.arguments[2]), x86::edx);
      a.mov(x86::gpq(abi.arguments[1]), x86::rsi);
    }
    a.lea(x86::gpq(abi.arguments[0]), x86::ptr(kState, layout.cpu));
    a.sub(x86::rsp, room);
    a.mov(x86::rax, address(function));
    a.call(x86::rax);
    a.add(x86::rsp, room);
    const auto elsewhere = a.newLabel();
    a.test(x86::rax, x86::rax);
    a.jne(elsewhere);
    a.ret();
    a.bind(elsewhere);
    a.add(x86::rsp, 8);
    a.mov(kClock, x86::qword_ptr(kState, layout.clock));
    a.mov(kRetired, x86::qword_ptr(kState, layout.retired));
    a.jmp(x86::rax);
    return label;
  };
  const auto one = emit_call(calls.one);
  const auto rest = emit_call(calls.rest);
  const auto use = a.newLabel();
  a.bind(use);
  if (can_compile_vectors()) use_vectors(a, layout);
  a.ret();

  const uint64_t size = place(holder, memory, 0);
  thunks.enter = memory.executable() + holder.labelOffset(enter);
  thunks.leave = memory.executable() + holder.labelOffset(leave);
  thunks.leave_inside = memory.executable() + holder.labelOffset(leave_inside);
  thunks.leave_between = memory.executable() + holder.labelOffset(leave_between);
  thunks.interpret = memory.executable() + holder.labelOffset(one);
  thunks.interpret_rest = memory.executable() + holder.labelOffset(rest);
  thunks.use_vectors = memory.executable() + holder.labelOffset(use);
  return size;
}

uint64_t compile_unit(host::CodeMemory& memory, uint64_t at, const Surroundings& around,
                      const Unit& unit) {
  at = (at + 15) & ~uint64_t{15};
  if (at + kLargestUnit > memory.size()) return 0;
  Strict strict;
  asmjit::CodeHolder holder;
  start(holder, memory, at, strict);
  x86::Assembler a(&holder);
  BlockCompilers compilers;
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    compilers.emplace_back(a, around, unit, i, compilers);
  }
  for (BlockCompiler& compiler : compilers) compiler.compile();
  for (BlockCompiler& compiler : compilers) compiler.compile_rest();
  const uint64_t size = place(holder, memory, at);
  require(size <= kLargestUnit, "a unit's code has a bound");

  const std::byte* const base = memory.executable() + at;
  const auto where = [&](const asmjit::Label& label) { return base + holder.labelOffset(label); };
  for (size_t i = 0; i < unit.blocks.size(); ++i) {
    const BlockCompiler& compiler = compilers[i];
    Code& code = *unit.blocks[i].code;
    code.longest = unit.blocks[i].longest;
    code.cost = memory.writable(where(compiler.cost));
    code.entry = where(compiler.entry);
    code.body = where(compiler.body);
    for (size_t which = 0; which < code.links.size(); ++which) {
      const auto& labels = compiler.links[which];
      if (!labels.used) continue;
      code.links[which].target = labels.target;
      code.links[which].context = memory.writable(where(labels.compare_end)) - 4;
      code.links[which].jump = memory.writable(where(labels.jump_end)) - 4;
    }
  }
  return at + size;
}

}  // namespace vitrine::emu::jit
