// Remainders, scaling, extraction, packed decimal and constants of the x87 unit.
#include "emu/cpu/softfloat/x87.h"

#include <optional>

#include "emu/cpu/softfloat/convert.h"

namespace vitrine::emu::softfloat {
namespace {

std::optional<F80> not_numbers(Env& env, F80 a, F80 b) {
  if (is_unsupported(a) || is_unsupported(b)) return invalid<F80>(env);
  if (is_nan(a) || is_nan(b)) return propagate_nan(env, a, b);
  return std::nullopt;
}

F80 round_exact(Env& env, const Unrounded& x) {
  return round_to_extended(env, x, Precision::extended);
}

// What both remainder instructions do first; nothing when there is something to divide.
std::optional<Remainder> special_remainder(Env& env, F80 a, F80 b) {
  const auto undivided = [](F80 value) { return Remainder{value, false, 0, false}; };
  if (const auto answer = not_numbers(env, a, b)) return undivided(*answer);
  if (is_infinite(a) || is_zero(b)) return undivided(invalid<F80>(env));
  if (is_denormal(a) || is_denormal(b)) env.raise(kDenormal);
  if (env.stops_before_computation()) return undivided(a);
  if (is_zero(a)) return Remainder{a, false, 0};
  if (is_infinite(b)) return Remainder{round_exact(env, widen(unpack(a))), false, 0};
  return std::nullopt;
}

// SDM FPREM: with exponents 64 or more apart, one execution reduces the exponent by N, a number
// between 32 and 63 that the implementation chooses. Ours has the low five bits of the difference,
// so that what remains is a multiple of 32.
constexpr int32_t reduction(int32_t difference) { return (difference & 31) | 32; }

Remainder reduce(Env& env, const Number& a, const Number& b, int32_t steps, int32_t difference) {
  const uint128_t dividend = static_cast<uint128_t>(a.significand) << steps;
  const uint64_t whole = static_cast<uint64_t>(dividend / b.significand);
  const uint64_t rest = low_half(dividend - static_cast<uint128_t>(whole) * b.significand);
  const bool partial = steps != difference;
  Unrounded exact = normalize(a.sign, a.exponent - steps, join(rest, 0));
  exact.sign = a.sign;
  return {round_exact(env, exact), partial, partial ? uint8_t{0} : static_cast<uint8_t>(whole & 7)};
}

}  // namespace

Remainder remainder_truncating(Env& env, F80 a, F80 b) {
  if (const auto answer = special_remainder(env, a, b)) return *answer;
  const Number x = unpack(a);
  const Number y = unpack(b);
  const int32_t difference = x.exponent - y.exponent;
  if (difference < 0) return {round_exact(env, widen(x)), false, 0};
  return reduce(env, x, y, difference < 64 ? difference : reduction(difference), difference);
}

Remainder remainder_nearest(Env& env, F80 a, F80 b) {
  if (const auto answer = special_remainder(env, a, b)) return *answer;
  const Number x = unpack(a);
  const Number y = unpack(b);
  const int32_t difference = x.exponent - y.exponent;
  if (difference < -1) return {round_exact(env, widen(x)), false, 0};
  if (difference >= 64) return reduce(env, x, y, reduction(difference), difference);
  // On the scale of the smaller exponent, with one more bit for difference = -1.
  const uint128_t dividend = static_cast<uint128_t>(x.significand) << (difference + 1);
  const uint128_t divisor = static_cast<uint128_t>(y.significand) << 1;
  uint64_t whole = static_cast<uint64_t>(dividend / divisor);
  uint128_t rest = dividend - whole * divisor;
  bool sign = x.sign;
  if (rest > divisor - rest || (rest == divisor - rest && (whole & 1) != 0)) {
    rest = divisor - rest;
    sign = !sign;
    ++whole;
  }
  Unrounded exact = normalize(sign, y.exponent + 63, rest);
  if (rest == 0) exact.sign = x.sign;
  return {round_exact(env, exact), false, static_cast<uint8_t>(whole & 7)};
}

F80 scale(Env& env, F80 a, F80 b) {
  if (const auto answer = not_numbers(env, a, b)) return *answer;
  if (is_infinite(b)) {
    const bool down = sign_of(b);
    if (down ? is_infinite(a) : is_zero(a)) return invalid<F80>(env);
    if (is_denormal(a)) env.raise(kDenormal);
    if (is_infinite(a) || is_zero(a)) return a;
    return down ? signed_zero<F80>(sign_of(a)) : signed_infinity<F80>(sign_of(a));
  }
  if (is_denormal(a) || is_denormal(b)) env.raise(kDenormal);
  if (is_infinite(a) || is_zero(a) || env.stops_before_computation()) return a;
  // Beyond this every finite operand leaves the range, wrapped or not.
  constexpr uint64_t kFar = 0x20000;
  const Number count = unpack(b);
  const Integer whole = round_to_integer(count, Rounding::toward_zero);
  const int32_t distance =
      static_cast<int32_t>(whole.overflow || whole.magnitude > kFar ? kFar : whole.magnitude);
  Number scaled = unpack(a);
  scaled.exponent += count.sign ? -distance : distance;
  return round_exact(env, widen(scaled));
}

Extracted extract(Env& env, F80 a) {
  if (is_unsupported(a)) {
    const F80 nan = invalid<F80>(env);
    return {nan, nan};
  }
  if (is_nan(a)) {
    const F80 nan = propagate_nan(env, a, a);
    return {nan, nan};
  }
  if (is_infinite(a)) return {signed_infinity<F80>(false), a};
  if (is_zero(a)) {
    env.raise(kDivideByZero);
    return {signed_infinity<F80>(true), a};
  }
  if (is_denormal(a)) env.raise(kDenormal);
  const Number number = unpack(a);
  const F80 exponent = from_integer<F80>(env, number.exponent);
  return {exponent, with_sign(F80{number.significand, 16383}, number.sign)};
}

F80 from_decimal(const PackedDecimal& decimal) {
  uint64_t value = 0;
  for (int i = 8; i >= 0; --i) {
    const uint8_t pair = decimal[static_cast<size_t>(i)];
    value = value * 100 + uint64_t{10} * (pair >> 4) + (pair & 15);
  }
  Env exact;
  const bool sign = (decimal[9] & 0x80) != 0;
  return with_sign(from_integer<F80>(exact, static_cast<int64_t>(value)), sign);
}

PackedDecimal to_decimal(Env& env, F80 a) {
  // SDM "Packed BCD Integer Indefinite".
  constexpr PackedDecimal kIndefinite = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
  constexpr uint64_t kLargest = 999'999'999'999'999'999;
  const bool number = !is_unsupported(a) && !is_nan(a) && !is_infinite(a);
  const Integer integer = number ? round_to_integer(unpack(a), env.rounding) : Integer{};
  if (!number || integer.overflow || integer.magnitude > kLargest) {
    env.raise(kInvalid);
    return kIndefinite;
  }
  if (integer.inexact) env.raise(kInexact);
  env.rounded_up = integer.up;
  PackedDecimal decimal = {};
  uint64_t rest = integer.magnitude;
  for (size_t i = 0; i < 9; ++i) {
    const uint64_t pair = rest % 100;
    decimal[i] = static_cast<uint8_t>(pair / 10 << 4 | pair % 10);
    rest /= 100;
  }
  decimal[9] = sign_of(a) ? 0x80 : 0;
  return decimal;
}

F80 constant(const Env& env, Constant which) {
  // The leading 128 bits of each constant, and the exponent of the first.
  struct Row {
    Constant name;
    Unrounded value;
  };
  // clang-format off
  static constexpr std::array<Row, 5> kConstants = {{
      {Constant::log2_10, {false,  1, join(0xd49a'784b'cd1b'8afe, 0x492b'f6ff'4daf'db4c)}},
      {Constant::log2_e,  {false,  0, join(0xb8aa'3b29'5c17'f0bb, 0xbe87'fed0'691d'3e88)}},
      {Constant::pi,      {false,  1, join(0xc90f'daa2'2168'c234, 0xc4c6'628b'80dc'1cd1)}},
      {Constant::log10_2, {false, -2, join(0x9a20'9a84'fbcf'f798, 0x8f89'59ac'0b7c'9178)}},
      {Constant::ln_2,    {false, -1, join(0xb172'17f7'd1cf'79ab, 0xc9e3'b398'03f2'f6af)}},
  }};
  // clang-format on
  static_assert([] {
    for (size_t i = 0; i < kConstants.size(); ++i) {
      if (static_cast<size_t>(kConstants[i].name) != i) return false;
    }
    return true;
  }());
  Env unreported = {.rounding = env.rounding};
  return round_exact(unreported, kConstants[static_cast<size_t>(which)].value);
}

}  // namespace vitrine::emu::softfloat
