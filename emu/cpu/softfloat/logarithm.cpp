// F2XM1, FYL2X and FYL2XP1.
#include "emu/cpu/softfloat/convert.h"
#include "emu/cpu/softfloat/series.h"
#include "emu/cpu/softfloat/transcendental.h"

namespace vitrine::emu::softfloat {
namespace {

constexpr F80 kOne = {kTopBit, 16383};

F80 round_extended(Env& env, const Unrounded& x) {
  return round_to_extended(env, x, Precision::extended);
}

// log2((1 + t) / (1 - t)) = 2 log2(e) (t + t^3/3 + t^5/5 + ...), |t| < 0.1716.
Unrounded logarithm_of_ratio(const Unrounded& t) {
  static constexpr Coefficients<27> kTerms = odd_reciprocals<27>();
  if (t.significand == 0) return t;
  const uint128_t x = fraction_of(t);
  const Unrounded factor = normalize(false, 0, series(kTerms, multiply_high(x, x), false));
  Unrounded value = multiply(multiply(t, factor), kLog2E);
  ++value.exponent;
  return value;
}

// log2 of a positive number: its exponent, made such that what remains is within sqrt(1/2) to
// sqrt(2), and the logarithm of the rest. Exact for powers of two.
Unrounded logarithm_of(const Unrounded& x) {
  constexpr uint128_t kRootOfTwo = join(0xb504'f333'f9de'6484, 0);
  const bool upper = x.significand > kRootOfTwo;
  const int32_t exponent = x.exponent + (upper ? 1 : 0);
  // (m - 1) / (m + 1), the numerator exact.
  const Unrounded numerator = upper ? normalize(true, -1, 0 - x.significand)
                                    : normalize(false, 0, x.significand - kOneFixed);
  const Unrounded denominator = upper
                                    ? normalize(false, 0, (x.significand >> 1) + kOneFixed)
                                    : normalize(false, 1, (x.significand >> 1) + (kOneFixed >> 1));
  Unrounded fraction = numerator;
  if (numerator.significand != 0) {
    fraction = irrational(logarithm_of_ratio(divide(numerator, denominator)));
  }
  if (exponent == 0) return fraction;
  const uint64_t magnitude = static_cast<uint64_t>(exponent < 0 ? -exponent : exponent);
  const Unrounded whole = normalize(exponent < 0, 63, join(magnitude, 0));
  if (fraction.significand == 0) return whole;
  return irrational(sum(whole, fraction, Rounding::nearest));
}

// log2(1 + x) for |x| < 1/4, where adding 1 would lose bits: t = x / (2 + x).
Unrounded logarithm_near_one(const Unrounded& x) {
  constexpr Unrounded kTwo = {false, 1, kOneFixed};
  const Unrounded t = divide(x, sum(kTwo, x, Rounding::nearest));
  return irrational(logarithm_of_ratio(t));
}

// y x logarithm, which is exact only for a power of two's whole logarithm.
F80 times(Env& env, const Number& y, const Unrounded& logarithm) {
  if (low_half(logarithm.significand) == 0) {
    const Number whole = {logarithm.sign, logarithm.exponent, high_half(logarithm.significand)};
    return round_extended(env, product(y, whole));
  }
  return round_extended(env, irrational(multiply(widen(y), logarithm)));
}

// y times an infinite logarithm at a pole.
F80 at_pole(Env& env, F80 y) {
  if (is_zero(y)) return invalid<F80>(env);
  if (!is_infinite(y)) env.raise(kDivideByZero);
  return signed_infinity<F80>(!sign_of(y));
}

void note_denormals(Env& env, F80 a, F80 b) {
  if (is_denormal(a) || is_denormal(b)) env.raise(kDenormal);
}

}  // namespace

F80 power_minus_one(Env& env, F80 x) {
  if (is_unsupported(x)) return invalid<F80>(env);
  if (is_nan(x)) return propagate_nan(env, x, x);
  if (is_zero(x)) return x;
  if (is_infinite(x)) return sign_of(x) ? with_sign(kOne, true) : x;
  if (is_denormal(x)) env.raise(kDenormal);
  if (env.stops_before_computation()) return x;
  const Number number = unpack(x);
  if (number.exponent >= 0) {
    if (number.exponent > 0 || number.significand != kTopBit || !number.sign) return x;
    return F80{kTopBit, 0xbffe};
  }
  // e^z - 1 = z (1 + z/2! + z^2/3! + ...), z = x ln 2.
  static constexpr Coefficients<33> kTerms = factorial_reciprocals<33>(1, 1);
  const Unrounded z = multiply(widen(number), kLn2);
  const Unrounded factor = normalize(false, 0, series(kTerms, fraction_of(z), number.sign));
  return round_extended(env, irrational(multiply(z, factor)));
}

// SDM FYL2X, table "FYL2X Results".
F80 logarithm(Env& env, F80 y, F80 x) {
  if (is_unsupported(x) || is_unsupported(y)) return invalid<F80>(env);
  if (is_nan(x) || is_nan(y)) return propagate_nan(env, x, y);
  if (is_zero(x)) return at_pole(env, y);
  if (sign_of(x)) return invalid<F80>(env);
  const bool negative = !is_infinite(x) && unpack(x).exponent < 0;
  if (is_infinite(x) && is_zero(y)) return invalid<F80>(env);
  if (is_infinite(y) && x == kOne) return invalid<F80>(env);
  note_denormals(env, x, y);
  if (env.stops_before_computation()) return x;
  if (is_infinite(x) || is_infinite(y)) return signed_infinity<F80>(sign_of(y) != negative);
  if (is_zero(y)) return signed_zero<F80>(sign_of(y) != negative);
  return times(env, unpack(y), logarithm_of(widen(unpack(x))));
}

// SDM FYL2XP1, table "FYL2XP1 Results".
F80 logarithm_plus_one(Env& env, F80 y, F80 x) {
  if (is_unsupported(x) || is_unsupported(y)) return invalid<F80>(env);
  if (is_nan(x) || is_nan(y)) return propagate_nan(env, x, y);
  const bool sign = sign_of(x) != sign_of(y);
  if (x == with_sign(kOne, true)) return at_pole(env, y);
  if (sign_of(x) && (is_infinite(x) || unpack(x).exponent >= 0)) return invalid<F80>(env);
  if (is_infinite(x) && is_zero(y)) return invalid<F80>(env);
  if (is_zero(x) && is_infinite(y)) return invalid<F80>(env);
  note_denormals(env, x, y);
  if (env.stops_before_computation()) return x;
  if (is_infinite(x) || is_infinite(y)) return signed_infinity<F80>(sign);
  if (is_zero(x) || is_zero(y)) return signed_zero<F80>(sign);
  const Unrounded exact = widen(unpack(x));
  if (exact.exponent < -2) return times(env, unpack(y), logarithm_near_one(exact));
  constexpr Unrounded kOneExact = {false, 0, kOneFixed};
  return times(env, unpack(y), logarithm_of(sum(kOneExact, exact, Rounding::nearest)));
}

}  // namespace vitrine::emu::softfloat
