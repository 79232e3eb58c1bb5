// Shuffles, blends and products of one 128-bit lane that the SSE and the AVX instructions share.
#pragma once

#include "emu/cpu/handlers/vector_lanes.h"

namespace vitrine::emu {

inline uint64_t mul_even_signed_lane(uint64_t a, uint64_t b) {
  const int64_t x = as_signed(static_cast<uint32_t>(a));
  return static_cast<uint64_t>(x * as_signed(static_cast<uint32_t>(b)));
}
inline uint32_t mul_low_dword(uint32_t a, uint32_t b) { return a * b; }

// PHMINPOSUW
inline Xmm horizontal_minimum(const Xmm&, const Xmm& b) {
  const auto y = as<uint16_t>(b);
  const auto least = std::min_element(y.begin(), y.end());
  return {*least | static_cast<uint64_t>(least - y.begin()) << 16, 0};
}
// MPSADBW
inline Xmm multiple_differences(const Xmm& a, const Xmm& b, uint8_t imm) {
  const auto x = as<uint8_t>(a);
  const auto y = as<uint8_t>(b);
  const size_t from_x = (imm >> 2 & 1u) * 4;
  const size_t from_y = (imm & 3u) * 4;
  Lanes<uint16_t> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    for (size_t j = 0; j < 4; ++j) {
      const int difference = int{x[from_x + i + j]} - int{y[from_y + j]};
      r[i] = static_cast<uint16_t>(r[i] + (difference < 0 ? -difference : difference));
    }
  }
  return from<uint16_t>(r);
}

// PBLENDW, BLENDPS, BLENDPD
template <class T>
Xmm blend(const Xmm& a, const Xmm& b, uint8_t imm) {
  auto x = as<T>(a);
  const auto y = as<T>(b);
  for (size_t i = 0; i < x.size(); ++i) x[i] = (imm >> i & 1) != 0 ? y[i] : x[i];
  return from<T>(x);
}
// MOVSLDUP, MOVSHDUP
template <size_t odd>
Xmm duplicate_singles(const Xmm&, const Xmm& b) {
  const auto y = as<uint32_t>(b);
  return from<uint32_t>({y[odd], y[odd], y[2 + odd], y[2 + odd]});
}
// PSHUFB
inline Xmm shuffle_by(const Xmm& a, const Xmm& b) {
  const auto x = as<uint8_t>(a);
  auto control = as<uint8_t>(b);
  for (auto& byte : control) byte = sign(byte) ? 0 : x[byte & 15];
  return from<uint8_t>(control);
}
// PALIGNR
inline Xmm align_right(const Xmm& a, const Xmm& b, uint8_t imm) {
  const auto high = as<uint8_t>(a);
  const auto low = as<uint8_t>(b);
  Lanes<uint8_t> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    const size_t at = i + imm;
    r[i] = at < 16 ? low[at] : at < 32 ? high[at - 16] : uint8_t{0};
  }
  return from<uint8_t>(r);
}

// PSLLDQ, PSRLDQ
template <bool left>
Xmm shift_bytes(const Xmm& a, uint64_t count) {
  const auto x = as<uint8_t>(a);
  Lanes<uint8_t> r{};
  for (size_t i = 0; i + count < 16; ++i) {
    if (left) {
      r[i + count] = x[i];
    } else {
      r[i] = x[i + count];
    }
  }
  return from<uint8_t>(r);
}

}  // namespace vitrine::emu
