// x87 where a program at CPL 3 cannot look: #NM, deferred #MF, FERR#, the pointers and their images.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "emu/arch/registers.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/decode.h"
#include "emu/cpu/instruction_table.h"
#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace cr0 = vitrine::emu::arch::cr0;

namespace {

constexpr int kNm = 7, kUd = 6, kAc = 17, kMf = 16;
constexpr int kHlt = 0xF4;

/// An initialised unit with every exception unmasked, and CR0.NE as asked.
void unmask(Rig& r, bool native = true) {
  r.s().x87.fcw = 0x0340;
  r.s().cr0 = native ? r.s().cr0 | cr0::ne : r.s().cr0 & ~cr0::ne;
  r.cpu.context_changed();
}

uint16_t word_at(Rig& r, unsigned i) { return r.peek<uint16_t>(Rig::kData + 2 * i); }
uint32_t doubleword_at(Rig& r, unsigned i) { return r.peek<uint32_t>(Rig::kData + 4 * i); }

/// FNSTENV [rDI] with pointers that use all their bits.
void store_environment(Rig& r, bool operand_size_prefix) {
  auto& x = r.s().x87;
  x.fcw = 0x027F;
  x.fsw = 0x3800;  // TOP 7
  x.valid = 0x80;
  x.significand[7] = 0;
  x.fip = 0xFEDCBA98;
  x.fdp = 0x76543210;
  x.fop = 0x05AA;
  r.s().regs[arch::rdi] = r.s().protected_mode() ? Rig::kData : 0;
  if (!r.s().protected_mode()) r.s().segments[arch::ds].base = Rig::kData;
  r.cpu.context_changed();
  const int prefix = operand_size_prefix ? 0x66 : 0x3E;
  const int modrm = r.s().protected_mode() ? 0x37 : 0x35;
  r.run({prefix, 0xD9, modrm, kHlt});
  REQUIRE(r.s().activity == Activity::hlt);
}

}  // namespace

TEST_CASE("CR0.EM and CR0.TS stop every x87 instruction with #NM, and FWAIT only TS with MP",
          "[x87]") {
  const uint64_t bits =
      GENERATE(as<uint64_t>{}, cr0::em, cr0::ts, cr0::ts | cr0::mp, cr0::em | cr0::mp);
  CAPTURE(bits);
  Rig r;
  r.long_mode();
  r.s().cr0 = (r.s().cr0 & ~(cr0::em | cr0::ts | cr0::mp)) | bits;
  r.cpu.context_changed();
  SECTION("FLD1") {
    r.run({0xD9, 0xE8, kHlt});
    CHECK(r.vector() == kNm);
  }
  SECTION("FNINIT") {
    r.run({0xDB, 0xE3, kHlt});
    CHECK(r.vector() == kNm);
  }
  SECTION("FNSTSW AX") {
    r.run({0xDF, 0xE0, kHlt});
    CHECK(r.vector() == kNm);
  }
  SECTION("FCOMI") {
    r.run({0xDB, 0xF1, kHlt});
    CHECK(r.vector() == kNm);
  }
  SECTION("FNSETPM") {
    r.run({0xDB, 0xE4, kHlt});
    CHECK(r.vector() == kNm);
  }
  SECTION("FWAIT") {
    r.run({0x9B, kHlt});
    CHECK((r.vector() == kNm) == (bits == (cr0::ts | cr0::mp)));
  }
}

TEST_CASE("an unmasked exception waits for the next waiting instruction", "[x87]") {
  Rig r;
  r.long_mode();
  unmask(r);
  SECTION("integer and non-waiting instructions pass, FNOP takes #MF") {
    // FLD1; FLDZ; FDIVP; NOP; FNSTSW AX; FNOP
    r.run({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x90, 0xDF, 0xE0, 0xD9, 0xD0, kHlt});
    REQUIRE(r.vector() == kMf);
    CHECK(r.frame(0) == Rig::kCode + 9);
    CHECK((r.s().regs[arch::rax] & 0xFFFF) == 0xB084);  // B, TOP 6, ES, ZE
    CHECK(r.s().x87.fip == Rig::kCode + 4);
    CHECK(r.s().x87.fop == 0x6F9);
  }
  SECTION("FWAIT takes it") {
    r.run({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B, kHlt});
    REQUIRE(r.vector() == kMf);
    CHECK(r.frame(0) == Rig::kCode + 6);
  }
  SECTION("FNCLEX takes it away") {
    r.run({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xDB, 0xE2, 0x9B, kHlt});
    CHECK(r.vector() == -1);
    CHECK(r.s().x87.fsw == 0x3000);
  }
  SECTION("#NM comes before #MF") {
    r.s().x87.fsw = 0x8081;
    r.s().cr0 |= cr0::ts;
    r.cpu.context_changed();
    r.run({0xD9, 0xD0, kHlt});
    CHECK(r.vector() == kNm);
  }
}

