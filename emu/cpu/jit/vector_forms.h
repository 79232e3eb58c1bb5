// Vector forms: SSE, AVX and FMA instructions that the host executes itself, and where their operands go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "emu/cpu/insn.h"

namespace vitrine::emu::jit {

/// Operands in the order of the manual: d destination, a first and b last source, m memory.
enum class Pattern : uint8_t {
  three,     ///< d, a, b/m; in legacy SSE a is d
  two,       ///< d, b/m; m, b
  scalar,    ///< MOVSS, MOVSD: d, m; m, b; d, a, b
  half,      ///< MOVLPx, MOVHPx: d, a, m; m, b
  shift,     ///< d, a, imm
  flags,     ///< a, b/m: changes the flags alone
  fused,     ///< d, a, b/m, and d is read
  from_gpr,  ///< d, a, r/m
  low_gpr,   ///< d, r/m
  to_gpr,    ///< r, b/m; m, b
  extract,   ///< d/m, b, imm
};

struct VectorForm {
  std::string name{};  ///< of the host's instruction, which always has a VEX prefix
  Pattern pattern = Pattern::three;
  uint8_t width = 16;     ///< bytes of the destination and of the first source
  uint8_t last = 16;      ///< bytes of the last source when it is a vector register
  uint8_t memory = 16;    ///< bytes of a memory operand
  uint8_t general = 0;    ///< bytes of a general-purpose operand
  uint8_t immediate = 0;  ///< bits of the immediate that count, 0: there is none
  bool legacy = false;    ///< the upper half of the destination stays
  bool aligned = false;   ///< memory must be aligned to its size
};

/// Which operand is a general-purpose register; past the last when none is.
size_t vector_general_operand(const Insn& insn, const VectorForm& form);

/// Calls `add` with the handler and the form of every one. The reciprocal estimates are not among
/// them: processors differ in their results.
void for_vector_forms(const std::function<void(Handler, VectorForm)>& add);

}  // namespace vitrine::emu::jit
