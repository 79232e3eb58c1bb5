// The arithmetic flags, kept as the last result and its carries; RFLAGS is made from them when asked for.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "emu/arch/registers.h"

namespace vitrine::emu {

/// CF PF AF ZF SF OF in two words. `result` is the last result, sign-extended to 64 bits: it gives
/// ZF, SF and PF. `carries` holds: bit 63 CF, bit 62 CF xor OF, bit 4 AF, bit 0 SF xor sign(result),
/// bits 15:8 a byte xored into the low byte of the result before its parity is taken.
/// The same six flags can be spelled in several ways: compare, hash and save canonical() only.
struct Flags {
  uint64_t result = 1;
  uint64_t carries = 0;

  static constexpr uint64_t kCf = uint64_t{1} << 63;
  static constexpr uint64_t kCfXorOf = uint64_t{1} << 62;
  static constexpr uint64_t kAf = uint64_t{1} << 4;

  constexpr bool cf() const { return (carries >> 63) != 0; }
  constexpr bool of() const { return ((carries ^ (carries << 1)) >> 63) != 0; }
  constexpr bool af() const { return (carries & kAf) != 0; }
  constexpr bool zf() const { return result == 0; }
  constexpr bool sf() const { return ((result >> 63) ^ (carries & 1)) != 0; }
  constexpr bool pf() const {
    return (std::popcount(static_cast<uint8_t>(result ^ (carries >> 8))) & 1) == 0;
  }

  /// The six flags at their places in RFLAGS.
  constexpr uint64_t arithmetic() const {
    return uint64_t{cf()} | uint64_t{pf()} << 2 | uint64_t{af()} << 4 | uint64_t{zf()} << 6 |
           uint64_t{sf()} << 7 | uint64_t{of()} << 11;
  }

  /// Sets all six from an RFLAGS image; other bits are ignored.
  constexpr void set_arithmetic(uint64_t image) {
    const bool zero = (image & arch::rflags::zf) != 0;
    const bool sign = (image & arch::rflags::sf) != 0;
    const bool even = (image & arch::rflags::pf) != 0;
    const bool carry = (image & arch::rflags::cf) != 0;
    const bool overflow = (image & arch::rflags::of) != 0;
    result = zero ? 0 : 2;  // 0 has even parity, 2 odd; both are non-negative
    const bool result_even = zero;
    carries = (carry ? kCf : 0) | (carry != overflow ? kCfXorOf : 0) |
              (image & arch::rflags::af) | uint64_t{sign} | (even != result_even ? 0x100u : 0u);
  }

  template <std::unsigned_integral T>
  static constexpr uint64_t sign_extend(T value) {
    return static_cast<uint64_t>(static_cast<int64_t>(static_cast<std::make_signed_t<T>>(value)));
  }

  /// Flags of `a + b (+ carry in) = r` at width T.
  template <std::unsigned_integral T>
  constexpr void set_add(T a, T b, T r) {
    set_carry_vector<T>(r, static_cast<T>((a & b) | ((a | b) & static_cast<T>(~r))));
  }
  /// Flags of `a - b (- borrow in) = r` at width T.
  template <std::unsigned_integral T>
  constexpr void set_sub(T a, T b, T r) {
    const auto na = static_cast<T>(~a);
    set_carry_vector<T>(r, static_cast<T>((na & b) | ((na | b) & r)));
  }
  /// AND, OR, XOR, TEST: CF = OF = AF = 0. AF is undefined in the SDM; 0 is what silicon gives.
  template <std::unsigned_integral T>
  constexpr void set_logic(T r) {
    result = sign_extend(r);
    carries = 0;
  }
  /// INC, DEC: as add or sub of 1, CF kept.
  template <std::unsigned_integral T>
  constexpr void set_inc(T a, T r) {
    const bool carry = cf();
    set_add<T>(a, T{1}, r);
    set_cf(carry);
  }
  template <std::unsigned_integral T>
  constexpr void set_dec(T a, T r) {
    const bool carry = cf();
    set_sub<T>(a, T{1}, r);
    set_cf(carry);
  }
  /// ZF, SF, PF of a result with CF, OF and AF as given.
  template <std::unsigned_integral T>
  constexpr void set(T r, bool carry, bool overflow, bool auxiliary) {
    result = sign_extend(r);
    carries = (carry ? kCf : 0) | (carry != overflow ? kCfXorOf : 0) | (auxiliary ? kAf : 0);
  }
  /// CF alone; the other five keep their values.
  constexpr void set_cf(bool carry) {
    const bool overflow = of();
    carries = (carries & ~(kCf | kCfXorOf)) | (carry ? kCf : 0) |
              (carry != overflow ? kCfXorOf : 0);
  }

 private:
  template <std::unsigned_integral T>
  constexpr void set_carry_vector(T r, T carry_out) {
    constexpr unsigned width = sizeof(T) * 8;
    result = sign_extend(r);
    // Bits width-1 and width-2 of the carries are CF and the carry into the sign; bit 3 is AF.
    const uint64_t top = static_cast<uint64_t>(carry_out) << (64 - width);
    carries = (top & kCf) | (top & kCfXorOf) | ((static_cast<uint64_t>(carry_out) & 8) << 1);
    // CF xor OF = carry into the sign: OF = CF xor carry-in, so CF xor OF = carry-in.
  }
};

}  // namespace vitrine::emu
