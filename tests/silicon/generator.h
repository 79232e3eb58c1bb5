// The case generator: instruction forms in a small notation, filled with seeded, edge-biased operands.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tests/silicon/harness.h"

namespace vitrine::test {

/// SplitMix64: the same cases from the same seed on every host.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return next() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  /// 0, ±1, sign boundaries of every width, small counts, or anything.
  uint64_t edge();

 private:
  uint64_t state_;
};

/// An instruction form. Notation, in this order:
///   bytes     opcode bytes in hexadecimal; f2, f3 or 66 in front is a mandatory prefix; `vex.PP.MM` (PP np, 66, f3,
///             f2; MM 0f, 38, 3a) stands before the opcode byte of a VEX form
///   +r        the register is in the low three bits of the opcode
///   /r /0-/7  a ModRM byte follows, its reg field free or fixed; `mem` or `reg` forbid the other kind of operand
///   ib iw id iz iq moffs rel8 relz   immediates; iz is 16 or 32 bits, iq up to 64
///   lock      may be locked when its operand is in memory
///   rep       a string instruction
///   stack     uses rSP and rBP as pointers
///   count     the last immediate, or CL, shifts: of a 16-bit operand seldom by 16 or more
///   a16       16-bit addresses in 32-bit code: for forms without an operand in memory
///   only32 only64   never, or only, in 64-bit code
///   no66      never with an operand-size prefix
///   w0 w1     VEX.W or REX.W fixed
///   v0        VEX.vvvv names no register
///   l1 lx     VEX.L is 1, or either; else it is 0
///   vsib      the operand in memory has a vector index
struct Form {
  std::string_view text;
  std::vector<uint8_t> prefix;
  std::vector<uint8_t> opcode;
  bool vex = false;
  uint8_t vex_pp = 0, vex_map = 0;
  bool modrm = false, fixed_reg = false, memory_allowed = true, register_allowed = true;
  uint8_t reg = 0;
  bool plus_r = false, lock = false, rep = false, stack = false, count = false, a16 = false,
       no66 = false;
  bool in32 = true, in64 = true;
  bool vsib = false, wide = false, narrow = true;  ///< VEX.L may be 1, may be 0
  int w = -1;
  std::vector<std::string_view> immediates;
};

Form parse_form(std::string_view text);

/// Fills a case of this form and the memory around its operand. `ours` and `host` get the same bytes.
Case make_case(const Form& form, Random& random, bool with_16_bit, std::span<uint8_t> ours,
               std::span<uint8_t> host);

/// A sequence of so many instructions in 64-bit code, from forms whose results depend on nothing but
/// registers, defined flags and memory. Operands in memory have absolute addresses.
Case make_sequence(std::span<const Form> forms, unsigned count, Random& random,
                   std::span<uint8_t> ours, std::span<uint8_t> host);

}  // namespace vitrine::test
