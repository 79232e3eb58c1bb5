// 128-bit arithmetic and power series for the transcendental functions: errors near 2^-120, so that
// the one rounding at the end decides the result.
#pragma once

#include <array>
#include <cstddef>

#include "emu/cpu/softfloat/number.h"

namespace vitrine::emu::softfloat {

// Fixed point with one integer bit: this is 1.
constexpr uint128_t kOneFixed = join(kTopBit, 0);

// The upper half of a 256-bit product, cut off.
[[nodiscard]] constexpr uint128_t multiply_high(uint128_t a, uint128_t b) {
  const uint128_t low = static_cast<uint128_t>(low_half(a)) * low_half(b);
  const uint128_t cross_a = static_cast<uint128_t>(high_half(a)) * low_half(b);
  const uint128_t cross_b = static_cast<uint128_t>(low_half(a)) * high_half(b);
  const uint128_t high = static_cast<uint128_t>(high_half(a)) * high_half(b);
  const uint128_t middle =
      static_cast<uint128_t>(high_half(low)) + low_half(cross_a) + low_half(cross_b);
  return high + high_half(cross_a) + high_half(cross_b) + high_half(middle);
}

// Products and quotients of normalized values, relative error below 2^-126, magnitude never too
// large.
[[nodiscard]] constexpr Unrounded multiply(const Unrounded& a, const Unrounded& b) {
  const uint128_t significand = multiply_high(a.significand, b.significand);
  return normalize(a.sign != b.sign, a.exponent + b.exponent + 1, significand);
}

// One 64-bit digit of a long division: rest x 2^64 / divisor with rest < divisor. The estimate from
// the divisor's upper half is at most two too large; rest becomes the remainder.
[[nodiscard]] constexpr uint64_t next_digit(uint128_t& rest, uint128_t divisor) {
  const uint64_t upper = high_half(divisor);
  uint64_t digit = ~uint64_t{0};
  if (high_half(rest) < upper) digit = static_cast<uint64_t>(rest / upper);
  uint128_t left = rest - static_cast<uint128_t>(digit) * upper;
  uint128_t lower = static_cast<uint128_t>(digit) * low_half(divisor);
  while (high_half(left) == 0 && lower > left << 64) {
    --digit;
    left += upper;
    lower -= low_half(divisor);
  }
  rest = (left << 64) - lower;
  return digit;
}
[[nodiscard]] constexpr Unrounded divide(const Unrounded& a, const Unrounded& b) {
  const bool below_one = a.significand < b.significand;
  uint128_t rest = below_one ? a.significand : a.significand >> 1;
  const uint64_t upper = next_digit(rest, b.significand);
  const uint64_t lower = next_digit(rest, b.significand);
  const int32_t exponent = a.exponent - b.exponent - (below_one ? 1 : 0);
  return normalize(a.sign != b.sign, exponent, join(upper, lower));
}

// A magnitude below 1 as a fraction of 2^128.
[[nodiscard]] constexpr uint128_t fraction_of(const Unrounded& x) {
  const int32_t shift = -1 - x.exponent;
  return shift < 128 ? x.significand >> shift : 0;
}

template <size_t Terms>
using Coefficients = std::array<uint128_t, Terms>;

// sum of coefficient[k] x (+-argument)^k, by Horner's rule; it stays in [0, 2).
template <size_t Terms>
[[nodiscard]] constexpr uint128_t series(const Coefficients<Terms>& coefficients,
                                         uint128_t argument, bool alternating) {
  uint128_t value = coefficients[Terms - 1];
  for (size_t k = Terms - 1; k-- > 0;) {
    const uint128_t term = multiply_high(argument, value);
    value = alternating ? coefficients[k] - term : coefficients[k] + term;
  }
  return value;
}

// For functions that stay strictly below their leading term however small the argument.
[[nodiscard]] constexpr Unrounded below_one(uint128_t value) {
  return normalize(false, 0, value >= kOneFixed ? kOneFixed - 1 : value);
}

// 1, 1/3, 1/5, ...
template <size_t Terms>
[[nodiscard]] consteval Coefficients<Terms> odd_reciprocals() {
  Coefficients<Terms> c = {};
  for (size_t k = 0; k < Terms; ++k) c[k] = kOneFixed / (2 * k + 1);
  return c;
}
// 1/first!, 1/(first+step)!, ... for first = 0 or 1.
template <size_t Terms>
[[nodiscard]] consteval Coefficients<Terms> factorial_reciprocals(unsigned first, unsigned step) {
  Coefficients<Terms> c = {};
  uint128_t value = kOneFixed;
  unsigned n = first;
  for (size_t k = 0; k < Terms; ++k) {
    c[k] = value;
    for (unsigned i = 0; i < step; ++i) value /= ++n;
  }
  return c;
}

// The leading 128 bits of the constants.
constexpr Unrounded kPi = {false, 1, join(0xc90f'daa2'2168'c234, 0xc4c6'628b'80dc'1cd1)};
constexpr Unrounded kLn2 = {false, -1, join(0xb172'17f7'd1cf'79ab, 0xc9e3'b398'03f2'f6af)};
constexpr Unrounded kLog2E = {false, 0, join(0xb8aa'3b29'5c17'f0bb, 0xbe87'fed0'691d'3e88)};

[[nodiscard]] constexpr Unrounded halved(Unrounded x) {
  --x.exponent;
  return x;
}
[[nodiscard]] constexpr Unrounded negated(Unrounded x) {
  x.sign = !x.sign;
  return x;
}
// An irrational value is never exact, whatever its leading bits.
[[nodiscard]] constexpr Unrounded irrational(Unrounded x) {
  x.significand |= 1;
  return x;
}

}  // namespace vitrine::emu::softfloat
