// Seeded operands that favour the edges: denormals, NaN payloads, limits, near ties and
// cancellation.
#pragma once

#include <cstdint>

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat {

class Operands {
 public:
  explicit Operands(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    state_ += 0x9e37'79b9'7f4a'7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>((bits() >> 32) * limit >> 32); }

  template <Binary T>
  T value() {
    using F = Format<T>;
    const bool sign = (bits() & 1) != 0;
    const uint32_t kind = below(64);
    if (kind == 0) return signed_zero<T>(sign);
    if (kind == 1) return signed_infinity<T>(sign);
    int32_t biased = 0;
    if (kind < 5) {
      biased = F::kMaxBiased;
    } else if (kind < 10) {
      biased = 0;
    } else if (kind < 14) {
      biased = 1 + static_cast<int32_t>(below(3));
    } else if (kind < 18) {
      biased = F::kMaxBiased - 1 - static_cast<int32_t>(below(3));
    } else if (kind < 22) {
      biased = static_cast<int32_t>(bits() & static_cast<uint32_t>(F::kMaxBiased));
    } else if (kind < 40) {
      biased = F::kBias + static_cast<int32_t>(below(9)) - 4;
    } else if (kind < 48) {
      biased = F::kBias + static_cast<int32_t>(below(2 * F::kPrecision + 8)) - F::kPrecision;
    } else if (kind < 54) {
      biased = F::kBias / 2 + static_cast<int32_t>(below(5)) - 2;
    } else if (kind < 58) {
      biased = F::kBias + F::kBias / 2 + static_cast<int32_t>(below(5)) - 2;
    } else {
      biased = F::kBias + 29 + static_cast<int32_t>(below(37));
    }
    const T fraction = static_cast<T>(significand() >> 1 >> (63 - F::kFractionBits)) & F::kFraction;
    const T exponent = static_cast<T>(static_cast<T>(biased) << F::kFractionBits);
    return with_sign(static_cast<T>(exponent | fraction), sign);
  }

  F80 extended() {
    using F = Format<F80>;
    const bool sign = (bits() & 1) != 0;
    const uint32_t kind = below(64);
    if (kind == 0) return signed_zero<F80>(sign);
    if (kind == 1) return signed_infinity<F80>(sign);
    uint64_t fraction = significand();
    if (kind == 2) return with_sign(F80{fraction, static_cast<uint16_t>(bits())}, sign);
    int32_t biased = 0;
    bool integer_bit = true;
    if (kind < 6) {
      biased = F::kMaxBiased;
    } else if (kind < 11) {
      integer_bit = below(8) == 0;
      if (below(2) == 0) fraction >>= below(64);
    } else if (kind < 15) {
      biased = 1 + static_cast<int32_t>(below(3));
    } else if (kind < 19) {
      biased = F::kMaxBiased - 1 - static_cast<int32_t>(below(3));
    } else if (kind < 23) {
      biased = static_cast<int32_t>(bits() & 0x7fff);
    } else if (kind < 40) {
      biased = F::kBias + static_cast<int32_t>(below(9)) - 4;
    } else if (kind < 48) {
      biased = F::kBias + static_cast<int32_t>(below(150)) - 70;
    } else if (kind < 52) {
      biased = F::kBias / 2 + static_cast<int32_t>(below(5)) - 2;
    } else if (kind < 56) {
      biased = F::kBias + F::kBias / 2 + static_cast<int32_t>(below(5)) - 2;
    } else if (kind < 60) {
      const int32_t range = below(2) == 0 ? 1023 : 127;
      biased = F::kBias + (below(2) == 0 ? range : -range) + static_cast<int32_t>(below(60)) - 30;
    } else {
      biased = F::kBias + 10 + static_cast<int32_t>(below(56));
    }
    fraction = integer_bit ? fraction | kTopBit : fraction & ~kTopBit;
    if (biased == 0 && fraction == 0) fraction = 1;
    return with_sign(F80{fraction, static_cast<uint16_t>(biased)}, sign);
  }

  // A value that is another's near neighbour, so that sums cancel and comparisons are close.
  template <Binary T>
  T near(T x) {
    switch (below(6)) {
      case 0: return static_cast<T>(x ^ Format<T>::kSign);
      case 1: return static_cast<T>((x ^ Format<T>::kSign) + below(3) - 1);
      case 2: return static_cast<T>(x + below(5) - 2);
      default: return value<T>();
    }
  }
  F80 near(F80 x) {
    const uint32_t kind = below(6);
    if (kind > 2) return extended();
    F80 y = with_sign(x, sign_of(x) != (kind < 2));
    if (kind > 0 && is_ordinary(x)) y.significand = (x.significand + below(5) - 2) | kTopBit;
    return y;
  }

 private:
  // Bit patterns with long runs are what carries, ties and sticky bits depend on.
  uint64_t significand() {
    const uint64_t random = bits();
    const uint32_t cut = below(64);
    switch (below(8)) {
      case 0: return 0;
      case 1: return ~uint64_t{0};
      case 2: return random >> cut << cut;
      case 3: return uint64_t{1} << cut;
      case 4: return ~uint64_t{0} << cut;
      case 5: return (random << 32) | (random >> 63);
      case 6: return (uint64_t{1} << cut) - 1;
      default: return random;
    }
  }

  uint64_t state_;
};

}  // namespace vitrine::emu::softfloat
