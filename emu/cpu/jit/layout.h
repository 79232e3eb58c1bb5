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
  int32_t vectors = 0;  ///< sixteen YMM registers
  int32_t mxcsr = 0;
  int32_t cr0 = 0, cr4 = 0, xcr0 = 0;
  int32_t usable = 0;      ///< Frame::usable
  int32_t host_mxcsr = 0;  ///< Frame::host_mxcsr
};

/// Pieces that are emitted once, at the start of the code memory; executable addresses.
struct Thunks {
  const std::byte* enter = nullptr;           ///< uint32_t (uint64_t* regs, const std::byte* body)
  const std::byte* leave = nullptr;           ///< with the Exit in EAX
  const std::byte* leave_inside = nullptr;    ///< with Exit::inside
  const std::byte* leave_between = nullptr;   ///< with Exit::boundary
  /// With the Code in RSI and the index in EDX; returns only when the block goes on behind it.
  const std::byte* interpret = nullptr;
  const std::byte* interpret_rest = nullptr;  ///< likewise, to the end of the block
  const std::byte* use_vectors = nullptr;     ///< sets Frame::usable; spoils RAX, RCX and the flags
};

}  // namespace vitrine::emu::jit
