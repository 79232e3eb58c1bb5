// Compiled code of a block, the links between blocks, and what compiled code and the engine share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "emu/arch/types.h"
#include "emu/cpu/block.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/state.h"

namespace vitrine::emu::jit {

struct Code;

/// A jump from one block to another that is taken without leaving compiled code. It holds in one
/// context only: one set of translations and one mode.
struct Link {
  Gva target;
  std::byte* context = nullptr;  ///< writable address of the 32-bit context the link compares with
  std::byte* jump = nullptr;     ///< writable address of the 32-bit displacement behind the compare
  Code* to = nullptr;
};

/// Contexts that no processor is ever in: links that lead nowhere compare with kNoLink, and kLeave is
/// before the first.
inline constexpr uint32_t kLeave = 0;
inline constexpr uint32_t kNoLink = uint32_t{1} << 31;

/// Cycles that a dead block claims to need: no limit admits it.
inline constexpr uint64_t kDeadCost = uint64_t{1} << 62;

struct Code {
  Block* block = nullptr;            ///< null once a block of the unit is invalid
  Code* next = nullptr;              ///< the unit's blocks, in a ring
  uint64_t longest = 0;              ///< cycles that may pass until the limit is looked at again
  std::byte* cost = nullptr;         ///< writable address of the cycles that its entry compares
  const std::byte* entry = nullptr;  ///< looks at the limit first
  const std::byte* body = nullptr;
  std::array<Link, 2> links;
  std::vector<Link*> incoming;
  std::array<uint16_t, 33> offset{};  ///< bytes of the block in front of instruction k
};

/// Makes a link lead nowhere.
inline void unlink(Link& link) {
  link.to = nullptr;
  std::memcpy(link.context, &kNoLink, sizeof(kNoLink));
}

/// A block's bytes were written, or the block cache was cleared: nobody enters its unit again.
inline void retire(Code& code) {
  Code* one = &code;
  do {
    std::memcpy(one->cost, &kDeadCost, sizeof(kDeadCost));
    for (Link* link : one->incoming) unlink(*link);
    one->incoming.clear();
    if (one->block != nullptr) one->block->code = nullptr;
    one->block = nullptr;
    one = one->next;
  } while (one != &code);
}

/// Why compiled code was left.
enum class Exit : uint32_t {
  boundary,  ///< between two blocks; RIP is the next instruction's
  inside,    ///< an instruction ended its block early, or in a way the interpreter finishes
};

/// Bits of Frame::usable.
inline constexpr uint32_t kSseUsable = 1, kAvxUsable = 2;

/// One processor's share of what compiled code reads and writes besides the state. The flags are
/// kept as LAHF and SETO leave them: OF in bit 0, the others in bits 15:8.
struct Frame {
  uint64_t limit = 0;  ///< a block is entered only when it ends before this clock
  Cycle budget;        ///< what of the limit does not depend on the processor's deadlines
  uint64_t flags = 0;
  uint64_t target = 0;  ///< of an indirect call while its return address is pushed
  Link* link = nullptr;
  Block* block = nullptr;  ///< Exit::inside: where
  uint32_t done = 0;       ///< Exit::inside: instructions before the one that ended it
  uint32_t context = kLeave;
  /// What the guest may execute in vector registers. Not 0: the host's MXCSR is the guest's, which
  /// masks all exceptions, and whoever leaves compiled code puts both back.
  uint32_t usable = 0;
  uint32_t host_mxcsr = 0;
  Flow flow = Flow::next;
};

constexpr uint64_t pack_flags(uint64_t image) {
  return ((image & 0xD5) | 2) << 8 | ((image >> 11) & 1);
}
constexpr uint64_t unpack_flags(uint64_t packed) {
  return ((packed >> 8) & 0xD5) | (packed & 1) << 11;
}

}  // namespace vitrine::emu::jit
