// RCPSS and RSQRTSS: our one canonical value for what the manual only bounds.
#include "emu/cpu/softfloat/approximate.h"

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {
namespace {

using F = Format<uint32_t>;

// Rounds to 12 significand bits and packs; below the normal range it is a zero.
uint32_t pack_estimate(const Unrounded& x) {
  constexpr int kDropped = 64 - 12;
  const uint64_t significand = high_half(x.significand) | (low_half(x.significand) != 0 ? 1 : 0);
  uint64_t kept = significand >> kDropped;
  const uint64_t rest = significand & ((uint64_t{1} << kDropped) - 1);
  const uint64_t half = uint64_t{1} << (kDropped - 1);
  if (rounds_up(Rounding::nearest, x.sign, rest, half, (kept & 1) != 0)) ++kept;
  // A carry makes kept 2^12, whose integer bit adds to the exponent field twice.
  const int32_t biased = x.exponent + F::kBias;
  const int64_t packed = (int64_t{biased - 1} << F::kFractionBits) +
                         static_cast<int64_t>(kept << (F::kFractionBits - 11));
  if (packed < (int64_t{1} << F::kFractionBits)) return signed_zero<uint32_t>(x.sign);
  return with_sign(static_cast<uint32_t>(packed), x.sign);
}

}  // namespace

uint32_t reciprocal_estimate(uint32_t x) {
  if (is_nan(x)) return quieted(x);
  if (is_infinite(x)) return signed_zero<uint32_t>(sign_of(x));
  if (biased_exponent(x) == 0) return signed_infinity<uint32_t>(sign_of(x));
  constexpr Number kOne = {false, 0, kTopBit};
  return pack_estimate(quotient(kOne, unpack(x)));
}

uint32_t reciprocal_root_estimate(uint32_t x) {
  if (is_nan(x)) return quieted(x);
  if (biased_exponent(x) == 0) return signed_infinity<uint32_t>(sign_of(x));
  if (sign_of(x)) return F::kIndefinite;
  if (is_infinite(x)) return 0;
  // The root of the reciprocal. The reciprocal is kept to 64 bits with a sticky last one, so its
  // root cannot fall on the wrong side of the middle between two 12-bit numbers: such a middle has
  // an exact square of 26 bits.
  constexpr Number kOne = {false, 0, kTopBit};
  const Unrounded inverse = quotient(kOne, unpack(x));
  const uint64_t significand =
      high_half(inverse.significand) | (low_half(inverse.significand) != 0 ? 1 : 0);
  return pack_estimate(square_root({false, inverse.exponent, significand}));
}

}  // namespace vitrine::emu::softfloat
