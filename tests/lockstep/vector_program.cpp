// Random vector instructions: legacy SSE, AVX and FMA, in registers and memory, under changing MXCSR.
#include "tests/lockstep/encoder.h"

namespace vitrine::test {

namespace {

struct Opcode {
  unsigned map, prefix, opcode;  ///< prefix as in VEX.pp
  bool immediate;
  bool two;  ///< no first source
  bool vex_only;
  bool wide;  ///< exists with VEX.L = 1
  unsigned w;
};

// clang-format off
constexpr auto kOpcodes = std::to_array<Opcode>({
  // arithmetic: ADD, MUL, SUB, MIN, DIV, MAX in PS, PD, SS, SD
  {1, 0, 0x58, false, false, false, true, 0}, {1, 1, 0x58, false, false, false, true, 0}, {1, 2, 0x58, false, false, false, false, 0}, {1, 3, 0x58, false, false, false, false, 0},
  {1, 0, 0x59, false, false, false, true, 0}, {1, 1, 0x59, false, false, false, true, 0}, {1, 2, 0x59, false, false, false, false, 0}, {1, 3, 0x59, false, false, false, false, 0},
  {1, 0, 0x5C, false, false, false, true, 0}, {1, 1, 0x5C, false, false, false, true, 0}, {1, 2, 0x5C, false, false, false, false, 0}, {1, 3, 0x5C, false, false, false, false, 0},
  {1, 0, 0x5D, false, false, false, true, 0}, {1, 1, 0x5D, false, false, false, true, 0}, {1, 2, 0x5D, false, false, false, false, 0}, {1, 3, 0x5D, false, false, false, false, 0},
  {1, 0, 0x5E, false, false, false, true, 0}, {1, 1, 0x5E, false, false, false, true, 0}, {1, 2, 0x5E, false, false, false, false, 0}, {1, 3, 0x5E, false, false, false, false, 0},
  {1, 0, 0x5F, false, false, false, true, 0}, {1, 1, 0x5F, false, false, false, true, 0}, {1, 2, 0x5F, false, false, false, false, 0}, {1, 3, 0x5F, false, false, false, false, 0},
  // square roots and conversions
  {1, 0, 0x51, false, true, false, true, 0}, {1, 1, 0x51, false, true, false, true, 0}, {1, 2, 0x51, false, false, false, false, 0}, {1, 3, 0x51, false, false, false, false, 0},
  {1, 0, 0x5A, false, true, false, true, 0}, {1, 1, 0x5A, false, true, false, true, 0}, {1, 2, 0x5A, false, false, false, false, 0}, {1, 3, 0x5A, false, false, false, false, 0},
  {1, 0, 0x5B, false, true, false, true, 0}, {1, 1, 0x5B, false, true, false, true, 0}, {1, 2, 0x5B, false, true, false, true, 0},
  {1, 1, 0xE6, false, true, false, true, 0}, {1, 2, 0xE6, false, true, false, true, 0}, {1, 3, 0xE6, false, true, false, true, 0},
  // comparison: COMIS, UCOMIS, CMP
  {1, 0, 0x2E, false, true, false, false, 0}, {1, 1, 0x2E, false, true, false, false, 0}, {1, 0, 0x2F, false, true, false, false, 0}, {1, 1, 0x2F, false, true, false, false, 0},
  {1, 0, 0xC2, true, false, false, true, 0}, {1, 1, 0xC2, true, false, false, true, 0}, {1, 2, 0xC2, true, false, false, false, 0}, {1, 3, 0xC2, true, false, false, false, 0},
  // moves
  {1, 0, 0x10, false, true, false, true, 0}, {1, 0, 0x11, false, true, false, true, 0}, {1, 0, 0x28, false, true, false, true, 0}, {1, 0, 0x29, false, true, false, true, 0},
  {1, 1, 0x6F, false, true, false, true, 0}, {1, 2, 0x6F, false, true, false, true, 0}, {1, 2, 0x7F, false, true, false, true, 0},
  {1, 2, 0x7E, false, true, false, false, 0}, {1, 1, 0xD6, false, true, false, false, 0}, {1, 3, 0x12, false, true, false, true, 0}, {1, 2, 0x16, false, true, false, true, 0},
  {1, 0, 0x12, false, false, false, false, 0}, {1, 1, 0x16, false, false, false, false, 0}, {1, 2, 0x10, false, false, false, false, 0}, {1, 3, 0x10, false, false, false, false, 0},
  // general-purpose registers: CVTSI2S, CVT(T)S2SI, MOVD, MOVMSK
  {1, 2, 0x2A, false, false, false, false, 0}, {1, 3, 0x2A, false, false, false, false, 1}, {1, 2, 0x2C, false, true, false, false, 0}, {1, 3, 0x2D, false, true, false, false, 1},
  {1, 1, 0x6E, false, true, false, false, 1}, {1, 1, 0x7E, false, true, false, false, 0}, {1, 1, 0x50, false, true, false, true, 0}, {1, 1, 0xD7, false, true, false, true, 0},
  // integers, logic, shuffles
  {1, 1, 0xFE, false, false, false, true, 0}, {1, 1, 0xD4, false, false, false, true, 0}, {1, 1, 0xEF, false, false, false, true, 0}, {1, 0, 0x57, false, false, false, true, 0},
  {1, 1, 0xD5, false, false, false, true, 0}, {1, 1, 0xF4, false, false, false, true, 0}, {1, 1, 0x64, false, false, false, true, 0}, {1, 1, 0x76, false, false, false, true, 0},
  {1, 1, 0x67, false, false, false, true, 0}, {1, 1, 0xDA, false, false, false, true, 0}, {1, 1, 0xF6, false, false, false, true, 0}, {1, 1, 0x60, false, false, false, true, 0},
  {1, 1, 0x70, true, true, false, true, 0}, {1, 0, 0xC6, true, false, false, true, 0}, {1, 1, 0xC6, true, false, false, true, 0}, {1, 0, 0x14, false, false, false, true, 0},
  {2, 1, 0x00, false, false, false, true, 0}, {2, 1, 0x1E, false, true, false, true, 0}, {2, 1, 0x40, false, false, false, true, 0}, {3, 1, 0x0F, true, false, false, true, 0},
  {3, 1, 0x09, true, true, false, true, 0}, {3, 1, 0x0B, true, false, false, false, 0}, {1, 3, 0x7C, false, false, false, true, 0}, {1, 1, 0xD0, false, false, false, true, 0},
  // AVX and FMA alone
  {2, 1, 0x98, false, false, true, true, 0}, {2, 1, 0xA8, false, false, true, true, 1}, {2, 1, 0xB8, false, false, true, true, 1}, {2, 1, 0xB9, false, false, true, false, 1},
  {2, 1, 0x9D, false, false, true, false, 0}, {2, 1, 0xAE, false, false, true, true, 1}, {2, 1, 0xB6, false, false, true, true, 0}, {2, 1, 0x97, false, false, true, true, 1},
  {2, 1, 0x18, false, true, true, true, 0}, {2, 1, 0x58, false, true, true, true, 0}, {2, 1, 0x47, false, false, true, true, 0}, {3, 1, 0x05, true, true, true, true, 0},
});
// clang-format on

/// LDMXCSR of a random control word, mostly with all exceptions masked, or STMXCSR: [R15 + 8 n].
void control(Encoder& e) {
  const auto offset = static_cast<unsigned>(e.random.below(16)) * 8;
  if (e.random.one_in(2)) {
    e.bytes({0x41, 0x0F, 0xAE, 0x5F, offset});
    return;
  }
  const uint64_t masks = e.random.one_in(6) ? e.random.below(64) : 63;
  const uint64_t value = e.random.below(64) | e.random.below(2) << 6 | masks << 7 |
                         e.random.below(4) << 13 | e.random.below(2) << 15;
  e.bytes({0x41, 0xC7, 0x47, offset});
  e.number(value, 4);
  e.bytes({0x41, 0x0F, 0xAE, 0x57, offset});
}

/// Mostly aligned, in the page that R15 points into.
void place(Encoder& e) {
  if (e.random.one_in(3)) return e.displacement();
  e.number(e.random.below(120) * 32, 4);
}

}  // namespace

void any_vector_instruction(Encoder& e) {
  Random& r = e.random;
  if (r.one_in(24)) return control(e);
  if (r.one_in(60)) return e.bytes({0xC5, 0xF8, 0x77});  // VZEROUPPER
  const Opcode& o = kOpcodes[r.below(kOpcodes.size())];
  const bool memory = r.one_in(3);
  const auto reg = static_cast<unsigned>(r.below(6)) + (r.one_in(4) ? 8u : 0u);
  // General-purpose destinations must not be RSP or R15.
  const auto rm = static_cast<unsigned>(memory ? 15 : r.below(4) + (r.one_in(4) ? 8u : 0u));
  const unsigned safe = reg == 4 ? 5 : reg;
  if (o.vex_only || r.one_in(2)) {
    const auto first = static_cast<unsigned>(o.two ? 0 : r.below(12));
    const unsigned wide = o.wide && r.one_in(2) ? 4 : 0;
    e.bytes({0xC4, (safe < 8 ? 0x80u : 0u) | 0x40u | (rm < 8 ? 0x20u : 0u) | o.map,
             o.w << 7 | (~first & 15u) << 3 | wide | o.prefix, o.opcode});
  } else {
    constexpr std::array<unsigned, 4> kPrefixes = {0, 0x66, 0xF3, 0xF2};
    if (o.prefix != 0) e.bytes({kPrefixes[o.prefix]});
    e.bytes({0x40u | o.w << 3 | (safe >> 3) << 2 | rm >> 3, 0x0F});
    if (o.map != 1) e.bytes({o.map == 2 ? 0x38u : 0x3Au});
    e.bytes({o.opcode});
  }
  e.bytes({(memory ? 0x80u : 0xC0u) | (safe & 7) << 3 | (rm & 7)});
  if (memory) place(e);
  if (o.immediate) e.number(r.next(), 1);
}

}  // namespace vitrine::test
