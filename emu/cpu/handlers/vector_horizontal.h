// The lane operations of SSSE3, for XMM and MMX registers alike.
#pragma once

#include "emu/cpu/handlers/vector_lanes.h"

namespace vitrine::emu {

// PHADDW, PHSUBD and their like: neighbours of the first operand, then those of the second
template <class T, T (*lane)(T, T)>
Xmm horizontal(const Xmm& a, const Xmm& b) {
  const auto x = as<T>(a);
  const auto y = as<T>(b);
  Lanes<T> r{};
  constexpr size_t half = 16 / sizeof(T) / 2;
  for (size_t i = 0; i < half; ++i) {
    r[i] = lane(x[2 * i], x[2 * i + 1]);
    r[i + half] = lane(y[2 * i], y[2 * i + 1]);
  }
  return from<T>(r);
}

// PMADDUBSW: unsigned bytes times signed bytes, sums saturated
inline Xmm multiply_add_bytes(const Xmm& a, const Xmm& b) {
  const auto x = as<uint8_t>(a);
  const auto y = as<uint8_t>(b);
  Lanes<uint16_t> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    const int32_t low = int32_t{x[2 * i]} * as_signed(y[2 * i]);
    const int32_t high = int32_t{x[2 * i + 1]} * as_signed(y[2 * i + 1]);
    r[i] = static_cast<uint16_t>(std::clamp<int32_t>(low + high, -0x8000, 0x7FFF));
  }
  return from<uint16_t>(r);
}

// PMULHRSW
inline uint16_t mul_round_lane(uint16_t a, uint16_t b) {
  const int32_t product = int32_t{as_signed(a)} * int32_t{as_signed(b)};
  return static_cast<uint16_t>(((product >> 14) + 1) >> 1);
}
// PSIGNx
template <class T>
T sign_lane(T a, T b) {
  return b == 0 ? T{0} : sign(b) ? static_cast<T>(0 - a) : a;
}
// PABSx
template <class T>
T absolute_lane(T, T b) {
  return sign(b) ? static_cast<T>(0 - b) : b;
}

}  // namespace vitrine::emu
