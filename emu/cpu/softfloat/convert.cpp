// Conversions between the floating-point formats and integers, and rounding to an integral value.
#include "emu/cpu/softfloat/convert.h"

#include <limits>

namespace vitrine::emu::softfloat {
namespace {

// A NaN keeps its sign and the upper bits of its payload in any format.
struct Payload {
  bool sign;
  uint64_t fraction;  // Without the integer bit, left-justified in 63 bits.
};

template <Binary T>
Payload payload(T x) {
  constexpr int kShift = 63 - Format<T>::kFractionBits;
  return {sign_of(x), static_cast<uint64_t>(x & Format<T>::kFraction) << kShift};
}

template <Binary T>
T quiet_nan(const Payload& nan) {
  constexpr int kShift = 63 - Format<T>::kFractionBits;
  const T fraction = static_cast<T>(nan.fraction >> kShift);
  return with_sign(static_cast<T>(Format<T>::kInfinity | Format<T>::kQuiet | fraction), nan.sign);
}

// CVTSS2SD and CVTSD2SS.
template <Binary To, Binary From>
To convert(Env& env, From x) {
  if (is_nan(x)) {
    if (is_signaling(x)) env.raise(kInvalid);
    return quiet_nan<To>(payload(x));
  }
  x = flush_operand(env, x);
  if (is_infinite(x)) return signed_infinity<To>(sign_of(x));
  if (is_denormal(x)) env.raise(kDenormal);
  if (env.stops_before_computation()) return To{};
  return round_to<To>(env, widen(unpack(x)));
}

constexpr uint16_t kHalfSign = 0x8000;
constexpr uint16_t kHalfInfinity = 0x7c00;
constexpr uint16_t kHalfQuiet = 0x0200;
constexpr uint16_t kHalfFraction = 0x03ff;
constexpr int kHalfFractionBits = 10;
constexpr int32_t kHalfBias = 15;
constexpr int32_t kHalfMaxBiased = 31;

// A positive magnitude to binary16; the result carries no sign.
uint16_t round_to_half(Env& env, const Number& x) {
  const int32_t biased = x.exponent + kHalfBias;
  constexpr int kDropped = 63 - kHalfFractionBits;
  const auto rounded = [&](uint64_t significand, bool& inexact) {
    const uint64_t kept = significand >> kDropped;
    const uint64_t rest = significand & ((uint64_t{1} << kDropped) - 1);
    inexact = rest != 0;
    const bool up =
        rounds_up(env.rounding, x.sign, rest, uint64_t{1} << (kDropped - 1), (kept & 1) != 0);
    return kept + (up ? 1 : 0);
  };
  bool inexact = false;
  const uint64_t free = rounded(x.significand, inexact);
  const int32_t exponent = biased + static_cast<int32_t>(free >> (kHalfFractionBits + 1));
  if (exponent >= kHalfMaxBiased) {
    env.raise(env.masked(kOverflow) || inexact ? kOverflow | kInexact : kOverflow);
    const bool infinite = rounds_up(env.rounding, x.sign, kTopBit + 1, kTopBit, true);
    return infinite ? kHalfInfinity : kHalfInfinity - 1;
  }
  if (biased >= 1) {
    if (inexact) env.raise(kInexact);
    return static_cast<uint16_t>((static_cast<uint64_t>(biased - 1) << kHalfFractionBits) + free);
  }
  const bool tiny = exponent < 1;
  if (tiny && !env.masked(kUnderflow)) {
    env.raise(inexact ? kUnderflow | kInexact : kUnderflow);
    return 0;
  }
  const uint64_t shifted = shift_right_jam(x.significand, static_cast<uint32_t>(1 - biased));
  const uint64_t denormal = rounded(shifted, inexact);
  if (inexact) env.raise(tiny ? kUnderflow | kInexact : kInexact);
  return static_cast<uint16_t>(denormal);
}

}  // namespace

template <SignedInteger I, Float T>
I to_integer(Env& env, T x, Rounding rounding) {
  constexpr I kIndefinite = std::numeric_limits<I>::min();
  constexpr uint64_t kLargest = static_cast<uint64_t>(std::numeric_limits<I>::max());
  if (is_unsupported(x) || is_nan(x) || is_infinite(x)) {
    env.raise(kInvalid);
    return kIndefinite;
  }
  const Number number = unpack(flush_operand(env, x));
  const Integer integer = round_to_integer(number, rounding);
  if (integer.overflow || integer.magnitude > kLargest + (number.sign ? 1 : 0)) {
    env.raise(kInvalid);
    return kIndefinite;
  }
  if (integer.inexact) env.raise(kInexact);
  env.rounded_up = integer.up;
  const uint64_t value = number.sign ? 0 - integer.magnitude : integer.magnitude;
  return static_cast<I>(static_cast<int64_t>(value));
}

template <Float T>
T from_integer(Env& env, int64_t value) {
  const bool sign = value < 0;
  const uint64_t bits = static_cast<uint64_t>(value);
  const Unrounded exact = normalize(sign, 63, join(sign ? 0 - bits : bits, 0));
  if constexpr (Binary<T>) {
    return value == 0 ? T{0} : round_to<T>(env, exact);
  } else {
    return value == 0 ? F80{} : round_to_extended(env, exact, Precision::extended);
  }
}

uint64_t to_binary64(Env& env, uint32_t x) { return convert<uint64_t>(env, x); }
uint32_t to_binary32(Env& env, uint64_t x) { return convert<uint32_t>(env, x); }

template <Binary T>
T store(Env& env, F80 x) {
  if (is_unsupported(x)) return invalid<T>(env);
  if (is_nan(x)) {
    if (is_signaling(x)) env.raise(kInvalid);
    return quiet_nan<T>({sign_of(x), x.significand & ~kTopBit});
  }
  if (is_infinite(x)) return signed_infinity<T>(sign_of(x));
  const T result = round_to<T>(env, widen(unpack(x)));
  // SDM "Inexact-Result (Precision) Exception (#P)": not reported, and C1 cleared, when a memory
  // destination is not written for an unmasked overflow or underflow.
  if ((env.unmasked() & (kOverflow | kUnderflow)) != 0) {
    env.flags = static_cast<uint8_t>(env.flags & ~kInexact);
    env.rounded_up = false;
  }
  return result;
}

template <Binary T>
F80 memory_operand(Env& env, T x) {
  env.source_denormal = is_denormal(x);
  if (is_nan(x)) {
    const Payload nan = payload(x);
    return with_sign(F80{nan.fraction | kTopBit, Format<F80>::kExponent}, nan.sign);
  }
  if (is_infinite(x)) return signed_infinity<F80>(sign_of(x));
  if (is_zero(x)) return signed_zero<F80>(sign_of(x));
  const Number number = unpack(x);
  const int32_t biased = number.exponent + Format<F80>::kBias;
  return with_sign(F80{number.significand, static_cast<uint16_t>(biased)}, number.sign);
}

template <Binary T>
F80 load(Env& env, T x) {
  const F80 value = memory_operand(env, x);
  if (env.source_denormal) env.raise(kDenormal);
  env.source_denormal = false;
  if (!is_signaling(value)) return value;
  env.raise(kInvalid);
  return quieted(value);
}

uint32_t from_half(Env& env, uint16_t x) {
  const bool sign = (x & kHalfSign) != 0;
  const uint16_t fraction = x & kHalfFraction;
  const uint64_t justified = static_cast<uint64_t>(fraction) << (63 - kHalfFractionBits);
  const int32_t biased = (x & kHalfInfinity) >> kHalfFractionBits;
  if (biased == kHalfMaxBiased) {
    if (fraction == 0) return signed_infinity<uint32_t>(sign);
    if ((x & kHalfQuiet) == 0) env.raise(kInvalid);
    return quiet_nan<uint32_t>({sign, justified});
  }
  // Every binary16 number is a normal binary32 number.
  const Unrounded exact = biased == 0
                              ? normalize(sign, 1 - kHalfBias, join(justified, 0))
                              : Unrounded{sign, biased - kHalfBias, join(justified | kTopBit, 0)};
  return round_to<uint32_t>(env, exact);
}

uint16_t to_half(Env& env, uint32_t x) {
  const uint16_t sign = sign_of(x) ? kHalfSign : uint16_t{0};
  if (is_nan(x)) {
    if (is_signaling(x)) env.raise(kInvalid);
    const uint64_t fraction = payload(x).fraction >> (63 - kHalfFractionBits);
    return static_cast<uint16_t>(sign | kHalfInfinity | kHalfQuiet | fraction);
  }
  x = flush_operand(env, x);
  if (is_infinite(x)) return sign | kHalfInfinity;
  if (is_zero(x)) return sign;
  if (is_denormal(x)) env.raise(kDenormal);
  if (env.stops_before_computation()) return sign;
  const uint16_t rounded = round_to_half(env, unpack(x));
  return sign | rounded;
}

template <Float T>
T round_to_integral(Env& env, T x, Rounding rounding, bool report_inexact) {
  if (is_unsupported(x)) return invalid<T>(env);
  if (is_nan(x)) return propagate_nan(env, x, x);
  x = flush_operand(env, x);
  if constexpr (!Binary<T>) {
    if (is_denormal(x)) env.raise(kDenormal);
    if (env.stops_before_computation()) return x;
  }
  const Number number = unpack(x);
  if (is_infinite(x) || number.exponent >= Format<T>::kPrecision - 1) return x;
  const Integer integer = round_to_integer(number, rounding);
  if (integer.inexact && report_inexact) env.raise(kInexact);
  const Unrounded whole = normalize(number.sign, 63, join(integer.magnitude, 0));
  T result = signed_zero<T>(number.sign);
  if (integer.magnitude != 0) {
    if constexpr (Binary<T>) {
      result = round_to<T>(env, whole);
    } else {
      result = round_to_extended(env, whole, Precision::extended);
    }
  }
  env.rounded_up = integer.up;
  return result;
}

template int32_t to_integer(Env&, uint32_t, Rounding);
template int64_t to_integer(Env&, uint32_t, Rounding);
template int32_t to_integer(Env&, uint64_t, Rounding);
template int64_t to_integer(Env&, uint64_t, Rounding);
template int16_t to_integer(Env&, F80, Rounding);
template int32_t to_integer(Env&, F80, Rounding);
template int64_t to_integer(Env&, F80, Rounding);
template uint32_t from_integer(Env&, int64_t);
template uint64_t from_integer(Env&, int64_t);
template F80 from_integer(Env&, int64_t);
template uint32_t store(Env&, F80);
template uint64_t store(Env&, F80);
template F80 load(Env&, uint32_t);
template F80 load(Env&, uint64_t);
template F80 memory_operand(Env&, uint32_t);
template F80 memory_operand(Env&, uint64_t);
template uint32_t round_to_integral(Env&, uint32_t, Rounding, bool);
template uint64_t round_to_integral(Env&, uint64_t, Rounding, bool);
template F80 round_to_integral(Env&, F80, Rounding, bool);

}  // namespace vitrine::emu::softfloat
