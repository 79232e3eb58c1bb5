// VEX instructions against the host's processor: YMM, MXCSR, memory, and what faults.
#include <array>
#include <catch2/catch.hpp>
#include <string_view>

#include "emu/cpu/instruction_table.h"
#include "tests/silicon/comparison.h"
#include "tests/silicon/coverage.h"
#include "tests/silicon/vector_cases.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

// clang-format off
constexpr auto kForms = std::to_array<std::string_view>({
  // moves
  "vex.np.0f 10 /r v0 lx", "vex.np.0f 11 /r v0 lx", "vex.np.0f 28 /r v0 lx", "vex.np.0f 29 /r v0 lx",
  "vex.np.0f 12 /r mem", "vex.np.0f 13 /r mem v0", "vex.np.0f 16 /r mem", "vex.np.0f 17 /r mem v0",
  "vex.np.0f 2b /r mem v0 lx", "vex.np.0f 50 /r reg v0 lx", "vex.66.0f 10 /r v0 lx", "vex.66.0f 11 /r v0 lx",
  "vex.66.0f 28 /r v0 lx", "vex.66.0f 29 /r v0 lx", "vex.66.0f 12 /r mem", "vex.66.0f 13 /r mem v0",
  "vex.66.0f 16 /r mem", "vex.66.0f 17 /r mem v0", "vex.66.0f 2b /r mem v0 lx", "vex.66.0f 50 /r reg v0 lx",
  "vex.np.0f 12 /r reg", "vex.np.0f 16 /r reg", "vex.f3.0f 10 /r mem v0 lx", "vex.f3.0f 10 /r reg lx",
  "vex.f3.0f 11 /r mem v0 lx", "vex.f3.0f 11 /r reg lx", "vex.f2.0f 10 /r mem v0 lx", "vex.f2.0f 10 /r reg lx",
  "vex.f2.0f 11 /r mem v0 lx", "vex.f2.0f 11 /r reg lx", "vex.66.0f 6f /r v0 lx", "vex.66.0f 7f /r v0 lx",
  "vex.f3.0f 6f /r v0 lx", "vex.f3.0f 7f /r v0 lx", "vex.66.0f e7 /r mem v0 lx", "vex.f2.0f f0 /r mem v0 lx",
  "vex.66.38 2a /r mem v0 lx", "vex.66.0f 6e /r v0 w0", "vex.66.0f 7e /r v0 w0", "vex.66.0f 6e /r v0 w1 only64",
  "vex.66.0f 7e /r v0 w1 only64", "vex.f3.0f 7e /r v0", "vex.66.0f d6 /r v0", "vex.66.0f d7 /r reg v0 lx",
  "vex.66.0f f7 /r reg v0", "vex.np.0f 77 v0 lx",
  // elements, permutations, blends
  "vex.f3.0f 12 /r v0 lx", "vex.f3.0f 16 /r v0 lx", "vex.f2.0f 12 /r v0 lx", "vex.66.0f c4 /r ib",
  "vex.66.0f c5 /r ib reg v0", "vex.66.3a 14 /r ib v0 w0", "vex.66.3a 15 /r ib v0 w0",
  "vex.66.3a 16 /r ib v0 w0", "vex.66.3a 16 /r ib v0 w1 only64", "vex.66.3a 17 /r ib v0",
  "vex.66.3a 20 /r ib w0", "vex.66.3a 21 /r ib", "vex.66.3a 22 /r ib w0", "vex.66.3a 22 /r ib w1 only64",
  "vex.66.3a 18 /r ib w0 l1", "vex.66.3a 38 /r ib w0 l1", "vex.66.3a 19 /r ib w0 v0 l1",
  "vex.66.3a 39 /r ib w0 v0 l1", "vex.66.3a 06 /r ib w0 l1", "vex.66.3a 46 /r ib w0 l1",
  "vex.66.3a 00 /r ib w1 v0 l1", "vex.66.3a 01 /r ib w1 v0 l1", "vex.66.38 16 /r w0 l1", "vex.66.38 36 /r w0 l1",
  "vex.66.3a 04 /r ib w0 v0 lx", "vex.66.3a 05 /r ib w0 v0 lx", "vex.66.38 0c /r w0 lx", "vex.66.38 0d /r w0 lx",
  "vex.66.38 18 /r w0 v0 lx", "vex.66.38 58 /r w0 v0 lx", "vex.66.38 59 /r w0 v0 lx", "vex.66.38 78 /r w0 v0 lx",
  "vex.66.38 79 /r w0 v0 lx", "vex.66.38 18 /r w0 v0 lx mem", "vex.66.38 19 /r w0 v0 l1",
  "vex.66.38 1a /r mem w0 v0 l1", "vex.66.38 5a /r mem w0 v0 l1", "vex.66.3a 4a /r ib w0 lx",
  "vex.66.3a 4b /r ib w0 lx", "vex.66.3a 4c /r ib w0 lx", "vex.66.3a 0c /r ib lx", "vex.66.3a 0d /r ib lx",
  "vex.66.3a 0e /r ib lx", "vex.66.3a 0f /r ib lx", "vex.66.3a 42 /r ib lx", "vex.66.3a 02 /r ib w0 lx",
  "vex.66.38 0e /r w0 v0 lx", "vex.66.38 0f /r w0 v0 lx", "vex.66.38 17 /r v0 lx",
  // arithmetic
  "vex.np.0f 58 /r lx", "vex.66.0f 58 /r lx", "vex.f3.0f 58 /r lx", "vex.f2.0f 58 /r lx", "vex.np.0f 59 /r lx",
  "vex.66.0f 59 /r lx", "vex.f3.0f 59 /r lx", "vex.f2.0f 59 /r lx", "vex.np.0f 5c /r lx", "vex.66.0f 5c /r lx",
  "vex.f3.0f 5c /r lx", "vex.f2.0f 5c /r lx", "vex.np.0f 5d /r lx", "vex.66.0f 5d /r lx", "vex.f3.0f 5d /r lx",
  "vex.f2.0f 5d /r lx", "vex.np.0f 5e /r lx", "vex.66.0f 5e /r lx", "vex.f3.0f 5e /r lx", "vex.f2.0f 5e /r lx",
  "vex.np.0f 5f /r lx", "vex.66.0f 5f /r lx", "vex.f3.0f 5f /r lx", "vex.f2.0f 5f /r lx",
  "vex.np.0f 51 /r v0 lx", "vex.66.0f 51 /r v0 lx", "vex.f3.0f 51 /r lx", "vex.f2.0f 51 /r lx",
  "vex.np.0f 52 /r v0 lx", "vex.f3.0f 52 /r lx", "vex.np.0f 53 /r v0 lx", "vex.f3.0f 53 /r lx",
  "vex.np.0f 14 /r lx", "vex.66.0f 14 /r lx", "vex.np.0f 15 /r lx", "vex.66.0f 15 /r lx", "vex.np.0f 54 /r lx",
  "vex.66.0f 54 /r lx", "vex.np.0f 55 /r lx", "vex.66.0f 55 /r lx", "vex.np.0f 56 /r lx", "vex.66.0f 56 /r lx",
  "vex.np.0f 57 /r lx", "vex.66.0f 57 /r lx", "vex.np.0f c2 /r ib lx", "vex.66.0f c2 /r ib lx",
  "vex.f3.0f c2 /r ib lx", "vex.f2.0f c2 /r ib lx", "vex.np.0f c6 /r ib lx", "vex.np.0f 2e /r v0 lx",
  "vex.np.0f 2f /r v0 lx", "vex.66.0f c6 /r ib lx", "vex.66.0f 2e /r v0 lx", "vex.66.0f 2f /r v0 lx",
  "vex.66.0f d0 /r lx", "vex.f2.0f d0 /r lx", "vex.66.0f 7c /r lx", "vex.f2.0f 7c /r lx", "vex.66.0f 7d /r lx",
  "vex.f2.0f 7d /r lx", "vex.66.3a 08 /r ib v0 lx", "vex.66.3a 09 /r ib v0 lx", "vex.66.3a 0a /r ib lx",
  "vex.66.3a 0b /r ib lx", "vex.66.3a 40 /r ib lx", "vex.66.3a 41 /r ib",
  // conversions
  "vex.f3.0f 2a /r lx", "vex.f3.0f 2c /r v0 lx", "vex.f3.0f 2d /r v0 lx", "vex.f3.0f 5a /r lx",
  "vex.f2.0f 2a /r lx", "vex.f2.0f 2c /r v0 lx", "vex.f2.0f 2d /r v0 lx", "vex.f2.0f 5a /r lx",
  "vex.np.0f 5a /r v0 lx", "vex.66.0f 5a /r v0 lx", "vex.np.0f 5b /r v0 lx", "vex.66.0f 5b /r v0 lx",
  "vex.f3.0f 5b /r v0 lx", "vex.66.0f e6 /r v0 lx", "vex.f2.0f e6 /r v0 lx", "vex.f3.0f e6 /r v0 lx",
  "vex.66.38 13 /r w0 v0 lx", "vex.66.3a 1d /r ib w0 v0 lx", "vex.66.38 20 /r v0 lx", "vex.66.38 21 /r v0 lx",
  "vex.66.38 22 /r v0 lx", "vex.66.38 23 /r v0 lx", "vex.66.38 24 /r v0 lx", "vex.66.38 25 /r v0 lx",
  "vex.66.38 30 /r v0 lx", "vex.66.38 31 /r v0 lx", "vex.66.38 32 /r v0 lx", "vex.66.38 33 /r v0 lx",
  "vex.66.38 34 /r v0 lx", "vex.66.38 35 /r v0 lx",
  // packed integers
  "vex.66.0f 60 /r lx", "vex.66.0f 61 /r lx", "vex.66.0f 62 /r lx", "vex.66.0f 63 /r lx", "vex.66.0f 64 /r lx",
  "vex.66.0f 65 /r lx", "vex.66.0f 66 /r lx", "vex.66.0f 67 /r lx", "vex.66.0f 68 /r lx", "vex.66.0f 69 /r lx",
  "vex.66.0f 6a /r lx", "vex.66.0f 6b /r lx", "vex.66.0f 6c /r lx", "vex.66.0f 6d /r lx", "vex.66.0f 74 /r lx",
  "vex.66.0f 75 /r lx", "vex.66.0f 76 /r lx", "vex.66.0f d1 /r lx", "vex.66.0f d2 /r lx", "vex.66.0f d3 /r lx",
  "vex.66.0f d4 /r lx", "vex.66.0f d5 /r lx", "vex.66.0f d8 /r lx", "vex.66.0f d9 /r lx", "vex.66.0f da /r lx",
  "vex.66.0f db /r lx", "vex.66.0f dc /r lx", "vex.66.0f dd /r lx", "vex.66.0f de /r lx", "vex.66.0f df /r lx",
  "vex.66.0f e0 /r lx", "vex.66.0f e1 /r lx", "vex.66.0f e2 /r lx", "vex.66.0f e3 /r lx", "vex.66.0f e4 /r lx",
  "vex.66.0f e5 /r lx", "vex.66.0f e8 /r lx", "vex.66.0f e9 /r lx", "vex.66.0f ea /r lx", "vex.66.0f eb /r lx",
  "vex.66.0f ec /r lx", "vex.66.0f ed /r lx", "vex.66.0f ee /r lx", "vex.66.0f ef /r lx", "vex.66.0f f1 /r lx",
  "vex.66.0f f2 /r lx", "vex.66.0f f3 /r lx", "vex.66.0f f4 /r lx", "vex.66.0f f5 /r lx", "vex.66.0f f6 /r lx",
  "vex.66.0f f8 /r lx", "vex.66.0f f9 /r lx", "vex.66.0f fa /r lx", "vex.66.0f fb /r lx", "vex.66.0f fc /r lx",
  "vex.66.0f fd /r lx", "vex.66.0f fe /r lx", "vex.66.0f 70 /r ib v0 lx", "vex.f3.0f 70 /r ib v0 lx",
  "vex.f2.0f 70 /r ib v0 lx", "vex.66.0f 71 /2 ib reg lx", "vex.66.0f 71 /4 ib reg lx",
  "vex.66.0f 71 /6 ib reg lx", "vex.66.0f 72 /2 ib reg lx", "vex.66.0f 72 /4 ib reg lx",
  "vex.66.0f 72 /6 ib reg lx", "vex.66.0f 73 /2 ib reg lx", "vex.66.0f 73 /3 ib reg lx",
  "vex.66.0f 73 /6 ib reg lx", "vex.66.0f 73 /7 ib reg lx", "vex.66.38 00 /r lx", "vex.66.38 01 /r lx",
  "vex.66.38 02 /r lx", "vex.66.38 03 /r lx", "vex.66.38 04 /r lx", "vex.66.38 05 /r lx", "vex.66.38 06 /r lx",
  "vex.66.38 07 /r lx", "vex.66.38 08 /r lx", "vex.66.38 09 /r lx", "vex.66.38 0a /r lx", "vex.66.38 0b /r lx",
  "vex.66.38 28 /r lx", "vex.66.38 29 /r lx", "vex.66.38 2b /r lx", "vex.66.38 37 /r lx", "vex.66.38 38 /r lx",
  "vex.66.38 39 /r lx", "vex.66.38 3a /r lx", "vex.66.38 3b /r lx", "vex.66.38 3c /r lx", "vex.66.38 3d /r lx",
  "vex.66.38 3e /r lx", "vex.66.38 3f /r lx", "vex.66.38 40 /r lx", "vex.66.38 1c /r v0 lx",
  "vex.66.38 1d /r v0 lx", "vex.66.38 1e /r v0 lx", "vex.66.38 41 /r v0", "vex.66.38 45 /r w0 lx",
  "vex.66.38 47 /r w0 lx", "vex.66.38 45 /r w1 lx", "vex.66.38 47 /r w1 lx", "vex.66.38 46 /r w0 lx",
  // masked moves and gathers
  "vex.66.38 2c /r mem w0 lx", "vex.66.38 2d /r mem w0 lx", "vex.66.38 2e /r mem w0 lx",
  "vex.66.38 2f /r mem w0 lx", "vex.66.38 8c /r mem w0 lx", "vex.66.38 8e /r mem w0 lx",
  "vex.66.38 90 /r vsib w0 lx", "vex.66.38 91 /r vsib w0 lx", "vex.66.38 92 /r vsib w0 lx",
  "vex.66.38 93 /r vsib w0 lx", "vex.66.38 8c /r mem w1 lx", "vex.66.38 8e /r mem w1 lx",
  "vex.66.38 90 /r vsib w1 lx", "vex.66.38 91 /r vsib w1 lx", "vex.66.38 92 /r vsib w1 lx",
  "vex.66.38 93 /r vsib w1 lx",
  // fused multiply-add
  "vex.66.38 96 /r w0 lx", "vex.66.38 96 /r w1 lx", "vex.66.38 97 /r w0 lx", "vex.66.38 97 /r w1 lx",
  "vex.66.38 98 /r w0 lx", "vex.66.38 98 /r w1 lx", "vex.66.38 99 /r w0 lx", "vex.66.38 99 /r w1 lx",
  "vex.66.38 9a /r w0 lx", "vex.66.38 9a /r w1 lx", "vex.66.38 9b /r w0 lx", "vex.66.38 9b /r w1 lx",
  "vex.66.38 9c /r w0 lx", "vex.66.38 9c /r w1 lx", "vex.66.38 9d /r w0 lx", "vex.66.38 9d /r w1 lx",
  "vex.66.38 9e /r w0 lx", "vex.66.38 9e /r w1 lx", "vex.66.38 9f /r w0 lx", "vex.66.38 9f /r w1 lx",
  "vex.66.38 a6 /r w0 lx", "vex.66.38 a6 /r w1 lx", "vex.66.38 a7 /r w0 lx", "vex.66.38 a7 /r w1 lx",
  "vex.66.38 a8 /r w0 lx", "vex.66.38 a8 /r w1 lx", "vex.66.38 a9 /r w0 lx", "vex.66.38 a9 /r w1 lx",
  "vex.66.38 aa /r w0 lx", "vex.66.38 aa /r w1 lx", "vex.66.38 ab /r w0 lx", "vex.66.38 ab /r w1 lx",
  "vex.66.38 ac /r w0 lx", "vex.66.38 ac /r w1 lx", "vex.66.38 ad /r w0 lx", "vex.66.38 ad /r w1 lx",
  "vex.66.38 ae /r w0 lx", "vex.66.38 ae /r w1 lx", "vex.66.38 af /r w0 lx", "vex.66.38 af /r w1 lx",
  "vex.66.38 b6 /r w0 lx", "vex.66.38 b6 /r w1 lx", "vex.66.38 b7 /r w0 lx", "vex.66.38 b7 /r w1 lx",
  "vex.66.38 b8 /r w0 lx", "vex.66.38 b8 /r w1 lx", "vex.66.38 b9 /r w0 lx", "vex.66.38 b9 /r w1 lx",
  "vex.66.38 ba /r w0 lx", "vex.66.38 ba /r w1 lx", "vex.66.38 bb /r w0 lx", "vex.66.38 bb /r w1 lx",
  "vex.66.38 bc /r w0 lx", "vex.66.38 bc /r w1 lx", "vex.66.38 bd /r w0 lx", "vex.66.38 bd /r w1 lx",
  "vex.66.38 be /r w0 lx", "vex.66.38 be /r w1 lx", "vex.66.38 bf /r w0 lx", "vex.66.38 bf /r w1 lx",
  // strings, AES and PCLMULQDQ
  "vex.66.3a 60 /r ib v0", "vex.66.3a 61 /r ib v0", "vex.66.3a 62 /r ib v0", "vex.66.3a 63 /r ib v0",
  "vex.66.38 db /r v0", "vex.66.38 dc /r", "vex.66.38 dd /r", "vex.66.38 de /r", "vex.66.38 df /r",
  "vex.66.3a df /r ib v0", "vex.66.3a 44 /r ib",
  // MXCSR
  "0f ae /2 mem no66", "0f ae /3 mem no66", "vex.np.0f ae /2 mem v0", "vex.np.0f ae /3 mem v0",
  // #UD: lengths, widths and registers that do not exist
  "vex.66.0f 6e /r v0 l1", "vex.np.0f 12 /r mem l1", "vex.np.0f 13 /r mem v0 l1", "vex.66.0f c4 /r ib l1",
  "vex.66.0f c5 /r ib reg v0 l1", "vex.66.38 41 /r v0 l1", "vex.66.38 16 /r w0", "vex.66.38 36 /r w1 l1",
  "vex.66.3a 06 /r ib w0", "vex.66.3a 18 /r ib w0", "vex.66.38 1a /r mem v0 w0",
  "vex.66.38 1a /r reg v0 w0 l1", "vex.66.38 17 /r lx", "vex.np.0f 28 /r lx", "vex.66.0f 6f /r lx",
  "vex.np.0f 50 /r reg lx", "vex.np.0f 51 /r lx", "vex.np.0f 50 /r mem v0", "vex.66.38 46 /r w1 lx",
  "vex.66.38 0c /r w1 lx", "vex.66.3a 4a /r ib w1 lx", "vex.66.38 90 /r reg w0", "vex.np.38 00 /r",
  "vex.f3.0f 58 /r w1 lx", "vex.66.0f 0b /r",
});
// clang-format on

constexpr uint64_t kCasesPerForm = 2'500;

TEST_CASE("AVX instructions do what the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison(prepare_avx);
  comparison.run(forms, kForms.size() * kCasesPerForm, 256);
  comparison.print();
  CHECK(comparison.failures == 0);
  for (const uint16_t row : rows_of(Suite::avx)) {
    const std::string_view mnemonic = emu::instruction_table()[row].mnemonic;
    INFO(mnemonic << ", row " << row);
    const RowCount count = comparison.rows[row];
    CHECK(count.cases >= kLeastPerRow);
    const bool estimate = mnemonic.starts_with("vr") && mnemonic.find("round") == mnemonic.npos;
    CHECK((estimate || count.diverging * 3 <= count.cases));
  }
}

}  // namespace
}  // namespace vitrine::test
