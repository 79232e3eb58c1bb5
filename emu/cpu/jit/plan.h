// Plan: what the compiler decides about a block before it emits: native forms, registers, live flags.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/block.h"
#include "emu/cpu/jit/forms.h"

namespace vitrine::emu::jit {

inline constexpr uint8_t kNoHost = 0xFF;

struct Plan {
  std::array<Form, kMaxBlockInsns> form;
  std::array<bool, kMaxBlockInsns> native{};
  /// Flags that the instruction sets are seen by an access that may fault, a handler, or the end.
  std::array<bool, kMaxBlockInsns> seen{};
  /// Nothing at all reads them before they are all set again.
  std::array<bool, kMaxBlockInsns> dead{};
  /// Host register of each guest register in this block, kNoHost for those that have none.
  std::array<uint8_t, 16> host{};
};

Plan make_plan(const Block& block, const FormTable& forms);

constexpr bool touches_memory(const Form& f) {
  switch (f.op) {
    case Op::lea:
    case Op::nop: return false;
    case Op::push:
    case Op::pop:
    case Op::call:
    case Op::ret: return true;
    default: break;
  }
  switch (f.shape) {
    case Shape::m:
    case Shape::rm:
    case Shape::mr:
    case Shape::mi:
    case Shape::rmi:
    case Shape::mc: return true;
    default: return false;
  }
}

constexpr bool is_transfer(Op op) {
  return op == Op::jcc || op == Op::jmp || op == Op::call || op == Op::ret;
}

}  // namespace vitrine::emu::jit
