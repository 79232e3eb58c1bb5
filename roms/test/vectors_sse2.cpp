// The floating-point workloads with SSE2.
#include "roms/test/vectors.h"

#pragma clang attribute push(__attribute__((target("sse2"))), apply_to = function)
#include "roms/test/vectors_work.h"

namespace vitrine::kit {

std::uint64_t matrix_sse2(std::uint64_t rounds) { return multiply_often(rounds); }
std::uint64_t bodies_sse2(std::uint64_t rounds) { return advance_often(rounds); }

}  // namespace vitrine::kit
#pragma clang attribute pop
