// Encoder: random bytes of instructions with the operands that programs have places for.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "tests/lockstep/program.h"

namespace vitrine::test {

class Encoder {
 public:
  explicit Encoder(uint64_t seed) : random(seed) {}

  Random random;
  std::vector<uint8_t> code;

  void bytes(std::initializer_list<unsigned> values) {
    for (const unsigned v : values) code.push_back(static_cast<uint8_t>(v));
  }
  void number(uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) code.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  uint64_t here() const { return Places::kCode + code.size(); }

  /// Any register but RSP and R15, which point to the stack and to the data.
  unsigned reg() {
    const auto r = static_cast<unsigned>(random.below(14));
    return r < 4 ? r : r + 1;
  }
  uint64_t operand() {
    constexpr std::array<uint64_t, 8> kEdges = {0,    1,          0x7F,       0x80,
                                                0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    return random.one_in(2) ? kEdges[random.below(kEdges.size())] : random.next();
  }

  /// Prefixes, opcode and ModRM: `reg_field` is a register or an opcode extension.
  void form(std::initializer_list<unsigned> opcode, unsigned reg_field, bool memory,
            bool byte_operand = false) {
    const bool word = !byte_operand && random.one_in(6);
    const bool wide = !word && random.one_in(2);
    if (memory && random.one_in(40)) bytes({0xF0});
    if (word) bytes({0x66});
    operand_bytes = byte_operand ? 1 : word ? 2 : 4;
    const unsigned rm = memory ? 15 : reg();
    bytes({0x40u | (wide ? 8u : 0u) | (reg_field >> 3) << 2 | rm >> 3});
    for (const unsigned b : opcode) bytes({b});
    if (!memory) {
      bytes({0xC0u | (reg_field & 7) << 3 | (rm & 7)});
      return;
    }
    bytes({0x80u | (reg_field & 7) << 3 | 7});
    displacement();
  }
  /// Mostly inside the page that R15 points into, sometimes across its end, sometimes in an absent one.
  void displacement() {
    const uint64_t page = random.one_in(6) ? random.below(16) * 4096 : 4096;
    const uint64_t offset = random.one_in(10) ? 4090 + random.below(8) : random.below(4088);
    number(page + offset - 4096, 4);
  }
  unsigned operand_bytes = 4;
  bool vectors = false;  ///< most instructions are vector ones
};

/// One random instruction of SSE, AVX, AVX2 or FMA, LDMXCSR and STMXCSR among them.
void any_vector_instruction(Encoder& e);

}  // namespace vitrine::test
