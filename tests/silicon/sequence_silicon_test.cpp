// Random sequences of 2 to 20 instructions against the host's processor: flags, partial registers and
// vectors carried from one to the next.
#include <array>
#include <catch2/catch.hpp>
#include <string_view>

#include "emu/arch/registers.h"
#include "tests/silicon/comparison.h"
#include "tests/silicon/vector_cases.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

// Forms that leave no flag undefined and no result to the processor.
// clang-format off
constexpr auto kForms = std::to_array<std::string_view>({
  "00 /r lock", "01 /r lock", "02 /r", "03 /r", "10 /r lock", "11 /r lock", "12 /r", "13 /r", "18 /r lock", "19 /r lock",
  "1a /r", "1b /r", "28 /r lock", "29 /r lock", "2a /r", "2b /r", "20 /r", "21 /r", "22 /r", "23 /r", "08 /r", "09 /r",
  "30 /r", "31 /r", "32 /r", "33 /r", "38 /r", "39 /r", "3a /r", "3b /r", "84 /r", "85 /r", "04 ib", "05 iz", "14 ib",
  "80 /0 ib", "81 /2 iz", "83 /3 ib", "83 /5 ib", "83 /7 ib", "fe /0", "fe /1", "ff /0", "ff /1", "f6 /2", "f7 /2",
  "f6 /3", "f7 /3", "88 /r", "89 /r", "8a /r", "8b /r", "b0 +r ib", "b8 +r iq", "c6 /0 ib", "c7 /0 iz",
  "0f b6 /r", "0f b7 /r", "0f be /r", "0f bf /r", "63 /r only64", "86 /r", "87 /r", "0f c0 /r", "0f c1 /r", "0f b1 /r",
  "0f c8 +r", "0f 38 f0 /r mem", "0f 42 /r", "0f 44 /r", "0f 48 /r", "0f 4a /r", "0f 4c /r", "0f 4f /r",
  "0f 90 /r", "0f 92 /r", "0f 94 /r", "0f 97 /r", "0f 9b /r", "0f 9e /r", "9e", "9f", "f5", "f8", "f9", "98", "99",
  "c0 /2 ib", "c1 /0 ib", "c1 /1 ib", "c1 /3 ib", "d1 /2", "d3 /3", "66 0f 38 f6 /r no66", "f3 0f 38 f6 /r no66",
  "0f ba /5 ib", "vex.f2.3a f0 /r ib v0", "vex.f2.38 f6 /r", "vex.f3.38 f7 /r",
  "0f 58 /r", "66 0f 58 /r", "f3 0f 59 /r", "f2 0f 5c /r", "0f 2e /r", "66 0f 2f /r", "f2 0f 2a /r", "f2 0f 2d /r",
  "0f 5b /r", "f3 0f 6f /r", "f3 0f 7f /r", "66 0f 6e /r", "66 0f 7e /r", "66 0f fe /r", "66 0f ef /r", "66 0f 38 00 /r",
  "66 0f d7 /r reg", "0f c6 /r ib", "66 0f 38 17 /r", "66 0f 72 /2 ib reg", "0f ae /3 mem no66",
  "vex.np.0f 58 /r lx", "vex.66.0f 59 /r lx", "vex.f2.0f 5c /r lx", "vex.66.38 98 /r w0 lx", "vex.66.38 bd /r w1",
  "vex.f3.0f 6f /r v0 lx", "vex.f3.0f 7f /r v0 lx", "vex.66.0f fe /r lx", "vex.66.0f ef /r lx", "vex.66.38 00 /r lx",
  "vex.66.3a 06 /r ib w0 l1", "vex.66.38 17 /r v0 lx", "vex.np.0f c2 /r ib lx", "vex.66.38 36 /r w0 l1",
  "vex.66.0f d7 /r reg v0 lx", "vex.np.0f 77 v0 lx", "vex.f3.0f e6 /r v0 lx", "vex.66.38 2c /r mem w0 lx",
  "vex.66.38 2e /r mem w0 lx",
});
// clang-format on

TEST_CASE("sequences of instructions do what the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison(prepare_vectors);
  constexpr uint64_t kCases = 200'000;
  comparison.run_sequences(forms, kCases, 512);
  comparison.print();
  CHECK(comparison.failures == 0);
  CHECK(comparison.total > kCases * 9 / 10);
}

TEST_CASE("a flag that one instruction of a sequence leaves wrong is found", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison(prepare_vectors);
  comparison.defect = [](const Case&, const emu::Insn&, Outcome& ours) {
    if (!ours.faulted) ours.after.rflags ^= emu::arch::rflags::cf;
  };
  comparison.run_sequences(forms, 200, 513);
  CHECK(comparison.failures > 50);
}

}  // namespace
}  // namespace vitrine::test
