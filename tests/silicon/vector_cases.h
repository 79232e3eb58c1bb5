// Register contents for vector instructions: MXCSR, XMM, MMX and memory operands that favour edges.
#pragma once

#include <cstdint>
#include <span>

#include "tests/silicon/generator.h"
#include "tests/silicon/harness.h"

namespace vitrine::test {

/// Gives a case vector state and a 16-byte operand in memory. Lanes are floating-point edges,
/// integer edges, short alphabets with zeros, counts, or copies of each other.
void prepare_vectors(Case& c, Random& random, std::span<uint8_t> ours, std::span<uint8_t> host);

/// As above, with 32 bytes in memory, and with indices of gathers that mostly stay in the window.
void prepare_avx(Case& c, Random& random, std::span<uint8_t> ours, std::span<uint8_t> host);

}  // namespace vitrine::test
