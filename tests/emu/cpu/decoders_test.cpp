// Our decoder beside two others: Capstone on lengths, Zydis on which forms exist for what CPUID shows.
#include <Zydis/Zydis.h>
#include <capstone/capstone.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "emu/arch/require.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/decode.h"

namespace vitrine::emu {
namespace {

using Bytes = std::array<std::byte, kMaxInsnBytes>;
using Profile = arch::CpuProfile;
using arch::CpuFeature;

constexpr std::array<uint8_t, 3> kCodeSizes = {2, 4, 8};

// --- The corpus ---

/// Every opcode of every map under these prefixes, with ModRM bytes of each shape; VEX prefixes are tried
/// alone and behind one that forbids them.
constexpr auto kPrefixes = std::to_array<std::string_view>(
    {"", "\x66", "\x67", "\xF2", "\xF3", "\xF0", "\x2E", "\x64\x67", "\x66\xF2", "\x66\xF3",
     "\xF2\x66", "\xF2\xF3", "\xF3\xF2", "\x48", "\x41", "\x66\x48", "\x48\x66", "\xF3\x48",
     "\xF0\x66"});
constexpr auto kVexPrefixes = std::to_array<std::string_view>({"", "\x67", "\x66"});
constexpr auto kModRm = std::to_array<uint8_t>({0x00, 0x04, 0x05, 0x40, 0xC0});

/// SplitMix64.
class Random {
 public:
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_ = 0;
};

std::string vex_prefix(unsigned map, unsigned w, unsigned l, unsigned pp) {
  return {'\xC4', static_cast<char>(0xE0 | map), static_cast<char>(w << 7 | 0x78 | l << 2 | pp)};
}

template <class Visit>
void visit_opcodes(std::string_view prefix, std::string_view map, Visit visit) {
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    for (const uint8_t form : kModRm) {
      for (unsigned reg = 0; reg < 8; ++reg) {
        std::string text{prefix};
        text += map;
        text += static_cast<char>(opcode);
        text += static_cast<char>(form | reg << 3);
        if (form == 0x04) text += '\x25';
        for (char fill = 0x10; text.size() < kMaxInsnBytes; ++fill) text += fill;
        Bytes bytes;
        std::copy_n(reinterpret_cast<const std::byte*>(text.data()), bytes.size(), bytes.begin());
        visit(bytes);
      }
    }
  }
}

template <class Visit>
void visit_corpus(Visit visit) {
  using namespace std::string_view_literals;
  for (const auto prefix : kPrefixes) {
    for (const auto map : {""sv, "\x0F"sv, "\x0F\x38"sv, "\x0F\x3A"sv}) {
      visit_opcodes(prefix, map, visit);
    }
  }
  for (const auto prefix : kVexPrefixes) {
    for (unsigned shape = 0; shape < 16; ++shape) {
      for (unsigned map = 1; map <= 3; ++map) {
        visit_opcodes(prefix, vex_prefix(map, shape & 1, shape >> 1 & 1, shape >> 2), visit);
      }
    }
  }
  Random random;
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes;
    for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
    visit(bytes);
  }
}

std::string text_of(const Bytes& bytes, uint8_t code_size) {
  std::string text = std::to_string(code_size * 8) + "-bit:";
  for (const std::byte byte : bytes) {
    std::array<char, 4> digits;
    std::snprintf(digits.data(), digits.size(), " %02x", static_cast<unsigned>(byte));
    text += digits.data();
  }
  return text;
}

// --- Lengths ---

struct Lengths {
  Bytes bytes;
  uint8_t code_size;
  Decoded ours;
  unsigned theirs;
  bool has_prefix(uint8_t value) const {
    for (const std::byte byte : bytes) {
      const auto b = static_cast<uint8_t>(byte);
      const bool rex = code_size == 8 && (b & 0xF0) == 0x40;
      constexpr std::string_view kAll = "\x66\x67\xF0\xF2\xF3\x26\x2E\x36\x3E\x64\x65";
      if (!rex && kAll.find(static_cast<char>(b)) == std::string_view::npos) return false;
      if (b == value) return true;
    }
    return false;
  }
  bool differ_by(int bytes_more) const {
    return static_cast<int>(theirs) - static_cast<int>(ours.length) == bytes_more;
  }
};

/// A known reason for another length there, and where ours is written.
struct LengthClass {
  std::string_view name;
  bool (*holds)(const Lengths&);
  std::string_view decided;
};

bool relative_branch(const Lengths& l) {
  return l.ours.operand_count == 1 && l.ours.operands[0].kind == OperandKind::relative;
}

