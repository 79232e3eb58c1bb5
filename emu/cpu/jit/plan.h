// Plan: what the compiler decides about a block before it emits: native forms, registers, live flags.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/block.h"
#include "emu/cpu/jit/forms.h"

namespace vitrine::emu::jit {

inline constexpr uint8_t kNoHost = 0xFF;

/// Host register of each guest register, kNoHost for those that have none.
using HostRegisters = std::array<uint8_t, 16>;

inline constexpr size_t kFloats = 3;

struct Plan {
  std::array<Form, kMaxBlockInsns> form;
  std::array<bool, kMaxBlockInsns> native{};
  /// Flags that the instruction sets are seen in the block, by an access that may fault or a handler.
  std::array<bool, kMaxBlockInsns> seen{};
  /// Nothing at all reads them before they are all set again in the block.
  std::array<bool, kMaxBlockInsns> dead{};
  /// The block sets all flags before anybody sees those it was entered with.
  bool kills_flags = false;
  /// Guest registers by how often native instructions need them, and those that these write.
  std::array<uint16_t, 16> uses{};
  uint16_t written = 0;
  HostRegisters host{};
  /// Where a block that needs more guest registers than there are places has those without one of their
  /// own, in turn; else none.
  std::array<uint8_t, kFloats> floats{};
  bool floating = false;
  /// Guest vector registers likewise, and the kinds of encoding that use them.
  uint16_t vectors = 0, vectors_written = 0;
  bool legacy_vectors = false, wide_vectors = false;
};

/// The guest registers that a native instruction needs in the host, as a mask; at most kFloats.
uint32_t registers_of(const Insn& insn, const Form& f);

/// What can be native, and which registers that takes.
Plan survey(const Block& block, const FormTable& forms);

/// Host registers for the guest registers that are used most.
HostRegisters assign_hosts(const std::array<uint16_t, 16>& uses, size_t most = 16);

/// Completes a plan: the block's guest registers stay where `shared` has them, and others take the place
/// of those that the block does not need.
void finish_plan(Plan& plan, const Block& block, const HostRegisters& shared);

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