TEST_CASE("without CR0.NE a pending exception raises FERR# and stops the processor", "[x87]") {
  Rig r;
  r.real_mode();
  unmask(r, false);
  r.s().x87.fsw = 0x8081;
  // FNOP; HLT
  CHECK(r.run({0xD9, 0xD0, kHlt}) == RunStop::idle);
  CHECK(r.ports.ferr);
  CHECK(r.s().rip() == 0);
  SECTION("an interrupt is taken with the instruction's address, and FNCLEX ends it") {
    r.s().set_rflags(r.s().rflags() | arch::rflags::if_);
    r.ports.pending = 0x75;
    // The handler: FNCLEX; IRET
    r.poke<uint32_t>(Rig::kHandlers + 0x75 * 16, 0xCFE2DB);
    r.cpu.attention();
    r.cpu.run(RunLimits{.max_retired = r.s().retired + 10});
    CHECK_FALSE(r.ports.ferr);
    CHECK(r.s().rip() == 3);  // behind the HLT
  }
  SECTION("no other instruction runs meanwhile") {
    r.cpu.attention();
    CHECK(r.cpu.run(RunLimits{.max_retired = r.s().retired + 10}) == RunStop::idle);
    CHECK(r.s().rip() == 0);
  }
}

TEST_CASE("FIP follows every instruction that is no control instruction", "[x87]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rdi] = Rig::kData;
  r.poke<uint32_t>(Rig::kData, 0x3F800000);
  // FLD1; REX.W FADD dword [RDI]; FNSTCW [RDI + 8]; FNINIT would clear it
  r.run({0xD9, 0xE8, 0x48, 0xD8, 0x07, 0xD9, 0x7F, 0x08, kHlt});
  CHECK(r.s().x87.fip == Rig::kCode + 2);
  CHECK(r.s().x87.fdp == 0);  // only an unmasked exception saves these
  CHECK(r.s().x87.fop == 0);
  CHECK(r.s().x87.fcs == 0);
}

TEST_CASE("FDP and FOP are those of the last unmasked exception", "[x87]") {
  Rig r;
  r.long_mode();
  unmask(r);
  r.s().regs[arch::rdi] = Rig::kData;
  r.poke<uint32_t>(Rig::kData + 4, 0x7F800001);  // a signaling NaN
  // FLD1; FADD dword [RDI + 4]; FNCLEX; FLD1
  r.run({0xD9, 0xE8, 0xD8, 0x47, 0x04, 0xDB, 0xE2, 0xD9, 0xE8, kHlt});
  CHECK(r.s().x87.fdp == Rig::kData + 4);
  CHECK(r.s().x87.fop == 0x047);
  CHECK(r.s().x87.fds == 0);
  CHECK(r.s().x87.fip == Rig::kCode + 7);
}

TEST_CASE("FNSTENV in 32-bit protected mode", "[x87]") {
  Rig r;
  r.protected_mode();
  store_environment(r, false);
  CHECK(doubleword_at(r, 0) == 0xFFFF027F);
  CHECK(doubleword_at(r, 1) == 0xFFFF3800);
  CHECK(doubleword_at(r, 2) == 0xFFFF7FFF);  // register 7 holds zero
  CHECK(doubleword_at(r, 3) == 0xFEDCBA98);
  CHECK(doubleword_at(r, 4) == 0x05AA0000);  // the selector is deprecated
  CHECK(doubleword_at(r, 5) == 0x76543210);
  CHECK(doubleword_at(r, 6) == 0xFFFF0000);
  CHECK(r.s().x87.fcw == 0x027F);
}

