// The decoder: lengths, prefixes, operands and the encodings on which processors and decoders disagree.
#include "emu/cpu/decode.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <vector>

#include "emu/arch/registers.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/instruction_table.h"
#include "emu/cpu/state.h"

namespace vitrine::emu {
namespace {

constexpr DecodeMode k64{.code_size = 8};
constexpr DecodeMode k32{.code_size = 4};
constexpr DecodeMode k16{.code_size = 2, .stack32 = false};

/// The bytes given, and zeros up to fifteen.
std::vector<std::byte> padded(std::initializer_list<uint8_t> bytes) {
  std::vector<std::byte> all;
  for (const uint8_t byte : bytes) all.push_back(std::byte{byte});
  all.resize(std::max<size_t>(all.size(), kMaxInsnBytes));
  return all;
}

Decoded decoded(std::initializer_list<uint8_t> bytes, const DecodeMode& mode = k64) {
  const auto r = decode(padded(bytes), mode);
  REQUIRE(r);
  return *r;
}

DecodeError refused(std::initializer_list<uint8_t> bytes, const DecodeMode& mode = k64) {
  const auto r = decode(padded(bytes), mode);
  REQUIRE_FALSE(r);
  return r.error();
}

Insn built(std::initializer_list<uint8_t> bytes, const DecodeMode& mode = k64,
           const arch::CpuProfile& profile = arch::kSkylakeSp) {
  Insn insn;
  REQUIRE(build_insn(padded(bytes), mode, profile, insn));
  return insn;
}

std::string_view mnemonic_of(const Insn& insn) { return instruction_table()[insn.row].mnemonic; }

arch::CpuProfile profile_with(arch::CpuFeature feature, bool present) {
  arch::CpuProfile profile = arch::kSkylakeSp;
  profile.features[static_cast<size_t>(feature)] = present;
  return profile;
}

TEST_CASE("an instruction longer than fifteen bytes is too long", "[cpu]") {
  std::vector<std::byte> bytes(15, std::byte{0x66});
  bytes[14] = std::byte{0x90};
  const auto whole = decode(bytes, k64);
  REQUIRE(whole);
  CHECK(whole->length == 15);
  bytes[14] = std::byte{0x66};
  const auto longer = decode(bytes, k64);
  REQUIRE_FALSE(longer);
  CHECK(longer.error().kind == DecodeError::Kind::too_long);
}

TEST_CASE("bytes that do not decide ask for more", "[cpu]") {
  const std::vector<std::byte> whole = {std::byte{0x48}, std::byte{0x81}, std::byte{0xC0},
                                        std::byte{1},    std::byte{2},    std::byte{3},
                                        std::byte{4}};
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto r = decode(std::span{whole}.first(n), k64);
    REQUIRE_FALSE(r);
    CHECK(r.error().kind == DecodeError::Kind::more_bytes);
    Insn insn;
    CHECK_FALSE(build_insn(std::span{whole}.first(n), k64, arch::kSkylakeSp, insn));
  }
  CHECK(decode(whole, k64));
}

TEST_CASE("an invalid instruction tells how many bytes made it so", "[cpu]") {
  CHECK(refused({0x06}).length == 1);              // PUSH ES does not exist in 64-bit mode
  CHECK(refused({0x0F, 0x24, 0xC0}).length >= 2);  // MOV from test register
  CHECK(refused({0xF0, 0x90}).length == 2);        // LOCK NOP
  const Insn insn = built({0x06});
  CHECK(insn.handler == undefined_opcode);
  CHECK(insn.length == 1);
  CHECK((insn.flags & insn_flag::ends_block) != 0);
}

TEST_CASE("LOCK is refused where the form does not allow it", "[cpu]") {
  CHECK(decoded({0xF0, 0x01, 0x00}).lock);                                // LOCK ADD [RAX], EAX
  CHECK(refused({0xF0, 0x03, 0x00}).kind == DecodeError::Kind::invalid);  // destination a register
  CHECK(refused({0xF0, 0x01, 0xC0}).kind == DecodeError::Kind::invalid);
  CHECK(refused({0xF0, 0x39, 0x00}).kind == DecodeError::Kind::invalid);  // CMP writes nothing
  CHECK(refused({0xF0, 0x0F, 0xA3, 0x00}).kind == DecodeError::Kind::invalid);
}

TEST_CASE("in 64-bit mode only FS and GS override the segment", "[cpu]") {
  CHECK(decoded({0x64, 0x8A, 0x00}).memory.segment == arch::fs);
  CHECK(decoded({0x64, 0x2E, 0x8A, 0x00}).memory.segment == arch::fs);
  CHECK(decoded({0x2E, 0x8A, 0x04, 0x24}).memory.segment == arch::ss);
  CHECK(decoded({0x2E, 0x8A, 0x04, 0x24}, k32).memory.segment == arch::cs);
  CHECK(decoded({0x8A, 0x45, 0x00}).memory.segment == arch::ss);
  CHECK(decoded({0x8A, 0x00}).memory.segment == arch::ds);
  CHECK(decoded({0x26, 0x65, 0x8A, 0x00}, k32).memory.segment == arch::gs);
  CHECK(decoded({0x65, 0x26, 0x8A, 0x00}, k32).memory.segment == arch::es);
}

TEST_CASE("a string instruction keeps the segment of its source", "[cpu]") {
  CHECK(decoded({0xA4}).memory.segment == arch::ds);
  CHECK(decoded({0x65, 0xA4}).memory.segment == arch::gs);
  CHECK(decoded({0x2E, 0xA4}, k32).memory.segment == arch::cs);
  CHECK(decoded({0xA4}).operand_count == 0);
}

TEST_CASE("the last repeat prefix decides, for every string instruction", "[cpu]") {
  CHECK(decoded({0xF2, 0xA4}).repne);
  CHECK(decoded({0xF2, 0xF3, 0xA6}).rep);
  CHECK(decoded({0xF3, 0xF2, 0xA6}).repne);
  CHECK_FALSE(decoded({0xF3, 0x01, 0xC0}).rep);
}

TEST_CASE("REX.B on a SIB without base changes nothing", "[cpu]") {
  const auto plain = decoded({0x67, 0x47, 0x8B, 0x04, 0x15, 0x44, 0x33, 0x22, 0x11});
  CHECK(plain.memory.base == kZeroRegister);
  CHECK(plain.memory.index == arch::r10);
  CHECK(plain.memory.disp == 0x11223344);
}

TEST_CASE("AH is AH without REX and SPL with it", "[cpu]") {
  CHECK(decoded({0x88, 0xE0}).operands[1].number == 0x14);
  CHECK(decoded({0x40, 0x88, 0xE0}).operands[1].number == arch::rsp);
  CHECK(built({0x88, 0xE0}).op[1] == 1);
  CHECK(built({0x40, 0x88, 0xE0}).op[1] == arch::rsp * 8);
  CHECK(built({0x88, 0xF8}).op[1] == 3 * 8 + 1);
}

TEST_CASE("REX counts only right before the opcode", "[cpu]") {
  CHECK(decoded({0x48, 0x66, 0x01, 0xC0}).operand_size == 2);
  CHECK(decoded({0x66, 0x48, 0x01, 0xC0}).operand_size == 8);
}

TEST_CASE("near branches ignore the operand-size prefix in 64-bit mode only", "[cpu]") {
  CHECK(decoded({0x66, 0xE8, 0, 0, 0, 0}).operand_size == 8);
  CHECK(decoded({0x66, 0xE8, 0, 0, 0, 0}).length == 6);
  CHECK(decoded({0x66, 0xE8, 0, 0}, k32).length == 4);
  CHECK(decoded({0x66, 0xE8, 0, 0}, k32).operand_size == 2);
  CHECK(decoded({0x66, 0xC3}).operand_size == 8);
  CHECK(decoded({0xF2, 0xC3}).mnemonic == "ret");
  CHECK(decoded({0xF3, 0xC3}).mnemonic == "ret");
}

TEST_CASE("90 is NOP, PAUSE or an exchange with R8", "[cpu]") {
  CHECK(decoded({0x90}).mnemonic == "nop");
  CHECK(decoded({0x66, 0x90}).mnemonic == "nop");
  CHECK(decoded({0x48, 0x90}).mnemonic == "nop");
  CHECK(decoded({0xF3, 0x90}).mnemonic == "pause");
  CHECK(decoded({0x41, 0x90}).mnemonic == "xchg");
  const auto exchange = decoded({0xF3, 0x49, 0x90});
  CHECK(exchange.mnemonic == "xchg");
  CHECK(exchange.operands[0].number == arch::r8);
  CHECK(exchange.operands[1].bits == 64);
}

TEST_CASE("the hint space decodes to NOPs", "[cpu]") {
  for (uint8_t opcode = 0x19; opcode <= 0x1F; ++opcode) {
    CHECK(decoded({0x0F, opcode, 0x00}).mnemonic == "nop");
    CHECK(decoded({0x0F, opcode, 0xC1}).mnemonic == "nop");
  }
  CHECK(decoded({0xF3, 0x0F, 0x1E, 0xFA}).mnemonic == "nop");        // ENDBR64
  CHECK(decoded({0xF3, 0x48, 0x0F, 0x1E, 0xC8}).mnemonic == "nop");  // RDSSPQ
  CHECK(decoded({0x0F, 0x18, 0x20}).mnemonic == "nop");
  CHECK(decoded({0x0F, 0x0D, 0xC0}).mnemonic == "nop");
}

TEST_CASE("UD0 and UD1 take a ModRM byte, UD2 does not", "[cpu]") {
  CHECK(decoded({0x0F, 0xFF, 0x05, 0, 0, 0, 0}).length == 7);
  CHECK(decoded({0x0F, 0xB9, 0xC0}).length == 3);
  CHECK(decoded({0x0F, 0x0B}).length == 2);
}

TEST_CASE("F3 before BSR and BSF matters only where the feature is", "[cpu]") {
  const auto with = profile_with(arch::CpuFeature::lzcnt, true);
  const auto without = profile_with(arch::CpuFeature::lzcnt, false);
  CHECK(mnemonic_of(built({0xF3, 0x0F, 0xBD, 0xC1}, k64, with)) == "lzcnt");
  CHECK(mnemonic_of(built({0xF3, 0x0F, 0xBD, 0xC1}, k64, without)) == "bsr");
  const auto no_bmi = profile_with(arch::CpuFeature::bmi1, false);
  CHECK(mnemonic_of(built({0xF3, 0x0F, 0xBC, 0xC1}, k64, no_bmi)) == "bsf");
}

TEST_CASE("an instruction of an absent feature raises #UD", "[cpu]") {
  const auto without = profile_with(arch::CpuFeature::bmi2, false);
  const auto with = profile_with(arch::CpuFeature::bmi2, true);
  CHECK(built({0xC4, 0xE2, 0x70, 0xF5, 0xC2}, k64, without).handler == undefined_opcode);
  CHECK(mnemonic_of(built({0xC4, 0xE2, 0x70, 0xF5, 0xC2}, k64, with)) == "bzhi");
  CHECK(refused({0x62, 0xF1, 0x7C, 0x48, 0x28, 0xC1}).kind == DecodeError::Kind::invalid);  // EVEX
}

TEST_CASE("POPCNT, LZCNT and TZCNT have no VEX form", "[cpu]") {
  for (const uint8_t opcode : std::array<uint8_t, 3>{0xB8, 0xBC, 0xBD}) {
    CHECK(refused({0xC4, 0xE1, 0x7A, opcode, 0xC0}).kind == DecodeError::Kind::invalid);
    CHECK(refused({0xC5, 0xFA, opcode, 0xC0}).kind == DecodeError::Kind::invalid);
  }
}

TEST_CASE("a memory operand becomes an address recipe", "[cpu]") {
  const Insn sib = built({0x48, 0x8B, 0x84, 0xCB, 0x78, 0x56, 0x34, 0x12});
  CHECK(sib.base == arch::rbx);
  CHECK(sib.index == arch::rcx);
  CHECK(sib.scale == 3);
  CHECK(sib.disp == 0x12345678);
  CHECK(sib.op[1] == kMemory);
  const Insn relative = built({0x8B, 0x05, 0xFC, 0xFF, 0xFF, 0xFF});
  CHECK(relative.base == kRipRegister);
  CHECK(relative.disp == -4);
  const Insn wide = built({0x8B, 0x40, 0x10}, k16);
  CHECK(wide.base == arch::rbx);
  CHECK(wide.index == arch::rsi);
  CHECK(wide.address_size == 1);
  const Insn offset = built({0xA0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(offset.imm == 0x0807060504030201);
  CHECK(offset.base == kZeroRegister);
}

TEST_CASE("segments are checked outside 64-bit mode unless flat", "[cpu]") {
  constexpr DecodeMode segmented{.code_size = 4, .flat = false};
  const auto checked = [](const Insn& insn) { return (insn.flags & insn_flag::checked) != 0; };
  CHECK_FALSE(checked(built({0x65, 0x8B, 0x00})));
  CHECK_FALSE(checked(built({0x8B, 0x00}, k32)));
  CHECK(checked(built({0x65, 0x8B, 0x00}, k32)));
  CHECK(checked(built({0x2E, 0x89, 0x00}, k32)));
  CHECK(checked(built({0x8B, 0x00}, segmented)));
}

TEST_CASE("branches and repeated strings end a block, loads do not", "[cpu]") {
  const auto ends = [](const Insn& insn) { return (insn.flags & insn_flag::ends_block) != 0; };
  CHECK(ends(built({0xEB, 0x00})));
  CHECK(ends(built({0x74, 0x00})));
  CHECK(ends(built({0xF3, 0xA4})));
  CHECK(ends(built({0x9D})));
  CHECK_FALSE(ends(built({0xA4})));
  CHECK_FALSE(ends(built({0x8B, 0x00})));
}

TEST_CASE("immediates are sign-extended, and ENTER packs two", "[cpu]") {
  CHECK(built({0x48, 0x05, 0xFF, 0xFF, 0xFF, 0xFF}).imm == ~uint64_t{0});
  CHECK(built({0x48, 0xA9, 0, 0, 0, 0x80}).imm == 0xFFFFFFFF80000000);
  CHECK(built({0x83, 0xC0, 0x80}).imm == 0xFFFFFFFFFFFFFF80);
  CHECK(built({0xC8, 0x34, 0x12, 0x05}).imm == 0x51234);
  CHECK(built({0xC2, 0xFF, 0xFF}).imm == 0xFFFF);
  CHECK(built({0x9A, 1, 2, 3, 4, 5, 6}, k32).imm == 0x0000060504030201);
}

TEST_CASE("every row is found by its own mnemonic and keeps the table's order", "[cpu]") {
  const auto rows = instruction_table();
  REQUIRE(rows.size() > 200);
  for (const Row& row : rows) {
    CHECK_FALSE(row.mnemonic.empty());
    CHECK(row.select != nullptr);
    CHECK((row.flags.undefined & ~row.flags.written &
           ~(arch::rflags::of | arch::rflags::sf | arch::rflags::af | arch::rflags::pf)) == 0);
  }
}

}  // namespace
}  // namespace vitrine::emu
