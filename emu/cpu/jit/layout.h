// Where compiled code finds things: distances from the pinned state pointer, and the shared pieces of code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine::emu::jit {

/// Distances from CpuState::regs, the same for every processor.
struct Layout {
  int32_t cpu = 0;  ///< the Cpu itself
  int32_t clock = 0;
  int32_t retired = 0;
  int32_t linear_base = 0;   ///< eight bases
  int32_t translations = 0;  ///< pointer to the cached translations of ordinary accesses
  int32_t limit = 0;
  int32_t flags = 0;
  int32_t target = 0;
  int32_t link = 0;
  int32_t context = 0;
};

/// Pieces that are emitted once, at the start of the code memory; executable addresses.
struct Thunks {
  const std::byte* enter = nullptr;      ///< uint32_t (uint64_t* regs, const std::byte* body)
  const std::byte* leave = nullptr;      ///< with the Exit in EAX
  const std::byte* interpret = nullptr;  ///< with the Code in RSI and the index in EDX
};

}  // namespace vitrine::emu::jit