TEST_CASE("FNSTENV with 16-bit operands in protected mode", "[x87]") {
  Rig r;
  r.protected_mode();
  r.poke<uint16_t>(Rig::kData + 14, 0xAAAA);
  store_environment(r, true);
  CHECK(word_at(r, 0) == 0x027F);
  CHECK(word_at(r, 1) == 0x3800);
  CHECK(word_at(r, 2) == 0x7FFF);
  CHECK(word_at(r, 3) == 0xBA98);
  CHECK(word_at(r, 4) == 0);
  CHECK(word_at(r, 5) == 0x3210);
  CHECK(word_at(r, 6) == 0);
  CHECK(word_at(r, 7) == 0xAAAA);
}

TEST_CASE("FNSTENV in real mode stores linear addresses and the opcode", "[x87]") {
  Rig r;
  r.real_mode();
  SECTION("16-bit operands: 20 bits of each") {
    store_environment(r, false);
    CHECK(word_at(r, 2) == 0x7FFF);
    CHECK(word_at(r, 3) == 0xBA98);
    CHECK(word_at(r, 4) == 0xC5AA);
    CHECK(word_at(r, 5) == 0x3210);
    CHECK(word_at(r, 6) == 0x4000);
  }
  SECTION("32-bit operands") {
    store_environment(r, true);
    CHECK(doubleword_at(r, 2) == 0xFFFF7FFF);
    CHECK(doubleword_at(r, 3) == 0xFFFFBA98);
    CHECK(doubleword_at(r, 4) == 0x0FEDC5AA);
    CHECK(doubleword_at(r, 5) == 0xFFFF3210);
    CHECK(doubleword_at(r, 6) == 0x07654000);
  }
}

TEST_CASE("FLDENV takes back what FNSTENV stored, in every layout", "[x87]") {
  const bool real = GENERATE(false, true);
  const bool prefixed = GENERATE(false, true);
  Rig r;
  if (real) {
    r.real_mode();
  } else {
    r.protected_mode();
  }
  store_environment(r, prefixed);
  const X87State stored = r.s().x87;
  const bool words = prefixed != real;
  r.s().x87.fip = r.s().x87.fdp = 0;
  r.s().x87.fop = 0;
  r.s().x87.valid = 0xFF;
  r.s().x87.fsw = 0;
  r.run({prefixed ? 0x66 : 0x3E, 0xD9, real ? 0x25 : 0x27, kHlt});
  const X87State& x = r.s().x87;
  CHECK(x.valid == stored.valid);
  CHECK(x.fsw == stored.fsw);
  CHECK(x.fcw == 0x027F);
  const uint64_t mask = !words ? 0xFFFFFFFF : real ? 0xFFFFF : 0xFFFF;
  CHECK(x.fip == (stored.fip & mask));
  CHECK(x.fdp == (stored.fdp & mask));
  CHECK(x.fop == (words && !real ? 0 : stored.fop));
}

TEST_CASE("FNSAVE leaves an initialised unit, and FRSTOR brings everything back", "[x87]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rdi] = Rig::kData;
  auto& x = r.s().x87;
  x.fcw = 0x0F40;
  x.fsw = 0x2841;
  x.valid = 0xE3;
  for (unsigned i = 0; i < 8; ++i) {
    x.significand[i] = 0x8000000000000000 + i;
    x.sign_exponent[i] = static_cast<uint16_t>(0x3FFF + i);
  }
  const X87State before = x;
  r.run({0xDD, 0x37, kHlt});
  CHECK(x.fcw == 0x037F);
  CHECK(x.fsw == 0);
  CHECK(x.valid == 0);
  CHECK(r.peek<uint64_t>(Rig::kData + 28) == 0x8000000000000005);  // the top comes first
  x.significand.fill(0);
  r.run({0xDD, 0x27, kHlt});
  CHECK(x.significand == before.significand);
  CHECK(x.sign_exponent == before.sign_exponent);
  CHECK(x.valid == before.valid);
  CHECK(x.fcw == before.fcw);
  // The invalid operation is unmasked in the loaded control word: the summary follows.
  CHECK(x.fsw == (before.fsw | 0x8080));
}

