// Conversions between the floating-point formats and integers, and rounding to an integral value.
#pragma once

#include <concepts>
#include <cstdint>

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

template <class I>
concept SignedInteger =
    std::same_as<I, int16_t> || std::same_as<I, int32_t> || std::same_as<I, int64_t>;

// CVTSD2SI and FIST with env.rounding, CVTTSD2SI and FISTTP with toward_zero. NaNs, infinities and
// values out of range are invalid and give the integer indefinite, the most negative integer.
template <SignedInteger I, Float T>
[[nodiscard]] I to_integer(Env& env, T x, Rounding rounding);

// CVTSI2SD, FILD (exact in F80).
template <Float T>
[[nodiscard]] T from_integer(Env& env, int64_t value);

// CVTSS2SD, CVTSD2SS.
[[nodiscard]] uint64_t to_binary64(Env& env, uint32_t x);
[[nodiscard]] uint32_t to_binary32(Env& env, uint64_t x);

// FST m32fp and m64fp. With an unmasked overflow or underflow nothing is to be written.
template <Binary T>
[[nodiscard]] T store(Env& env, F80 x);
// FLD m32fp and m64fp. An unmasked denormal exception does not keep the value from being pushed; an
// unmasked invalid one does.
template <Binary T>
[[nodiscard]] F80 load(Env& env, T x);
// The memory operand of FADD m64fp and its like: exact and without exceptions, a signaling NaN
// still signals; sets env.source_denormal for the operation that follows.
template <Binary T>
[[nodiscard]] F80 memory_operand(Env& env, T x);

// VCVTPH2PS ignores MXCSR.DAZ and reports no denormals; VCVTPS2PH ignores FTZ. env.rounding is
// MXCSR.RC or what imm8 asks for.
[[nodiscard]] uint32_t from_half(Env& env, uint16_t x);
[[nodiscard]] uint16_t to_half(Env& env, uint32_t x);

// ROUNDSS and, on F80, FRNDINT. report_inexact is the complement of imm8[3].
template <Float T>
[[nodiscard]] T round_to_integral(Env& env, T x, Rounding rounding, bool report_inexact);

}  // namespace vitrine::emu::softfloat
