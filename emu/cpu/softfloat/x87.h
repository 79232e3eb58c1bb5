// The x87 operations that are not plain arithmetic: remainders, scaling, extraction, packed
// decimal.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

// FPREM and FPREM1: ST(0) reduced by ST(1). partial is C2; quotient holds the low three bits of the
// quotient, bit 0 for C1, bit 1 for C3, bit 2 for C0, and is 0 when partial. divided is false where
// there is no quotient at all: NaNs and invalid operands.
struct Remainder {
  F80 value;
  bool partial;
  uint8_t quotient;
  bool divided = true;
};
[[nodiscard]] Remainder remainder_truncating(Env& env, F80 a, F80 b);
[[nodiscard]] Remainder remainder_nearest(Env& env, F80 a, F80 b);

// FSCALE: a x 2^trunc(b).
[[nodiscard]] F80 scale(Env& env, F80 a, F80 b);

// FXTRACT: the exponent replaces ST(0), then the significand is pushed.
struct Extracted {
  F80 exponent;
  F80 significand;
};
[[nodiscard]] Extracted extract(Env& env, F80 a);

// FBLD and FBSTP: 18 digits, two to a byte, least first; the sign is bit 7 of the last byte.
using PackedDecimal = std::array<uint8_t, 10>;
[[nodiscard]] F80 from_decimal(const PackedDecimal& decimal);
[[nodiscard]] PackedDecimal to_decimal(Env& env, F80 a);

// FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2: rounded as RC says from a longer constant, without flags.
enum class Constant : uint8_t { log2_10, log2_e, pi, log10_2, ln_2 };
[[nodiscard]] F80 constant(const Env& env, Constant which);

}  // namespace vitrine::emu::softfloat
