// The floating-point workloads with AVX2 and FMA.
#include "roms/bench/vectors.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

namespace vitrine::bench {
namespace {

inline double square_root(double value) {
  double root = 0;
  asm("vsqrtsd %1, %1, %0" : "=x"(root) : "x"(value));
  return root;
}

}  // namespace
}  // namespace vitrine::bench

#include "roms/bench/vectors_work.h"

namespace vitrine::bench {

std::uint64_t matrix_avx2(std::uint64_t rounds) { return multiply_often(rounds); }
std::uint64_t bodies_avx2(std::uint64_t rounds) { return advance_often(rounds); }

}  // namespace vitrine::bench
#pragma clang attribute pop