// clang-format off
constexpr auto kLengthClasses = std::to_array<LengthClass>({
    {"a near branch with 66H, or 67H and REX, in 64-bit mode",
     [](const Lengths& l) { return l.code_size == 8 && relative_branch(l) && l.differ_by(-2); },
     "SDM \"CALL\", \"JMP\", \"Jcc\": the operand size is 64 bits there and the displacement 32"},
    {"66H beside F2H or F3H, immediate or displacement of the operand size",
     [](const Lengths& l) {
       return l.has_prefix(0x66) && (l.has_prefix(0xF2) || l.has_prefix(0xF3)) && l.ours.operand_size == 2 &&
              l.differ_by(2);
     },
     "SDM \"Instruction Prefixes\": groups 1 and 3 are independent, 66H still selects 16 bits"},
    {"RET with a count, 66H and REX.W",
     [](const Lengths& l) { return l.ours.opcode_map == 0 && l.ours.opcode == 0xC2 && l.has_prefix(0x66); },
     "SDM \"RET\": C2 iw always has two bytes of count"},
    {"UD0 and UD1",
     [](const Lengths& l) { return l.ours.mnemonic == "ud0" || l.ours.mnemonic == "ud1"; },
     "SDM \"UD\": both have a ModRM byte, with all that it asks for"},
    {"instructions of other vendors, which are #UD here",
     [](const Lengths& l) { return l.ours.mnemonic == "extrq" || l.ours.mnemonic == "insertq"; },
     "a form without a row raises #UD wherever it ends"},
});
// clang-format on

class Capstone {
 public:
  Capstone() {
    constexpr std::array<cs_mode, 3> kModes = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (size_t i = 0; i < kModes.size(); ++i) {
      require(cs_open(CS_ARCH_X86, kModes[i], &handles_[i]) == CS_ERR_OK, "Capstone opens");
    }
    insn_ = cs_malloc(handles_[0]);
  }
  ~Capstone() {
    cs_free(insn_, 1);
    for (csh& handle : handles_) cs_close(&handle);
  }
  Capstone(const Capstone&) = delete;
  Capstone& operator=(const Capstone&) = delete;

  std::optional<unsigned> length(const Bytes& bytes, size_t mode) {
    const auto* code = reinterpret_cast<const uint8_t*>(bytes.data());
    size_t size = bytes.size();
    uint64_t address = 0x1000;
    if (!cs_disasm_iter(handles_[mode], &code, &size, &address, insn_)) return std::nullopt;
    return insn_->size;
  }

 private:
  std::array<csh, 3> handles_{};
  cs_insn* insn_ = nullptr;
};

TEST_CASE("our lengths are Capstone's, but for a closed list of classes", "[cpu][decode]") {
  Capstone capstone;
  std::array<uint64_t, kLengthClasses.size()> seen{};
  uint64_t compared = 0, unknown = 0;
  visit_corpus([&](const Bytes& bytes) {
    for (size_t i = 0; i < kCodeSizes.size(); ++i) {
      const auto ours = decode(bytes, {.code_size = kCodeSizes[i]});
      if (!ours) continue;
      const auto theirs = capstone.length(bytes, i);
      if (!theirs) continue;
      ++compared;
      if (*theirs == ours->length) continue;
      const Lengths lengths{bytes, kCodeSizes[i], *ours, *theirs};
      const auto known = std::find_if(kLengthClasses.begin(), kLengthClasses.end(),
                                      [&](const LengthClass& c) { return c.holds(lengths); });
      if (known != kLengthClasses.end()) {
        ++seen[static_cast<size_t>(known - kLengthClasses.begin())];
      } else if (++unknown <= 20) {
        UNSCOPED_INFO(text_of(bytes, kCodeSizes[i]) << " " << ours->mnemonic << ": ours "
                                                    << int{ours->length} << ", theirs " << *theirs);
      }
    }
  });
  CHECK(unknown == 0);
  CHECK(compared > 1'000'000);
  for (size_t i = 0; i < seen.size(); ++i) {
    INFO(kLengthClasses[i].name << ": " << kLengthClasses[i].decided);
    CHECK(seen[i] != 0);
  }
}

// --- Which forms exist ---

