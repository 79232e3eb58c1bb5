// Comparison: the relation of two values, and the SSE and AVX compare predicates.
#pragma once

#include <cstdint>

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

enum class Relation : uint8_t { less, equal, greater, unordered };

// signaling: a quiet NaN is invalid too (COMISS, FCOM); otherwise only a signaling one (UCOMISS,
// FUCOM).
template <Float T>
[[nodiscard]] Relation compare(Env& env, T a, T b, bool signaling);

// CMPSS and VCMPSS, predicate = imm8[4:0]; the SSE forms use imm8[2:0].
template <Binary T>
[[nodiscard]] bool holds(Env& env, T a, T b, uint8_t predicate);

}  // namespace vitrine::emu::softfloat
