// The x87 transcendental instructions, in integers: the same result on every host.
#pragma once

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

// SDM "Transcendental Instruction Accuracy" allows an error of less than one unit in the last
// place. These compute about 120 bits and round once, as FCW.RC says; FCW.PC has no effect.

// FSIN, FCOS, FSINCOS, FPTAN. out_of_range is C2: |x| >= 2^63, and the operand stays. The argument
// is reduced by the 66-bit pi of SDM "Approximation of Pi", exactly.
struct Trigonometric {
  F80 value;
  bool out_of_range;
};
[[nodiscard]] Trigonometric sine(Env& env, F80 x);
[[nodiscard]] Trigonometric cosine(Env& env, F80 x);
// FPTAN pushes 1.0 after it, or the same NaN again.
[[nodiscard]] Trigonometric tangent(Env& env, F80 x);

// FSINCOS: the sine replaces ST(0), then the cosine is pushed; C1 is the sine's.
struct SineCosine {
  F80 sine;
  F80 cosine;
  bool out_of_range;
};
[[nodiscard]] SineCosine sine_and_cosine(Env& env, F80 x);

// FPATAN: the angle of the point with x = ST(0) and y = ST(1).
[[nodiscard]] F80 arc_tangent(Env& env, F80 y, F80 x);

// F2XM1: 2^x - 1 for -1 <= x <= 1. The manual leaves the rest undefined; there it is x itself, with
// -1 for negative infinity.
[[nodiscard]] F80 power_minus_one(Env& env, F80 x);

// FYL2X: y x log2(x) with x = ST(0), y = ST(1).
[[nodiscard]] F80 logarithm(Env& env, F80 y, F80 x);

// FYL2XP1: y x log2(x + 1). The manual defines it for |x| up to 1 - sqrt(1/2); outside it is still
// that function, with -1 a pole and anything below invalid.
[[nodiscard]] F80 logarithm_plus_one(Env& env, F80 y, F80 x);

}  // namespace vitrine::emu::softfloat