/// What a set of instructions needs CPUID to show. Sets that are not here never exist.
struct SetNeeds {
  ZydisISASet set;
  std::optional<CpuFeature> feature;  ///< none: every processor has it
  std::optional<CpuFeature> second = std::nullopt;
};
// clang-format off
constexpr auto kSets = std::to_array<SetNeeds>({
    {ZYDIS_ISA_SET_I86,           {}}, {ZYDIS_ISA_SET_I186,         {}}, {ZYDIS_ISA_SET_I286PROTECTED, {}},
    {ZYDIS_ISA_SET_I286REAL,      {}}, {ZYDIS_ISA_SET_I386,         {}}, {ZYDIS_ISA_SET_I486,         {}},
    {ZYDIS_ISA_SET_I486REAL,      {}}, {ZYDIS_ISA_SET_PENTIUMREAL,  {}}, {ZYDIS_ISA_SET_PPRO,         {}},
    {ZYDIS_ISA_SET_LONGMODE,      {}}, {ZYDIS_ISA_SET_AMD,          {}}, {ZYDIS_ISA_SET_FAT_NOP,      {}},
    {ZYDIS_ISA_SET_PAUSE,         {}}, {ZYDIS_ISA_SET_PREFETCH_NOP, {}}, {ZYDIS_ISA_SET_PREFETCHWT1,  {}},
    {ZYDIS_ISA_SET_RDPMC,         {}}, {ZYDIS_ISA_SET_SMX,          {}},
    {ZYDIS_ISA_SET_X87,           CpuFeature::fpu},    {ZYDIS_ISA_SET_FCMOV,      CpuFeature::fpu},
    {ZYDIS_ISA_SET_CMOV,          CpuFeature::cmov},   {ZYDIS_ISA_SET_CMPXCHG16B, CpuFeature::cx16},
    {ZYDIS_ISA_SET_FXSAVE,        CpuFeature::fxsr},   {ZYDIS_ISA_SET_FXSAVE64,   CpuFeature::fxsr},
    {ZYDIS_ISA_SET_CLFSH,         CpuFeature::clfsh},  {ZYDIS_ISA_SET_CLFLUSHOPT, CpuFeature::clflushopt},
    {ZYDIS_ISA_SET_CLWB,          CpuFeature::clwb},   {ZYDIS_ISA_SET_INVPCID,    CpuFeature::invpcid},
    {ZYDIS_ISA_SET_LAHF,          CpuFeature::lahf},   {ZYDIS_ISA_SET_LZCNT,      CpuFeature::lzcnt},
    {ZYDIS_ISA_SET_MOVBE,         CpuFeature::movbe},  {ZYDIS_ISA_SET_POPCNT,     CpuFeature::popcnt},
    {ZYDIS_ISA_SET_BMI1,          CpuFeature::bmi1},   {ZYDIS_ISA_SET_BMI2,       CpuFeature::bmi2},
    {ZYDIS_ISA_SET_ADOX_ADCX,     CpuFeature::adx},    {ZYDIS_ISA_SET_RDRAND,     CpuFeature::rdrand},
    {ZYDIS_ISA_SET_RDSEED,        CpuFeature::rdseed}, {ZYDIS_ISA_SET_RDTSCP,     CpuFeature::rdtscp},
    {ZYDIS_ISA_SET_RDWRFSGS,      CpuFeature::fsgsbase}, {ZYDIS_ISA_SET_RDPID,    CpuFeature::rdpid},
    {ZYDIS_ISA_SET_SMAP,          CpuFeature::smap},   {ZYDIS_ISA_SET_MONITOR,    CpuFeature::monitor},
    {ZYDIS_ISA_SET_VTX,           CpuFeature::vmx},    {ZYDIS_ISA_SET_SHA,        CpuFeature::sha},
    {ZYDIS_ISA_SET_XSAVE,         CpuFeature::xsave},  {ZYDIS_ISA_SET_XSAVEC,     CpuFeature::xsavec},
    {ZYDIS_ISA_SET_XSAVEOPT,      CpuFeature::xsaveopt}, {ZYDIS_ISA_SET_XSAVES,   CpuFeature::xsaves},
    {ZYDIS_ISA_SET_PENTIUMMMX,    CpuFeature::mmx},
    {ZYDIS_ISA_SET_SSE,           CpuFeature::sse},    {ZYDIS_ISA_SET_SSEMXCSR,   CpuFeature::sse},
    {ZYDIS_ISA_SET_SSE_PREFETCH,  CpuFeature::sse},    {ZYDIS_ISA_SET_SSE2,       CpuFeature::sse2},
    {ZYDIS_ISA_SET_SSE2MMX,       CpuFeature::sse2, CpuFeature::mmx},
    {ZYDIS_ISA_SET_SSE3,          CpuFeature::sse3},   {ZYDIS_ISA_SET_SSE3X87,    CpuFeature::sse3},
    {ZYDIS_ISA_SET_SSSE3,         CpuFeature::ssse3},
    {ZYDIS_ISA_SET_SSSE3MMX,      CpuFeature::ssse3, CpuFeature::mmx},
    {ZYDIS_ISA_SET_SSE4,          CpuFeature::sse41},  {ZYDIS_ISA_SET_SSE42,      CpuFeature::sse42},
    {ZYDIS_ISA_SET_AES,           CpuFeature::aes},    {ZYDIS_ISA_SET_PCLMULQDQ,  CpuFeature::pclmulqdq},
    {ZYDIS_ISA_SET_AVX,           CpuFeature::avx},    {ZYDIS_ISA_SET_AVX2,       CpuFeature::avx2},
    {ZYDIS_ISA_SET_AVX2GATHER,    CpuFeature::avx2},   {ZYDIS_ISA_SET_AVXAES,     CpuFeature::aes, CpuFeature::avx},
    {ZYDIS_ISA_SET_FMA,           CpuFeature::fma},    {ZYDIS_ISA_SET_F16C,       CpuFeature::f16c},
});

