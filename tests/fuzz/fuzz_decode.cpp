// Any bytes as one instruction, in every code size: lengths decide, and refusals depend on what they say.
#include <array>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/require.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/decode.h"
#include "tests/fuzz/input.h"

namespace {

using namespace vitrine::emu;

constexpr std::array<DecodeMode, 3> kModes = {
    {{.code_size = 2, .stack32 = false, .flat = false}, {.code_size = 4}, {.code_size = 8}}};

bool same(const Decoded& a, const Decoded& b) {
  return a.length == b.length && a.mnemonic == b.mnemonic && a.operand_count == b.operand_count &&
         a.operand_size == b.operand_size && a.address_size == b.address_size;
}

void check_mode(std::span<const std::byte, kMaxInsnBytes> bytes, const DecodeMode& mode) {
  const auto whole = decode(bytes, mode);
  std::array<std::byte, kMaxInsnBytes> changed;
  std::copy(bytes.begin(), bytes.end(), changed.begin());
  const size_t length = whole ? whole->length : whole.error().length;
  require(length >= 1 && length <= kMaxInsnBytes, "fifteen bytes decide");
  for (size_t i = length; i < kMaxInsnBytes; ++i) changed[i] ^= std::byte{0xFF};
  const auto again = decode(changed, mode);
  require(static_cast<bool>(whole) == static_cast<bool>(again), "bytes behind it decide nothing");
  if (whole) {
    require(same(*whole, *again), "bytes behind an instruction change nothing of it");
    for (size_t n = 0; n < length; ++n) {
      const auto part = decode(bytes.first(n), mode);
      require(!part && part.error().kind == DecodeError::Kind::more_bytes,
              "a part of an instruction asks for more");
    }
  } else {
    require(whole.error().kind == again.error().kind,
            "bytes behind a refusal change nothing of it");
  }
  for (const arch::CpuProfile* profile : {&arch::kSkylakeSp, &arch::kMax}) {
    Insn insn;
    require(build_insn(bytes, mode, *profile, insn), "fifteen bytes are enough to build");
    require(insn.handler != nullptr, "whatever the bytes are, something executes them");
    require(insn.length == length || !whole, "a built instruction is as long as it was decoded");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vitrine::test::Input in(data, size);
  const DecodeMode& mode = kModes[in.take<uint8_t>() % kModes.size()];
  std::array<std::byte, kMaxInsnBytes> bytes{};
  const auto given = in.take_bytes(bytes.size());
  std::copy(given.begin(), given.end(), reinterpret_cast<uint8_t*>(bytes.data()));
  check_mode(bytes, mode);
  return 0;
}
