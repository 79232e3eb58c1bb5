// The floating-point workloads with SSE2.
#include "roms/bench/vectors.h"

#pragma clang attribute push(__attribute__((target("sse2"))), apply_to = function)

namespace vitrine::bench {
namespace {

inline double square_root(double value) {
  double root = 0;
  asm("sqrtsd %1, %0" : "=x"(root) : "x"(value));
  return root;
}

}  // namespace
}  // namespace vitrine::bench

#include "roms/bench/vectors_work.h"

namespace vitrine::bench {

std::uint64_t matrix_sse2(std::uint64_t rounds) { return multiply_often(rounds); }
std::uint64_t bodies_sse2(std::uint64_t rounds) { return advance_often(rounds); }

}  // namespace vitrine::bench
#pragma clang attribute pop
