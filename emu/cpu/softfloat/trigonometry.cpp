// FSIN, FCOS, FSINCOS, FPTAN and FPATAN.
#include <optional>

#include "emu/cpu/softfloat/series.h"
#include "emu/cpu/softfloat/transcendental.h"

namespace vitrine::emu::softfloat {
namespace {

F80 round_angle(Env& env, const Unrounded& x) {
  return round_to_extended(env, irrational(x), Precision::extended);
}

// x = quadrant x pi/2 + rest, |rest| <= pi/4; never exactly 0, since the pi in use has more bits
// than an operand.
struct Reduced {
  Unrounded rest;
  uint32_t quadrant;
};

Reduced reduce(const Number& x) {
  // pi/2 = kHalfPi x 2^-65, the 66 bits of SDM "Approximation of Pi".
  constexpr uint128_t kHalfPi = join(0x3, 0x243f'6a88'85a3'08d3);
  if (x.exponent < -1) return {widen({false, x.exponent, x.significand}), 0};
  const uint128_t scaled = static_cast<uint128_t>(x.significand) << (x.exponent + 2);
  uint128_t quotient = scaled / kHalfPi;
  uint128_t rest = scaled - quotient * kHalfPi;
  const bool beyond = rest > kHalfPi - rest;
  if (beyond) {
    rest = kHalfPi - rest;
    ++quotient;
  }
  return {normalize(beyond, 127 - 65, rest), static_cast<uint32_t>(quotient & 3)};
}

Unrounded sine_of_rest(const Unrounded& rest) {
  static constexpr Coefficients<18> kTerms = factorial_reciprocals<18>(1, 2);
  const uint128_t x = fraction_of(rest);
  return multiply(rest, below_one(series(kTerms, multiply_high(x, x), true)));
}

Unrounded cosine_of_rest(const Unrounded& rest) {
  static constexpr Coefficients<18> kTerms = factorial_reciprocals<18>(0, 2);
  const uint128_t x = fraction_of(rest);
  return below_one(series(kTerms, multiply_high(x, x), true));
}

Unrounded sine_in_quadrant(const Reduced& x, uint32_t quadrant) {
  const Unrounded value = (quadrant & 1) != 0 ? cosine_of_rest(x.rest) : sine_of_rest(x.rest);
  return (quadrant & 2) != 0 ? negated(value) : value;
}

// Of a rest this small only the direction of the deviation matters.
constexpr int32_t kTinyExponent = -62;

Unrounded tangent_of(const Reduced& x) {
  const bool even = (x.quadrant & 1) == 0;
  if (even && x.rest.exponent < kTinyExponent) return irrational(x.rest);
  const Unrounded sine = sine_of_rest(x.rest);
  const Unrounded cosine = cosine_of_rest(x.rest);
  return even ? divide(sine, cosine) : negated(divide(cosine, sine));
}

// What all four answer before they compute; at_zero is their value there, with the operand's sign.
std::optional<Trigonometric> special_angle(Env& env, F80 x, F80 at_zero) {
  if (is_unsupported(x) || is_infinite(x)) return Trigonometric{invalid<F80>(env), false};
  if (is_nan(x)) return Trigonometric{propagate_nan(env, x, x), false};
  if (is_zero(x)) return Trigonometric{at_zero, false};
  if (is_denormal(x)) env.raise(kDenormal);
  if (env.stops_before_computation()) return Trigonometric{x, false};
  if (unpack(x).exponent >= 63) return Trigonometric{x, true};
  return std::nullopt;
}

constexpr F80 kOne = {kTopBit, 16383};

// atan of a positive value up to tan(pi/8).
Unrounded arc_of_small(const Unrounded& t) {
  static constexpr Coefficients<52> kTerms = odd_reciprocals<52>();
  if (t.significand == 0) return t;
  const uint128_t x = fraction_of(t);
  return multiply(t, below_one(series(kTerms, multiply_high(x, x), true)));
}

// atan of smaller / larger, both positive: atan(q) = pi/4 - atan((1 - q) / (1 + q)).
Unrounded arc_of_ratio(const Unrounded& smaller, const Unrounded& larger) {
  const Unrounded q = divide(smaller, larger);
  // Just below tan(pi/8), which is 1.A827...h x 2^-2.
  constexpr uint128_t kLimit = join(0xd400'0000'0000'0000, 0);
  if (q.exponent < -2 || (q.exponent == -2 && q.significand < kLimit)) return arc_of_small(q);
  const Unrounded difference = sum(larger, negated(smaller), Rounding::nearest);
  const Unrounded quarter = halved(halved(kPi));
  if (difference.significand == 0) return quarter;
  const Unrounded total = sum(larger, smaller, Rounding::nearest);
  const Unrounded arc = arc_of_small(divide(difference, total));
  return sum(quarter, negated(arc), Rounding::nearest);
}

// The angle of (x, y), both finite; signs do not count.
Unrounded angle(const Number& y, const Number& x) {
  // So small an arc is the ratio itself, less than any of its digits. The ratio is taken exactly,
  // for it may be next to the middle of two results.
  const Unrounded ratio =
      quotient({false, y.exponent, y.significand}, {false, x.exponent, x.significand});
  if (ratio.exponent <= -64) {
    if ((ratio.significand & 1) != 0) return ratio;
    return normalize(false, ratio.exponent, ratio.significand - 1);
  }
  const Unrounded a = widen({false, y.exponent, y.significand});
  const Unrounded b = widen({false, x.exponent, x.significand});
  const bool steep =
      a.exponent != b.exponent ? a.exponent > b.exponent : a.significand > b.significand;
  if (!steep) return arc_of_ratio(a, b);
  return sum(halved(kPi), negated(arc_of_ratio(b, a)), Rounding::nearest);
}

}  // namespace

Trigonometric sine(Env& env, F80 x) {
  if (const auto answer = special_angle(env, x, x)) return *answer;
  const Reduced reduced = reduce(unpack(x));
  Unrounded value = sine_in_quadrant(reduced, reduced.quadrant);
  value.sign = value.sign != sign_of(x);
  return {round_angle(env, value), false};
}

Trigonometric cosine(Env& env, F80 x) {
  if (const auto answer = special_angle(env, x, kOne)) return *answer;
  const Reduced reduced = reduce(unpack(x));
  return {round_angle(env, sine_in_quadrant(reduced, reduced.quadrant + 1)), false};
}

Trigonometric tangent(Env& env, F80 x) {
  if (const auto answer = special_angle(env, x, x)) return *answer;
  Unrounded value = tangent_of(reduce(unpack(x)));
  value.sign = value.sign != sign_of(x);
  return {round_angle(env, value), false};
}

SineCosine sine_and_cosine(Env& env, F80 x) {
  const Trigonometric c = cosine(env, x);
  const Trigonometric s = sine(env, x);
  return {s.value, c.value, s.out_of_range};
}

// SDM FPATAN, table "FPATAN Results".
F80 arc_tangent(Env& env, F80 y, F80 x) {
  if (is_unsupported(x) || is_unsupported(y)) return invalid<F80>(env);
  if (is_nan(x) || is_nan(y)) return propagate_nan(env, x, y);
  if (is_denormal(x) || is_denormal(y)) env.raise(kDenormal);
  if (env.stops_before_computation()) return x;
  const auto signed_angle = [&](Unrounded value) {
    value.sign = sign_of(y);
    return round_angle(env, value);
  };
  if (is_infinite(y) && is_infinite(x)) {
    const Unrounded quarter = halved(halved(kPi));
    return signed_angle(sign_of(x) ? sum(halved(kPi), quarter, Rounding::nearest) : quarter);
  }
  if (is_zero(y) || is_infinite(x)) {
    return sign_of(x) ? signed_angle(kPi) : signed_zero<F80>(sign_of(y));
  }
  if (is_zero(x) || is_infinite(y)) return signed_angle(halved(kPi));
  const Unrounded first = angle(unpack(y), unpack(x));
  if (!sign_of(x)) return signed_angle(first);
  return signed_angle(sum(kPi, negated(first), Rounding::nearest));
}

}  // namespace vitrine::emu::softfloat
