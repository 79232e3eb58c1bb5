// Vector instructions against the host's processor: XMM, MMX and MXCSR, memory, and what faults.
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
  // SSE and SSE2: moves
  "0f 10 /r", "66 0f 10 /r", "f3 0f 10 /r", "f2 0f 10 /r", "0f 11 /r", "66 0f 11 /r", "f3 0f 11 /r", "f2 0f 11 /r",
  "0f 12 /r mem", "0f 12 /r reg", "66 0f 12 /r mem", "0f 13 /r mem", "66 0f 13 /r mem",
  "0f 16 /r mem", "0f 16 /r reg", "66 0f 16 /r mem", "0f 17 /r mem", "66 0f 17 /r mem",
  "0f 28 /r", "66 0f 28 /r", "0f 29 /r", "66 0f 29 /r", "0f 2b /r mem", "66 0f 2b /r mem", "66 0f e7 /r mem",
  "66 0f 6f /r", "f3 0f 6f /r", "66 0f 7f /r", "f3 0f 7f /r", "66 0f 6e /r", "66 0f 7e /r", "f3 0f 7e /r", "66 0f d6 /r",
  "0f 50 /r reg", "66 0f 50 /r reg", "66 0f d7 /r reg",
  // arithmetic
  "0f 51 /r", "66 0f 51 /r", "f3 0f 51 /r", "f2 0f 51 /r", "0f 52 /r no66", "f3 0f 52 /r", "0f 53 /r no66", "f3 0f 53 /r",
  "0f 58 /r", "66 0f 58 /r", "f3 0f 58 /r", "f2 0f 58 /r", "0f 59 /r", "66 0f 59 /r", "f3 0f 59 /r", "f2 0f 59 /r",
  "0f 5c /r", "66 0f 5c /r", "f3 0f 5c /r", "f2 0f 5c /r", "0f 5d /r", "66 0f 5d /r", "f3 0f 5d /r", "f2 0f 5d /r",
  "0f 5e /r", "66 0f 5e /r", "f3 0f 5e /r", "f2 0f 5e /r", "0f 5f /r", "66 0f 5f /r", "f3 0f 5f /r", "f2 0f 5f /r",
  "0f c2 /r ib", "66 0f c2 /r ib", "f3 0f c2 /r ib", "f2 0f c2 /r ib", "0f 2e /r", "66 0f 2e /r", "0f 2f /r", "66 0f 2f /r",
  // conversions
  "f3 0f 2a /r", "f2 0f 2a /r", "f3 0f 2c /r", "f2 0f 2c /r", "f3 0f 2d /r", "f2 0f 2d /r",
  "0f 5a /r", "66 0f 5a /r", "f3 0f 5a /r", "f2 0f 5a /r", "0f 5b /r", "66 0f 5b /r", "f3 0f 5b /r",
  "66 0f e6 /r", "f2 0f e6 /r", "f3 0f e6 /r",
  // logic and shuffles
  "0f 14 /r", "66 0f 14 /r", "0f 15 /r", "66 0f 15 /r", "0f 54 /r", "66 0f 54 /r", "0f 55 /r", "66 0f 55 /r",
  "0f 56 /r", "66 0f 56 /r", "0f 57 /r", "66 0f 57 /r", "0f c6 /r ib", "66 0f c6 /r ib",
  "66 0f 70 /r ib", "f3 0f 70 /r ib", "f2 0f 70 /r ib",
  // packed integers
  "66 0f 60 /r", "66 0f 61 /r", "66 0f 62 /r", "66 0f 63 /r", "66 0f 64 /r", "66 0f 65 /r", "66 0f 66 /r", "66 0f 67 /r",
  "66 0f 68 /r", "66 0f 69 /r", "66 0f 6a /r", "66 0f 6b /r", "66 0f 6c /r", "66 0f 6d /r", "66 0f 74 /r", "66 0f 75 /r", "66 0f 76 /r",
  "66 0f 71 /2 ib reg", "66 0f 71 /4 ib reg", "66 0f 71 /6 ib reg", "66 0f 72 /2 ib reg", "66 0f 72 /4 ib reg", "66 0f 72 /6 ib reg",
  "66 0f 73 /2 ib reg", "66 0f 73 /3 ib reg", "66 0f 73 /6 ib reg", "66 0f 73 /7 ib reg", "66 0f c4 /r ib", "66 0f c5 /r ib reg",
  "66 0f d1 /r", "66 0f d2 /r", "66 0f d3 /r", "66 0f d4 /r", "66 0f d5 /r", "66 0f d8 /r", "66 0f d9 /r", "66 0f da /r",
  "66 0f db /r", "66 0f dc /r", "66 0f dd /r", "66 0f de /r", "66 0f df /r", "66 0f e0 /r", "66 0f e1 /r", "66 0f e2 /r",
  "66 0f e3 /r", "66 0f e4 /r", "66 0f e5 /r", "66 0f e8 /r", "66 0f e9 /r", "66 0f ea /r", "66 0f eb /r", "66 0f ec /r",
  "66 0f ed /r", "66 0f ee /r", "66 0f ef /r", "66 0f f1 /r", "66 0f f2 /r", "66 0f f3 /r", "66 0f f4 /r", "66 0f f5 /r",
  "66 0f f6 /r", "66 0f f8 /r", "66 0f f9 /r", "66 0f fa /r", "66 0f fb /r", "66 0f fc /r", "66 0f fd /r", "66 0f fe /r",
  // MMX
  "0f 60 /r no66", "0f 61 /r no66", "0f 62 /r no66", "0f 63 /r no66", "0f 64 /r no66", "0f 65 /r no66", "0f 66 /r no66",
  "0f 67 /r no66", "0f 68 /r no66", "0f 69 /r no66", "0f 6a /r no66", "0f 6b /r no66", "0f 6e /r no66", "0f 6f /r no66",
  "0f 74 /r no66", "0f 75 /r no66", "0f 76 /r no66", "0f 7e /r no66", "0f 7f /r no66", "0f d1 /r no66", "0f d2 /r no66",
  "0f d3 /r no66", "0f d4 /r no66", "0f d5 /r no66", "0f d8 /r no66", "0f d9 /r no66", "0f da /r no66", "0f db /r no66",
  "0f dc /r no66", "0f dd /r no66", "0f de /r no66", "0f df /r no66", "0f e0 /r no66", "0f e1 /r no66", "0f e2 /r no66",
  "0f e3 /r no66", "0f e4 /r no66", "0f e5 /r no66", "0f e8 /r no66", "0f e9 /r no66", "0f ea /r no66", "0f eb /r no66",
  "0f ec /r no66", "0f ed /r no66", "0f ee /r no66", "0f ef /r no66", "0f f1 /r no66", "0f f2 /r no66", "0f f3 /r no66",
  "0f f4 /r no66", "0f f5 /r no66", "0f f6 /r no66", "0f f8 /r no66", "0f f9 /r no66", "0f fa /r no66", "0f fb /r no66",
  "0f fc /r no66", "0f fd /r no66", "0f fe /r no66", "0f 71 /2 ib reg no66", "0f 71 /4 ib reg no66", "0f 71 /6 ib reg no66",
  "0f 72 /2 ib reg no66", "0f 72 /4 ib reg no66", "0f 72 /6 ib reg no66", "0f 73 /2 ib reg no66", "0f 73 /6 ib reg no66",
  "0f 70 /r ib no66", "0f c4 /r ib no66", "0f c5 /r ib reg no66", "0f d7 /r reg no66", "0f e7 /r mem no66",
  "0f f7 /r reg no66", "66 0f f7 /r reg", "f2 0f d6 /r reg", "f3 0f d6 /r reg", "0f 2a /r no66", "0f 2c /r no66",
  "0f 2d /r no66", "66 0f 2a /r", "66 0f 2c /r", "66 0f 2d /r", "0f 77",
  // SSE3
  "f3 0f 12 /r", "f2 0f 12 /r", "f3 0f 16 /r", "f2 0f d0 /r", "66 0f d0 /r", "f2 0f 7c /r", "66 0f 7c /r", "f2 0f 7d /r",
  "66 0f 7d /r", "f2 0f f0 /r mem",
  // SSSE3
  "0f 38 00 /r no66", "66 0f 38 00 /r", "0f 38 01 /r no66", "66 0f 38 01 /r", "0f 38 02 /r no66", "66 0f 38 02 /r",
  "0f 38 03 /r no66", "66 0f 38 03 /r", "0f 38 04 /r no66", "66 0f 38 04 /r", "0f 38 05 /r no66", "66 0f 38 05 /r",
  "0f 38 06 /r no66", "66 0f 38 06 /r", "0f 38 07 /r no66", "66 0f 38 07 /r", "0f 38 08 /r no66", "66 0f 38 08 /r",
  "0f 38 09 /r no66", "66 0f 38 09 /r", "0f 38 0a /r no66", "66 0f 38 0a /r", "0f 38 0b /r no66", "66 0f 38 0b /r",
  "0f 38 1c /r no66", "66 0f 38 1c /r", "0f 38 1d /r no66", "66 0f 38 1d /r", "0f 38 1e /r no66", "66 0f 38 1e /r",
  "0f 3a 0f /r ib no66", "66 0f 3a 0f /r ib",
  // SSE4.1 and SSE4.2
  "66 0f 38 10 /r", "66 0f 38 14 /r", "66 0f 38 15 /r", "66 0f 38 17 /r", "66 0f 38 20 /r", "66 0f 38 21 /r",
  "66 0f 38 22 /r", "66 0f 38 23 /r", "66 0f 38 24 /r", "66 0f 38 25 /r", "66 0f 38 28 /r", "66 0f 38 29 /r",
  "66 0f 38 2b /r", "66 0f 38 30 /r", "66 0f 38 31 /r", "66 0f 38 32 /r", "66 0f 38 33 /r", "66 0f 38 34 /r",
  "66 0f 38 35 /r", "66 0f 38 37 /r", "66 0f 38 38 /r", "66 0f 38 39 /r", "66 0f 38 3a /r", "66 0f 38 3b /r",
  "66 0f 38 3c /r", "66 0f 38 3d /r", "66 0f 38 3e /r", "66 0f 38 3f /r", "66 0f 38 40 /r", "66 0f 38 41 /r",
  "66 0f 38 2a /r mem", "66 0f 3a 08 /r ib", "66 0f 3a 09 /r ib", "66 0f 3a 0a /r ib", "66 0f 3a 0b /r ib",
  "66 0f 3a 0c /r ib", "66 0f 3a 0d /r ib", "66 0f 3a 0e /r ib", "66 0f 3a 14 /r ib", "66 0f 3a 15 /r ib",
  "66 0f 3a 16 /r ib", "66 0f 3a 17 /r ib", "66 0f 3a 20 /r ib", "66 0f 3a 21 /r ib", "66 0f 3a 22 /r ib",
  "66 0f 3a 40 /r ib", "66 0f 3a 41 /r ib", "66 0f 3a 42 /r ib", "66 0f 3a 60 /r ib", "66 0f 3a 61 /r ib",
  "66 0f 3a 62 /r ib", "66 0f 3a 63 /r ib", "66 0f 3a 16 /r ib w1 only64", "66 0f 3a 22 /r ib w1 only64",
  // AES and PCLMULQDQ
  "66 0f 38 db /r", "66 0f 38 dc /r", "66 0f 38 dd /r", "66 0f 38 de /r", "66 0f 38 df /r", "66 0f 3a df /r ib",
  "66 0f 3a 44 /r ib",
});
// clang-format on

constexpr uint64_t kCasesPerForm = 2'000;

TEST_CASE("vector instructions do what the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison(prepare_vectors);
  comparison.run(forms, kForms.size() * kCasesPerForm, 128);
  comparison.print();
  CHECK(comparison.failures == 0);
  for (const uint16_t row : rows_of(Suite::vector)) {
    INFO(emu::instruction_table()[row].mnemonic << ", row " << row);
    const RowCount count = comparison.rows[row];
    CHECK(count.cases >= kLeastPerRow);
    // The estimates differ nearly everywhere, conversions wherever an exception is unmasked.
    const bool estimate = emu::instruction_table()[row].mnemonic[0] == 'r';
    CHECK((estimate || count.diverging * 3 <= count.cases));
  }
}

}  // namespace
}  // namespace vitrine::test
