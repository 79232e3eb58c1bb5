// The host's calling convention, as generated code needs it: System V or Windows, decided here alone.
#pragma once

#include <array>
#include <cstdint>

namespace vitrine::emu::jit {

/// Registers by their numbers in encodings.
struct CallingConvention {
  std::array<uint8_t, 3> arguments;
  std::array<uint8_t, 8> saved;  ///< what a function must keep, besides RSP
  uint8_t saved_count;
  uint8_t shadow_space;  ///< bytes above the return address that a callee may use
};

#ifdef _WIN32
inline constexpr CallingConvention kHostConvention{{1, 2, 8}, {3, 5, 6, 7, 12, 13, 14, 15}, 8, 32};
#else
inline constexpr CallingConvention kHostConvention{{7, 6, 2}, {3, 5, 12, 13, 14, 15}, 6, 0};
#endif

}  // namespace vitrine::emu::jit
