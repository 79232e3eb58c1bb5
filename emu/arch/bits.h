// bit() and bits(): the only shifts that the tables of this folder need.
#pragma once

#include <cstdint>

namespace vitrine::emu::arch {

/// The value with only bit `n` set.
constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }

/// Bits high:low of `value`, moved down to bit 0.
constexpr uint64_t bits(uint64_t value, unsigned high, unsigned low) {
  const unsigned width = high - low + 1;
  return (value >> low) & (width == 64 ? ~uint64_t{0} : bit(width) - 1);
}

}  // namespace vitrine::emu::arch
