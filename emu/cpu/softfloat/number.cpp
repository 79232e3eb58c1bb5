// The integer square root behind every square root instruction.
#include "emu/cpu/softfloat/number.h"

namespace vitrine::emu::softfloat {
namespace {

template <class T>
struct Root {
  T root;
  T remainder;
};

// Digit by digit, for the top quarter of the bits.
Root<uint64_t> root_of_32_bits(uint32_t value) {
  uint32_t root = 0;
  uint32_t rest = value;
  for (uint32_t bit = uint32_t{1} << 30; bit != 0; bit >>= 2) {
    const uint32_t trial = root + bit;
    root >>= 1;
    if (rest >= trial) {
      rest -= trial;
      root += bit;
    }
  }
  return {root, rest};
}

// From the root of the upper half to the root of the whole: one division yields the lower digits
// (the recurrence of long division with divisor 2 x root), one step corrects an estimate too large.
Root<uint64_t> root_of_64_bits(uint64_t value) {
  const Root<uint64_t> upper = root_of_32_bits(static_cast<uint32_t>(value >> 32));
  const uint64_t partial = upper.remainder << 16 | (value >> 16 & 0xffff);
  const uint64_t digit = partial / (2 * upper.root);
  uint64_t root = (upper.root << 16) + digit;
  int64_t rest = static_cast<int64_t>((partial % (2 * upper.root)) << 16 | (value & 0xffff)) -
                 static_cast<int64_t>(digit * digit);
  if (rest < 0) {
    rest += static_cast<int64_t>(2 * root - 1);
    --root;
  }
  return {root, static_cast<uint64_t>(rest)};
}

Root<uint128_t> root_of_128_bits(uint128_t value) {
  const Root<uint64_t> upper = root_of_64_bits(high_half(value));
  const uint128_t partial = static_cast<uint128_t>(upper.remainder) << 32 | (low_half(value) >> 32);
  const uint64_t divisor = 2 * upper.root;
  const uint128_t digit = partial / divisor;
  uint128_t root = (static_cast<uint128_t>(upper.root) << 32) + digit;
  int128_t rest =
      static_cast<int128_t>((partial - digit * divisor) << 32 | (low_half(value) & 0xffffffff)) -
      static_cast<int128_t>(digit * digit);
  if (rest < 0) {
    rest += static_cast<int128_t>(2 * root - 1);
    --root;
  }
  return {root, static_cast<uint128_t>(rest)};
}

}  // namespace

Unrounded square_root(const Number& x) {
  if (x.significand == 0) return widen(x);
  const int32_t exponent = x.exponent >> 1;
  const bool odd = (x.exponent & 1) != 0;
  const Root<uint128_t> r =
      root_of_128_bits(static_cast<uint128_t>(x.significand) << (odd ? 64 : 63));
  // (root + 1/2)^2 = root^2 + root + 1/4, so the remainder is never exactly at the middle.
  const uint64_t below = tail(r.remainder > r.root, false, r.remainder != 0);
  return {false, exponent, join(low_half(r.root), below)};
}

}  // namespace vitrine::emu::softfloat
