// Which instruction forms the compiler knows natively, found by asking the instruction table's rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "emu/cpu/insn.h"
#include "emu/cpu/jit/vector_forms.h"

namespace vitrine::emu::jit {

// clang-format off
enum class Op : uint8_t {
  none, mov, movzx, movsx, lea, nop,
  add, adc, sub, sbb, cmp, and_, or_, xor_, test,
  inc, dec, neg, not_, shl, shr, sar, rol, ror, imul,
  cmov, setcc, cbw, cwd, bswap,
  push, pop, jcc, jmp, call, ret, vector,
};
// clang-format on

/// Where the operands are: r register, m memory, i immediate (or a branch displacement).
enum class Shape : uint8_t { none, r, m, i, rr, rm, mr, ri, mi, rri, rmi, rc, mc };

struct Form {
  Op op = Op::none;
  Shape shape = Shape::none;
  uint8_t width = 0;   ///< bytes of the operation
  uint8_t source = 0;  ///< bytes of the source of an extending move
  uint8_t cc = 0;      ///< condition
  const VectorForm* vector = nullptr;
};

/// One meaning per instruction: a form is known by the handler that the row chose for it, so that the
/// compiler cannot mean another instruction than the interpreter.
class FormTable {
 public:
  explicit FormTable(bool with_vectors);
  Form find(const Insn& insn) const;
  size_t size() const { return forms_.size(); }

 private:
  std::unordered_map<Handler, Form> forms_;  // never iterated
  std::deque<VectorForm> vectors_;
};

}  // namespace vitrine::emu::jit
