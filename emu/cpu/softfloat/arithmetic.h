// Add, subtract, multiply, divide and square root in all three formats; fused multiply-add, minimum
// and maximum in the two SSE formats.
#pragma once

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

// SSE, AVX and, on F80, x87. The operand order is the instruction's: a op b.
template <Float T>
[[nodiscard]] T add(Env& env, T a, T b);
template <Float T>
[[nodiscard]] T sub(Env& env, T a, T b);
template <Float T>
[[nodiscard]] T mul(Env& env, T a, T b);
template <Float T>
[[nodiscard]] T div(Env& env, T a, T b);
template <Float T>
[[nodiscard]] T sqrt(Env& env, T a);

// a x b + c with one rounding. FMSUB, FNMADD and FNMSUB ask to negate the product or the addend,
// which leaves a NaN's sign alone.
struct FusedSigns {
  bool negate_product = false;
  bool negate_addend = false;
};
template <Binary T>
[[nodiscard]] T fma(Env& env, T a, T b, T c, FusedSigns signs = {});

// MINSS, MAXSS: the second operand if either is a NaN or both are zeros.
template <Binary T>
[[nodiscard]] T min(Env& env, T a, T b);
template <Binary T>
[[nodiscard]] T max(Env& env, T a, T b);

}  // namespace vitrine::emu::softfloat