/// Forms that need more than their set says: an MMX register is their operand.
constexpr auto kOfMmx = std::to_array<std::string_view>(
    {"cvtpi2ps", "cvtps2pi", "cvttps2pi", "pmovmskb", "cvtpd2pi", "cvtpi2pd", "cvttpd2pi", "movdq2q", "movq2dq"});
// clang-format on

template <size_t n>
bool contains(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Zydis {
 public:
  Zydis() {
    constexpr std::array<std::pair<ZydisMachineMode, ZydisStackWidth>, 3> kModes = {
        {{ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
         {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
         {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64}}};
    for (size_t i = 0; i < kModes.size(); ++i) {
      ZydisDecoderInit(&decoders_[i], kModes[i].first, kModes[i].second);
      for (const auto off : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
                             ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE}) {
        ZydisDecoderEnableMode(&decoders_[i], off, ZYAN_FALSE);
      }
    }
  }
  std::optional<ZydisDecodedInstruction> decode(const Bytes& bytes, size_t mode) const {
    ZydisDecodedInstruction insn;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    const auto status = ZydisDecoderDecodeFull(&decoders_[mode], bytes.data(), bytes.size(), &insn,
                                               operands.data());
    if (!ZYAN_SUCCESS(status)) return std::nullopt;
    return insn;
  }

 private:
  std::array<ZydisDecoder, 3> decoders_;
};

enum class Exists { no, yes, undecided };

Exists exists(const ZydisDecodedInstruction& insn, const Profile& profile) {
  // LZCNT and TZCNT of a processor without them are BSR and BSF.
  const std::string_view name = ZydisMnemonicGetString(insn.mnemonic);
  const bool has_older = name == "lzcnt" || name == "tzcnt";
  const bool legacy = insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
  if (contains(kOfMmx, name) && !profile.has(CpuFeature::mmx)) return Exists::undecided;
  for (const SetNeeds& row : kSets) {
    if (row.set != insn.meta.isa_set) continue;
    if (row.second && !profile.has(*row.second)) return Exists::no;
    if (!row.feature || profile.has(*row.feature)) return Exists::yes;
    return has_older && legacy ? Exists::yes : Exists::no;
  }
  return Exists::no;
}

TEST_CASE("a form exists exactly when CPUID shows its feature; all others raise #UD",
          "[cpu][decode]") {
  const Zydis zydis;
  uint64_t compared = 0, wrong = 0;
  std::set<std::string> named;
  for (const Profile* profile : {&arch::kSkylakeSp, &arch::kMax}) {
    visit_corpus([&](const Bytes& bytes) {
      for (size_t i = 0; i < kCodeSizes.size(); ++i) {
        const auto theirs = zydis.decode(bytes, i);
        const Exists expected = theirs ? exists(*theirs, *profile) : Exists::no;
        if (expected == Exists::undecided) continue;
        Insn insn;
        if (!build_insn(bytes, {.code_size = kCodeSizes[i]}, *profile, insn)) ++wrong;
        // UD0, UD1 and UD2 have rows; row 0 is ADD, which never raises #UD itself.
        const bool undefined = insn.handler == instruction_too_long ||
                               (insn.handler == undefined_opcode && insn.row == 0);
        ++compared;
        if (undefined == (expected == Exists::no)) continue;
        ++wrong;
        const std::string name = theirs ? std::string(ZydisMnemonicGetString(theirs->mnemonic)) +
                                              " of " + ZydisISASetGetString(theirs->meta.isa_set)
                                        : "(undefined)";
        if (named.size() < 20 && named.insert(name).second) {
          UNSCOPED_INFO(text_of(bytes, kCodeSizes[i])
                        << " " << name << " " << (undefined ? "is" : "is not") << " #UD");
        }
      }
    });
  }
  CHECK(wrong == 0);
  CHECK(compared > 1'000'000);
}

}  // namespace
}  // namespace vitrine::emu
