// RCPSS and RSQRTSS: our one canonical value for what the manual only bounds.
#pragma once

#include <cstdint>

namespace vitrine::emu::softfloat {

// The manual allows any result with a relative error of at most 1.5 x 2^-12. Ours is the exact
// reciprocal (of the square root) rounded to a significand of 12 bits, ties to even: an error of at
// most 2^-12, monotonic, the same on every host. No flags; MXCSR has no effect. Denormal operands
// count as zeros of their sign, tiny results become zeros.
[[nodiscard]] uint32_t reciprocal_estimate(uint32_t x);
[[nodiscard]] uint32_t reciprocal_root_estimate(uint32_t x);

}  // namespace vitrine::emu::softfloat
