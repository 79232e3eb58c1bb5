// The three x86 floating-point formats: classes, NaN rules, unpacking, and rounding back into them.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

#include "emu/cpu/softfloat/environment.h"
#include "emu/cpu/softfloat/number.h"

namespace vitrine::emu::softfloat {

// x87 double extended: explicit integer bit, sign in bit 15 of sign_exponent.
struct F80 {
  uint64_t significand = 0;
  uint16_t sign_exponent = 0;

  friend constexpr bool operator==(const F80&, const F80&) = default;
};

// binary32 and binary64 values are their bit patterns; the type tells the format.
template <class T>
concept Binary = std::same_as<T, uint32_t> || std::same_as<T, uint64_t>;
template <class T>
concept Float = Binary<T> || std::same_as<T, F80>;

template <class T>
struct Format;

template <Binary T>
struct Format<T> {
  static constexpr int kPrecision = sizeof(T) == 4 ? 24 : 53;
  static constexpr int kFractionBits = kPrecision - 1;
  static constexpr int32_t kBias = sizeof(T) == 4 ? 127 : 1023;
  static constexpr int32_t kMaxBiased = 2 * kBias + 1;
  static constexpr T kSign = T{1} << (8 * sizeof(T) - 1);
  static constexpr T kFraction = (T{1} << kFractionBits) - 1;
  static constexpr T kInfinity = static_cast<T>(T{kMaxBiased} << kFractionBits);
  static constexpr T kQuiet = T{1} << (kFractionBits - 1);
  // SDM "QNaN Floating-Point Indefinite".
  static constexpr T kIndefinite = kSign | kInfinity | kQuiet;
};

template <>
struct Format<F80> {
  static constexpr int kPrecision = 64;
  static constexpr int32_t kBias = 16383;
  static constexpr int32_t kMaxBiased = 32767;
  static constexpr uint16_t kSign = 0x8000;
  static constexpr uint16_t kExponent = 0x7fff;
  static constexpr uint64_t kQuiet = uint64_t{1} << 62;
  static constexpr F80 kIndefinite = {0xc000'0000'0000'0000, 0xffff};
  // SDM "Numeric Overflow Exception (#O)": unmasked, the exponent is wrapped by 3 x 2^13.
  static constexpr int32_t kBiasAdjust = 24576;
};

// Classes of binary32 and binary64.
template <Binary T>
[[nodiscard]] constexpr int32_t biased_exponent(T x) {
  return static_cast<int32_t>(x >> Format<T>::kFractionBits) & Format<T>::kMaxBiased;
}
template <Binary T>
[[nodiscard]] constexpr bool sign_of(T x) {
  return x >> (8 * sizeof(T) - 1);
}
template <Binary T>
[[nodiscard]] constexpr T magnitude(T x) {
  return static_cast<T>(x & ~Format<T>::kSign);
}
template <Binary T>
[[nodiscard]] constexpr bool is_nan(T x) {
  return magnitude(x) > Format<T>::kInfinity;
}
template <Binary T>
[[nodiscard]] constexpr bool is_signaling(T x) {
  return is_nan(x) && (x & Format<T>::kQuiet) == 0;
}
template <Binary T>
[[nodiscard]] constexpr bool is_infinite(T x) {
  return magnitude(x) == Format<T>::kInfinity;
}
template <Binary T>
[[nodiscard]] constexpr bool is_zero(T x) {
  return magnitude(x) == 0;
}
template <Binary T>
[[nodiscard]] constexpr bool is_denormal(T x) {
  return biased_exponent(x) == 0 && !is_zero(x);
}
template <Binary T>
[[nodiscard]] constexpr bool is_unsupported(T) {
  return false;
}
// Neither zero, denormal, infinite nor NaN: the case worth a fast path.
template <Binary T>
[[nodiscard]] constexpr bool is_ordinary(T x) {
  return static_cast<uint32_t>(biased_exponent(x) - 1) <
         static_cast<uint32_t>(Format<T>::kMaxBiased - 1);
}
template <Binary T>
[[nodiscard]] constexpr T quieted(T x) {
  return x | Format<T>::kQuiet;
}
template <Binary T>
[[nodiscard]] constexpr T with_sign(T value, bool sign) {
  return static_cast<T>(magnitude(value) | (sign ? Format<T>::kSign : T{0}));
}

// Classes of the extended format, SDM "x87 FPU Data Types", "Unsupported Double Extended-Precision
// Floating-Point Encodings".
[[nodiscard]] constexpr int32_t biased_exponent(F80 x) { return x.sign_exponent & 0x7fff; }
[[nodiscard]] constexpr bool sign_of(F80 x) { return (x.sign_exponent & 0x8000) != 0; }
[[nodiscard]] constexpr bool is_unsupported(F80 x) {
  return biased_exponent(x) != 0 && (x.significand & kTopBit) == 0;
}
[[nodiscard]] constexpr bool is_nan(F80 x) {
  return biased_exponent(x) == 0x7fff && x.significand > kTopBit;
}
[[nodiscard]] constexpr bool is_signaling(F80 x) {
  return is_nan(x) && (x.significand & Format<F80>::kQuiet) == 0;
}
[[nodiscard]] constexpr bool is_infinite(F80 x) {
  return biased_exponent(x) == 0x7fff && x.significand == kTopBit;
}
[[nodiscard]] constexpr bool is_zero(F80 x) {
  return biased_exponent(x) == 0 && x.significand == 0;
}
// Includes the pseudo-denormals, whose integer bit is set.
[[nodiscard]] constexpr bool is_denormal(F80 x) {
  return biased_exponent(x) == 0 && x.significand != 0;
}
[[nodiscard]] constexpr bool is_ordinary(F80 x) {
  return (x.significand & kTopBit) != 0 && biased_exponent(x) != 0 && biased_exponent(x) != 0x7fff;
}
[[nodiscard]] constexpr F80 quieted(F80 x) {
  return {x.significand | Format<F80>::kQuiet, x.sign_exponent};
}
[[nodiscard]] constexpr F80 with_sign(F80 x, bool sign) {
  return {x.significand, static_cast<uint16_t>(biased_exponent(x) | (sign ? 0x8000 : 0))};
}

template <Float T>
[[nodiscard]] constexpr T signed_infinity(bool sign) {
  if constexpr (Binary<T>) {
    return with_sign(Format<T>::kInfinity, sign);
  } else {
    return with_sign(F80{kTopBit, 0x7fff}, sign);
  }
}
template <Float T>
[[nodiscard]] constexpr T signed_zero(bool sign) {
  return with_sign(T{}, sign);
}

// A finite value, normalized.
template <Binary T>
[[nodiscard]] constexpr Number unpack(T x) {
  using F = Format<T>;
  const int32_t biased = biased_exponent(x);
  const uint64_t fraction = static_cast<uint64_t>(x & F::kFraction) << (64 - F::kPrecision);
  if (biased != 0) return {sign_of(x), biased - F::kBias, fraction | kTopBit};
  if (fraction == 0) return {sign_of(x), kZeroExponent, 0};
  const int shift = std::countl_zero(fraction);
  return {sign_of(x), 1 - F::kBias - shift, fraction << shift};
}
[[nodiscard]] constexpr Number unpack(F80 x) {
  if (x.significand == 0) return {sign_of(x), kZeroExponent, 0};
  const int32_t biased = biased_exponent(x) == 0 ? 1 : biased_exponent(x);
  const int shift = std::countl_zero(x.significand);
  return {sign_of(x), biased - Format<F80>::kBias - shift, x.significand << shift};
}

template <Float T>
[[nodiscard]] constexpr T invalid(Env& env) {
  env.raise(kInvalid);
  return Format<T>::kIndefinite;
}

// The NaN an instruction with a NaN operand returns, SDM "Rules for Handling NaNs". SSE takes the
// first operand that is a NaN.
template <Binary T>
[[nodiscard]] constexpr T propagate_nan(Env& env, T a, T b) {
  if (is_signaling(a) || is_signaling(b)) env.raise(kInvalid);
  return quieted(is_nan(a) ? a : b);
}
// x87 prefers the larger significand, hence a quiet NaN to a signaling one, then the positive sign.
[[nodiscard]] constexpr F80 propagate_nan(Env& env, F80 a, F80 b) {
  if (is_signaling(a) || is_signaling(b)) env.raise(kInvalid);
  if (!is_nan(a)) return quieted(b);
  if (!is_nan(b)) return quieted(a);
  if (a.significand != b.significand) return quieted(a.significand > b.significand ? a : b);
  return quieted(sign_of(a) ? b : a);
}

template <Float T>
[[nodiscard]] constexpr T flush_operand(const Env& env, T x) {
  return env.daz && is_denormal(x) ? signed_zero<T>(sign_of(x)) : x;
}

// The out-of-range cases of round_to below.
template <Binary T>
[[nodiscard]] T round_at_limit(Env& env, bool sign, int32_t biased, uint64_t significand);

// Rounds an exact result to binary32 or binary64, raising overflow, underflow and inexact.
template <Binary T>
[[nodiscard]] inline T round_to(Env& env, const Unrounded& x) {
  using F = Format<T>;
  constexpr int kDropped = 64 - F::kPrecision;
  if (x.significand == 0) return signed_zero<T>(x.sign);
  const uint64_t significand = high_half(x.significand) | (low_half(x.significand) != 0 ? 1 : 0);
  const int32_t biased = x.exponent + F::kBias;
  if (biased < 1 || biased > F::kMaxBiased - 2) {
    return round_at_limit<T>(env, x.sign, biased, significand);
  }
  const uint64_t kept = significand >> kDropped;
  const uint64_t rest = significand & ((uint64_t{1} << kDropped) - 1);
  const bool up =
      rounds_up(env.rounding, x.sign, rest, uint64_t{1} << (kDropped - 1), (kept & 1) != 0);
  if (rest != 0) env.raise(kInexact);
  env.rounded_up = up;
  // The integer bit of kept, and a carry out of it, add to the exponent field.
  const uint64_t packed =
      (static_cast<uint64_t>(biased - 1) << F::kFractionBits) + kept + (up ? 1 : 0);
  return static_cast<T>(packed) | (x.sign ? F::kSign : T{0});
}

// Rounds to the extended format's exponent range with a significand of the given size.
[[nodiscard]] F80 round_to_extended(Env& env, const Unrounded& x, Precision precision);

// The arithmetic instructions' rounding: only these obey FCW.PC, SDM "Precision Control Field".
template <Float T>
[[nodiscard]] inline T round_result(Env& env, const Unrounded& x) {
  if constexpr (Binary<T>) {
    return round_to<T>(env, x);
  } else {
    return round_to_extended(env, x, env.precision);
  }
}

}  // namespace vitrine::emu::softfloat
