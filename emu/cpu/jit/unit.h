// Unit: blocks that are compiled together, so that registers and flags stay in the host from one to the next.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "emu/cpu/jit/code.h"
#include "emu/cpu/jit/plan.h"

namespace vitrine::emu::jit {

struct UnitBlock {
  Block* block = nullptr;
  Code* code = nullptr;
  Plan plan;
  /// Where it goes on inside the unit: behind it or by its jump, and where its branch goes; or -1.
  std::array<int32_t, 2> next{-1, -1};
  bool inherits = false;  ///< one place in the unit leads here and comes before it
  bool joins = false;     ///< several do, or one behind it: all shared registers are in the host
  uint64_t longest = 0;   ///< cycles until the limit is looked at again, or the unit is left
  uint64_t around = 0;    ///< as many must be left to go back from here; 0 when nothing leads back
};

/// Blocks of one page. Each can be entered from outside; forward means towards the end of the list, and
/// who goes backward has looked at the limit before.
struct Unit {
  std::vector<UnitBlock> blocks;
  HostRegisters host{};  ///< places that all blocks share
  uint32_t shared = 0;   ///< guest registers that have one
  uint32_t written = 0;  ///< those among them that some block changes
  /// Bytes of the vector registers that stay in the host likewise; 0 where the encodings differ in what
  /// becomes of the upper halves, or there are none.
  uint8_t vector_bytes = 0;
  uint32_t vectors = 0, vectors_written = 0;
};

/// A block of the same page and mode that may be compiled now; null if there is none.
using FindBlock = std::function<Block*(Gva)>;

/// The block and what it leads to by direct branches, as far as that is known and warm.
Unit make_unit(Block& head, const FormTable& forms, const FindBlock& find);

}  // namespace vitrine::emu::jit
