// Exact sums, products, quotients and roots of finite numbers, before they are rounded to a format.
#pragma once

#include <bit>
#include <cstdint>

#include "emu/arch/wide.h"
#include "emu/cpu/softfloat/environment.h"

namespace vitrine::emu::softfloat {

constexpr uint64_t kTopBit = uint64_t{1} << 63;
// Below any exponent in use: what a zero significand goes with.
constexpr int32_t kZeroExponent = -(1 << 24);

// (-1)^sign x significand / 2^63 x 2^exponent; significand has bit 63 set, or is 0.
struct Number {
  bool sign;
  int32_t exponent;
  uint64_t significand;
};

// The same with bit 127 leading; bit 0 also stands for any non-zero bits beyond it.
struct Unrounded {
  bool sign;
  int32_t exponent;
  uint128_t significand;
};

[[nodiscard]] constexpr uint64_t high_half(uint128_t value) {
  return static_cast<uint64_t>(value >> 64);
}
[[nodiscard]] constexpr uint64_t low_half(uint128_t value) { return static_cast<uint64_t>(value); }
[[nodiscard]] constexpr uint128_t join(uint64_t high, uint64_t low) {
  return static_cast<uint128_t>(high) << 64 | low;
}
[[nodiscard]] constexpr int leading_zeros(uint128_t value) {
  return high_half(value) != 0 ? std::countl_zero(high_half(value))
                               : 64 + std::countl_zero(low_half(value));
}

// Shifts right and keeps in bit 0 whether anything was lost.
[[nodiscard]] constexpr uint64_t shift_right_jam(uint64_t value, uint32_t count) {
  if (count == 0) return value;
  if (count >= 64) return value != 0 ? 1 : 0;
  return value >> count | ((value << (64 - count)) != 0 ? 1 : 0);
}
[[nodiscard]] constexpr uint128_t shift_right_jam(uint128_t value, uint32_t count) {
  if (count == 0) return value;
  if (count >= 128) return value != 0 ? 1 : 0;
  return value >> count | ((value << (128 - count)) != 0 ? 1 : 0);
}

// Whether a magnitude is to be incremented, given the part cut off and half a unit on that scale.
[[nodiscard]] constexpr bool rounds_up(Rounding rounding, bool sign, uint64_t rest, uint64_t half,
                                       bool odd) {
  switch (rounding) {
    case Rounding::nearest: return rest > half || (rest == half && odd);
    case Rounding::down: return sign && rest != 0;
    case Rounding::up: return !sign && rest != 0;
    case Rounding::toward_zero: break;
  }
  return false;
}

// An integer magnitude after rounding. overflow: it does not fit in 64 bits.
struct Integer {
  uint64_t magnitude;
  bool inexact;
  bool up;
  bool overflow;
};
[[nodiscard]] constexpr Integer round_to_integer(const Number& x, Rounding rounding) {
  if (x.significand == 0) return {};
  if (x.exponent > 63) return {.magnitude = 0, .inexact = false, .up = false, .overflow = true};
  if (x.exponent == 63) {
    return {.magnitude = x.significand, .inexact = false, .up = false, .overflow = false};
  }
  const uint32_t dropped = static_cast<uint32_t>(63 - x.exponent);
  const uint64_t whole = dropped < 64 ? x.significand >> dropped : 0;
  // The fraction, scaled so that one half is bit 63.
  const uint64_t rest = dropped <= 64 ? x.significand << (64 - dropped) % 64
                                      : shift_right_jam(x.significand, dropped - 64);
  const bool up = rounds_up(rounding, x.sign, rest, kTopBit, (whole & 1) != 0);
  return {.magnitude = whole + (up ? 1 : 0), .inexact = rest != 0, .up = up, .overflow = false};
}

[[nodiscard]] constexpr Unrounded widen(const Number& x) {
  return {x.sign, x.exponent, join(x.significand, 0)};
}

[[nodiscard]] constexpr Unrounded normalize(bool sign, int32_t exponent, uint128_t significand) {
  if (significand == 0) return {sign, kZeroExponent, 0};
  const int shift = leading_zeros(significand);
  return {sign, exponent - shift, significand << shift};
}

// Both have at least one spare low bit. SDM "Signed Zeros": an exact zero sum of different signs is
// -0 only when rounding down.
[[nodiscard]] constexpr Unrounded sum(Unrounded a, Unrounded b, Rounding rounding) {
  if (a.exponent < b.exponent) {
    const Unrounded swapped = a;
    a = b;
    b = swapped;
  }
  const uint128_t larger = a.significand >> 1;
  const uint128_t smaller =
      shift_right_jam(b.significand >> 1, static_cast<uint32_t>(a.exponent - b.exponent));
  if (a.sign == b.sign) return normalize(a.sign, a.exponent + 1, larger + smaller);
  if (larger == smaller) return {rounding == Rounding::down, kZeroExponent, 0};
  if (larger > smaller) return normalize(a.sign, a.exponent + 1, larger - smaller);
  return normalize(b.sign, a.exponent + 1, smaller - larger);
}

[[nodiscard]] constexpr Unrounded product(const Number& a, const Number& b) {
  const bool sign = a.sign != b.sign;
  const uint128_t significand = static_cast<uint128_t>(a.significand) * b.significand;
  if (significand == 0) return {sign, kZeroExponent, 0};
  const int32_t exponent = a.exponent + b.exponent;
  if (static_cast<int128_t>(significand) < 0) return {sign, exponent + 1, significand};
  return {sign, exponent, significand << 1};
}

// What is left of a division or root, reduced to the two facts rounding needs.
[[nodiscard]] constexpr uint64_t tail(bool above_half, bool exactly_half, bool nonzero) {
  return ((above_half || exactly_half) ? kTopBit : 0) | ((nonzero && !exactly_half) ? 1 : 0);
}

[[nodiscard]] constexpr Unrounded quotient(const Number& a, const Number& b) {
  const bool sign = a.sign != b.sign;
  if (a.significand == 0) return {sign, kZeroExponent, 0};
  const bool below_one = a.significand < b.significand;
  const uint128_t dividend = static_cast<uint128_t>(a.significand) << (below_one ? 64 : 63);
  const uint64_t whole = static_cast<uint64_t>(dividend / b.significand);
  const uint64_t rest = low_half(dividend - static_cast<uint128_t>(whole) * b.significand);
  const uint64_t to_next = b.significand - rest;
  const int32_t exponent = a.exponent - b.exponent - (below_one ? 1 : 0);
  return {sign, exponent, join(whole, tail(rest > to_next, rest == to_next, rest != 0))};
}

// Of a non-negative number.
[[nodiscard]] Unrounded square_root(const Number& x);

}  // namespace vitrine::emu::softfloat
