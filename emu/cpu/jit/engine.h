// The JIT engine: keeps compiled blocks, enters them, links them, and takes over where they leave.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "emu/cpu/block.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/jit/code.h"
#include "emu/cpu/jit/forms.h"
#include "emu/cpu/jit/layout.h"
#include "emu/cpu/jit/unit.h"
#include "emu/host/code_memory.h"

namespace vitrine::emu::jit {

/// One engine serves all processors of a machine. A cache like the block cache: what it holds changes
/// nothing that a guest or a clock can see.
class Engine {
 public:
  /// None when this host or this build has no JIT.
  static std::unique_ptr<Engine> create(const Cpu& cpu, uint64_t cache_bytes);

  /// Runs compiled code from the start of `block` and as far as links and `limit` allow. False when the
  /// block is not compiled: the interpreter runs it. The caller has checked that the whole block
  /// may run; `budget` is the part of the limit that deadlines do not move.
  bool run(Cpu& cpu, Block& block, Cycle limit, Cycle budget);

  /// How often a block runs before it is compiled, and before it joins the unit of another; 1 or more.
  void set_heat(uint32_t hot, uint32_t warm) {
    hot_ = hot;
    warm_ = warm;
  }

  uint64_t blocks_compiled() const { return compiled_; }
  uint64_t flushes() const { return flushes_; }

 private:
  Engine(const Cpu& cpu, uint64_t cache_bytes);

  static constexpr size_t kTargets = 4096;
  static constexpr size_t kContexts = 64;  // indexed with 6 bits

  /// Where indirect branches go on without leaving compiled code. Generated code knows this layout.
  struct Target {
    uint64_t gva = ~uint64_t{0};
    uint64_t context = kNoLink;
    const std::byte* entry = nullptr;
    uint64_t unused = 0;
  };
  struct Context {
    uint64_t translations = 0;
    uint64_t mode = 0;
    uint32_t number = kLeave;
  };

  Code* compile(Cpu& cpu, Block& head);
  void add_codes(Unit& unit);
  void flush();
  uint32_t context_of(const Cpu& cpu);
  void connect(Link& link, Code& code, uint32_t context);
  static uint32_t handle(Cpu* cpu, Block& block, const Code* code, uint32_t index);
  static uint32_t handle_rest(Cpu* cpu, Block& block, const Code* code, uint32_t index);
  static const std::byte* interpret(Cpu* cpu, const Code* code, uint32_t index);
  static const std::byte* interpret_rest(Cpu* cpu, const Code* code, uint32_t index);
  const std::byte* go_on(Cpu& cpu);

  uint32_t hot_ = 16, warm_ = 4;
  Layout layout_;
  const FormTable& forms_;
  host::CodeMemory memory_;
  uint64_t used_ = 0;
  uint64_t thunks_end_ = 0;
  std::deque<Code> codes_;
  std::vector<Target> targets_;
  std::array<Context, kContexts> contexts_{};
  uint32_t last_context_ = kLeave;
  Link* pending_ = nullptr;  ///< taken when compiled code was left last
  uint32_t pending_context_ = kLeave;
  Thunks thunks_;
  uint64_t compiled_ = 0;
  uint64_t flushes_ = 0;
};

}  // namespace vitrine::emu::jit
