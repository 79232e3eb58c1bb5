// Rounding where the exponent range ends: overflow, tininess, denormal results.
#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {
namespace {

// Whether overflow goes to infinity or stops at the largest finite value, SDM "Numeric Overflow
// Exception (#O)".
constexpr bool overflows_to_infinity(Rounding rounding, bool sign) {
  switch (rounding) {
    case Rounding::nearest: return true;
    case Rounding::down: return sign;
    case Rounding::up: return !sign;
    case Rounding::toward_zero: break;
  }
  return false;
}

// A significand of the given number of bits, left-justified in 64.
struct Rounded {
  uint64_t significand;
  bool carry;
  bool inexact;
  bool up;
};

Rounded round_significand(Rounding rounding, bool sign, uint128_t significand, int bits) {
  const uint64_t high = high_half(significand);
  const uint64_t low = low_half(significand);
  if (bits == 64) {
    const bool up = rounds_up(rounding, sign, low, kTopBit, (high & 1) != 0);
    const uint64_t sum = high + (up ? 1 : 0);
    const bool carry = up && sum == 0;
    return {carry ? kTopBit : sum, carry, low != 0, up};
  }
  const uint64_t unit = uint64_t{1} << (64 - bits);
  const uint64_t rest = (high & (unit - 1)) | (low != 0 ? 1 : 0);
  const bool up = rounds_up(rounding, sign, rest, unit / 2, (high & unit) != 0);
  const uint64_t sum = (high & ~(unit - 1)) + (up ? unit : 0);
  const bool carry = up && sum == 0;
  return {carry ? kTopBit : sum, carry, rest != 0, up};
}

}  // namespace

// x86 detects tininess after rounding: a result is tiny when, rounded as if the exponent had no
// bound, it is below the normal range. SDM "Numeric Underflow Exception (#U)": unmasked, tiny is
// enough to raise it; masked, the denormal result must be inexact as well.
template <Binary T>
T round_at_limit(Env& env, bool sign, int32_t biased, uint64_t significand) {
  using F = Format<T>;
  const Rounded free = round_significand(env.rounding, sign, join(significand, 0), F::kPrecision);
  const int32_t exponent = biased + (free.carry ? 1 : 0);
  env.rounded_up = free.up;
  if (exponent >= F::kMaxBiased) {
    if (!env.masked(kOverflow)) {
      env.raise(free.inexact ? kOverflow | kInexact : kOverflow);
      return signed_infinity<T>(sign);
    }
    env.raise(kOverflow | kInexact);
    env.rounded_up = overflows_to_infinity(env.rounding, sign);
    return with_sign(env.rounded_up ? F::kInfinity : static_cast<T>(F::kInfinity - 1), sign);
  }
  if (exponent >= 1 && biased >= 1) {
    if (free.inexact) env.raise(kInexact);
    const uint64_t packed = (static_cast<uint64_t>(exponent - 1) << F::kFractionBits) +
                            (free.significand >> (64 - F::kPrecision));
    return with_sign(static_cast<T>(packed), sign);
  }
  const bool tiny = exponent < 1;
  if (tiny && !env.masked(kUnderflow)) {
    env.raise(free.inexact ? kUnderflow | kInexact : kUnderflow);
    return signed_zero<T>(sign);
  }
  // SDM "Flush-To-Zero": only while underflow is masked.
  if (tiny && env.ftz) {
    env.raise(kUnderflow | kInexact);
    env.rounded_up = false;
    return signed_zero<T>(sign);
  }
  const uint64_t shifted = shift_right_jam(significand, static_cast<uint32_t>(1 - biased));
  const Rounded denormal = round_significand(env.rounding, sign, join(shifted, 0), F::kPrecision);
  if (denormal.inexact) env.raise(tiny ? kUnderflow | kInexact : kInexact);
  env.rounded_up = denormal.up;
  return with_sign(static_cast<T>(denormal.significand >> (64 - F::kPrecision)), sign);
}

template uint32_t round_at_limit<uint32_t>(Env&, bool, int32_t, uint64_t);
template uint64_t round_at_limit<uint64_t>(Env&, bool, int32_t, uint64_t);

F80 round_to_extended(Env& env, const Unrounded& x, Precision precision) {
  using F = Format<F80>;
  if (x.significand == 0) return signed_zero<F80>(x.sign);
  const int bits = static_cast<int>(precision);
  const auto pack = [&](int32_t biased, uint64_t significand) {
    return with_sign(F80{significand, static_cast<uint16_t>(biased)}, x.sign);
  };
  const int32_t biased = x.exponent + F::kBias;
  const Rounded free = round_significand(env.rounding, x.sign, x.significand, bits);
  int32_t exponent = biased + (free.carry ? 1 : 0);
  env.rounded_up = free.up;
  if (exponent >= F::kMaxBiased) {
    if (!env.masked(kOverflow)) {
      env.raise(free.inexact ? kOverflow | kInexact : kOverflow);
      exponent -= F::kBiasAdjust;
      // Only FSCALE can leave even the wrapped range.
      if (exponent >= F::kMaxBiased) {
        env.raise(kInexact);
        env.rounded_up = true;
        return signed_infinity<F80>(x.sign);
      }
      return pack(exponent, free.significand);
    }
    env.raise(kOverflow | kInexact);
    env.rounded_up = overflows_to_infinity(env.rounding, x.sign);
    if (env.rounded_up) return signed_infinity<F80>(x.sign);
    return pack(F::kMaxBiased - 1, ~uint64_t{0} << (64 - bits));
  }
  if (biased >= 1) {
    if (free.inexact) env.raise(kInexact);
    return pack(exponent, free.significand);
  }
  const bool tiny = exponent < 1;
  if (tiny && !env.masked(kUnderflow)) {
    env.raise(free.inexact ? kUnderflow | kInexact : kUnderflow);
    exponent += F::kBiasAdjust;
    if (exponent < 1) {
      env.raise(kInexact);
      env.rounded_up = false;
      return signed_zero<F80>(x.sign);
    }
    return pack(exponent, free.significand);
  }
  const uint128_t shifted = shift_right_jam(x.significand, static_cast<uint32_t>(1 - biased));
  const Rounded denormal = round_significand(env.rounding, x.sign, shifted, bits);
  if (denormal.inexact) env.raise(tiny ? kUnderflow | kInexact : kInexact);
  env.rounded_up = denormal.up;
  // Rounding up into bit 63 makes the smallest normal number.
  return pack((denormal.significand & kTopBit) != 0 ? 1 : 0, denormal.significand);
}

}  // namespace vitrine::emu::softfloat
