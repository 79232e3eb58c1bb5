// The floating-point workloads with AVX2 and FMA.
#include "roms/test/vectors.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "roms/test/vectors_work.h"

namespace vitrine::kit {

std::uint64_t matrix_avx2(std::uint64_t rounds) { return multiply_often(rounds); }
std::uint64_t bodies_avx2(std::uint64_t rounds) { return advance_often(rounds); }

}  // namespace vitrine::kit
#pragma clang attribute pop