TEST_CASE("alignment checking covers operands longer than eight bytes", "[x87]") {
  Rig r;
  r.long_mode(3);
  r.s().cr0 |= cr0::am;
  r.s().set_rflags(r.s().rflags() | arch::rflags::ac);
  r.cpu.context_changed();
  r.s().regs[arch::rdi] = Rig::kData + 4;
  SECTION("FLD m80 wants eight") {
    r.run({0xDB, 0x2F});
    CHECK(r.vector() == kAc);
  }
  SECTION("FSTP m80 wants eight") {
    r.run({0xD9, 0xE8, 0xDB, 0x3F});
    CHECK(r.vector() == kAc);
    CHECK(r.s().x87.valid == 0x80);
  }
  SECTION("FNSTENV wants four") {
    r.run({0xD9, 0x37}, 1);
    CHECK(r.vector() == -1);
  }
  SECTION("FNSTENV of words wants two") {
    r.s().regs[arch::rdi] = Rig::kData + 6;
    r.run({0x66, 0xD9, 0x37}, 1);
    CHECK(r.vector() == -1);
    r.run({0xD9, 0x37});
    CHECK(r.vector() == kAc);
  }
}

TEST_CASE("LOCK and encodings without a meaning are invalid opcodes", "[x87]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rdi] = Rig::kData;
  SECTION("LOCK FADD") { r.run({0xF0, 0xD8, 0x07, kHlt}); }
  SECTION("D9 D1") { r.run({0xD9, 0xD1, kHlt}); }
  SECTION("DB 20") { r.run({0xDB, 0x27, kHlt}); }
  CHECK(r.vector() == kUd);
}

TEST_CASE("every x87 encoding that means something has a row", "[x87]") {
  arch::CpuProfile profile = arch::kMax;
  profile.features.fill(true);
  const DecodeMode mode{.code_size = GENERATE(as<uint8_t>{}, 2, 4, 8)};
  unsigned known = 0;
  for (unsigned opcode = 0xD8; opcode <= 0xDF; ++opcode) {
    for (unsigned modrm = 0; modrm < 256; ++modrm) {
      std::array<std::byte, 15> bytes{};
      bytes[0] = static_cast<std::byte>(opcode);
      bytes[1] = static_cast<std::byte>(modrm);
      const auto decoded = decode(bytes, mode);
      Insn insn;
      REQUIRE(build_insn(bytes, mode, profile, insn));
      CAPTURE(opcode, modrm);
      CHECK((insn.handler == undefined_opcode) == !decoded);
      if (!decoded) continue;
      ++known;
      CHECK(insn.imm == ((opcode & 7) << 8 | modrm));
      const std::string_view mnemonic = instruction_table()[insn.row].mnemonic;
      const auto rows = x87_rows();
      CHECK(std::ranges::count(rows, mnemonic, &Row::mnemonic) == 1);
    }
  }
  // Of the 64 forms in memory four have no meaning (D9 /1; DB /4, /6; DD /5), of the registers 92.
  CHECK(known == 60 * 24 + 512 - 92);
}

TEST_CASE("FISTTP needs SSE3", "[x87]") {
  arch::CpuProfile profile = arch::kMax;
  profile.features.fill(true);
  profile.features[static_cast<size_t>(arch::CpuFeature::sse3)] = GENERATE(false, true);
  Rig r(profile);
  r.long_mode();
  r.s().regs[arch::rdi] = Rig::kData;
  r.run({0xD9, 0xE8, 0xDB, 0x0F, kHlt});
  const bool exists = profile.features[static_cast<size_t>(arch::CpuFeature::sse3)];
  CHECK(r.vector() == (exists ? -1 : kUd));
  CHECK(r.peek<uint32_t>(Rig::kData) == (exists ? 1 : 0));
}

TEST_CASE("FCOMI and FUCOMI clear C1", "[x87]") {
  const int opcode = GENERATE(0xDB, 0xDF);
  const int modrm = GENERATE(0xF1, 0xE9);
  Rig r;
  r.long_mode();
  r.s().x87.fcw = 0x037F;
  r.run({0xD9, 0xE8, 0xD9, 0xEE, kHlt});
  r.s().x87.fsw |= 0x0200;
  r.run({opcode, modrm, kHlt});
  CHECK((r.s().x87.fsw & 0x0200) == 0);
  CHECK((r.s().rflags() & arch::rflags::arithmetic) == arch::rflags::cf);  // 0 < 1
}
