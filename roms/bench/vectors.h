// The floating-point workloads in both instruction sets; answers are the bits of a result.
#pragma once

#include <cstdint>

namespace vitrine::bench {

std::uint64_t matrix_sse2(std::uint64_t rounds);
std::uint64_t bodies_sse2(std::uint64_t rounds);
std::uint64_t matrix_avx2(std::uint64_t rounds);
std::uint64_t bodies_avx2(std::uint64_t rounds);

}  // namespace vitrine::bench
