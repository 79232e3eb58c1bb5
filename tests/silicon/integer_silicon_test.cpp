// Integer instructions against the host's processor: registers, flags, memory and faults.
#include <catch2/catch.hpp>
#include <string_view>

#include "emu/cpu/instruction_table.h"
#include "tests/silicon/comparison.h"
#include "tests/silicon/coverage.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

// clang-format off
constexpr auto kForms = std::to_array<std::string_view>({
  "00 /r lock", "01 /r lock", "02 /r", "03 /r", "04 ib", "05 iz", "80 /0 ib lock", "81 /0 iz lock", "83 /0 ib lock",
  "08 /r lock", "09 /r lock", "0a /r", "0b /r", "0c ib", "0d iz", "80 /1 ib lock", "81 /1 iz lock", "83 /1 ib lock",
  "10 /r lock", "11 /r lock", "12 /r", "13 /r", "14 ib", "15 iz", "80 /2 ib lock", "81 /2 iz lock", "83 /2 ib lock",
  "18 /r lock", "19 /r lock", "1a /r", "1b /r", "1c ib", "1d iz", "80 /3 ib lock", "81 /3 iz lock", "83 /3 ib lock",
  "20 /r lock", "21 /r lock", "22 /r", "23 /r", "24 ib", "25 iz", "80 /4 ib lock", "81 /4 iz lock", "83 /4 ib lock",
  "28 /r lock", "29 /r lock", "2a /r", "2b /r", "2c ib", "2d iz", "80 /5 ib lock", "81 /5 iz lock", "83 /5 ib lock",
  "30 /r lock", "31 /r lock", "32 /r", "33 /r", "34 ib", "35 iz", "80 /6 ib lock", "81 /6 iz lock", "83 /6 ib lock",
  "38 /r",      "39 /r",      "3a /r", "3b /r", "3c ib", "3d iz", "80 /7 ib",      "81 /7 iz",      "83 /7 ib",
  "84 /r", "85 /r", "a8 ib", "a9 iz", "f6 /0 ib", "f7 /0 iz", "f6 /1 ib", "f7 /1 iz",
  "40 +r only32", "48 +r only32", "fe /0 lock", "fe /1 lock", "ff /0 lock", "ff /1 lock",
  "f6 /2 lock", "f7 /2 lock", "f6 /3 lock", "f7 /3 lock",
  "88 /r", "89 /r", "8a /r", "8b /r", "b0 +r ib", "b8 +r iq", "c6 /0 ib", "c7 /0 iz",
  "a0 moffs", "a1 moffs", "a2 moffs", "a3 moffs",
  "0f b6 /r", "0f b7 /r", "0f be /r", "0f bf /r", "63 /r only64", "8d /r mem",
  "86 /r lock", "87 /r lock", "90 +r", "0f c0 /r lock", "0f c1 /r lock", "0f b0 /r lock", "0f b1 /r lock",
  "0f c7 /1 mem lock", "0f c7 /1 mem lock w1 only64", "0f c8 +r",
  "f2 0f 38 f0 /r", "f2 0f 38 f1 /r", "0f 38 f0 /r mem", "0f 38 f1 /r mem",
  "0f 40 /r", "0f 41 /r", "0f 42 /r", "0f 43 /r", "0f 44 /r", "0f 45 /r", "0f 46 /r", "0f 47 /r",
  "0f 48 /r", "0f 49 /r", "0f 4a /r", "0f 4b /r", "0f 4c /r", "0f 4d /r", "0f 4e /r", "0f 4f /r",
  "0f 90 /r", "0f 91 /r", "0f 92 /r", "0f 93 /r", "0f 94 /r", "0f 95 /r", "0f 96 /r", "0f 97 /r",
  "0f 98 /r", "0f 99 /r", "0f 9a /r", "0f 9b /r", "0f 9c /r", "0f 9d /r", "0f 9e /r", "0f 9f /r",
  "50 +r stack", "58 +r stack", "68 iz stack", "6a ib stack", "ff /6 stack", "8f /0 stack",
  "60 stack only32", "61 stack only32", "9c stack", "9d stack", "9c stack only32", "9d stack only32", "c8 iw ib stack", "c9 stack",
  "9e", "9f", "f8", "f9", "f5", "fc", "fd",
  "c0 /0 ib", "c0 /1 ib", "c0 /2 ib", "c0 /3 ib", "c0 /4 ib", "c0 /5 ib", "c0 /6 ib", "c0 /7 ib",
  "c1 /0 ib", "c1 /1 ib", "c1 /2 ib", "c1 /3 ib", "c1 /4 ib", "c1 /5 ib", "c1 /6 ib", "c1 /7 ib",
  "d0 /0", "d0 /1", "d0 /2", "d0 /3", "d0 /4", "d0 /5", "d0 /7", "d1 /0", "d1 /1", "d1 /2", "d1 /3", "d1 /4", "d1 /5", "d1 /7",
  "d2 /0", "d2 /1", "d2 /2", "d2 /3", "d2 /4", "d2 /5", "d2 /7", "d3 /0", "d3 /1", "d3 /2", "d3 /3", "d3 /4", "d3 /5", "d3 /7",
  "0f a4 /r ib count", "0f a5 /r count", "0f ac /r ib count", "0f ad /r count",
  "0f a3 /r", "0f ab /r lock", "0f b3 /r lock", "0f bb /r lock",
  "0f ba /4 ib", "0f ba /5 ib lock", "0f ba /6 ib lock", "0f ba /7 ib lock",
  "0f bc /r", "0f bd /r", "f3 0f bc /r", "f3 0f bd /r", "f3 0f b8 /r",
  "vex.np.38 f2 /r", "vex.np.38 f7 /r", "vex.np.38 f3 /1", "vex.np.38 f3 /2", "vex.np.38 f3 /3", "vex.np.38 f5 /r",
  "vex.f2.38 f5 /r", "vex.f3.38 f5 /r", "vex.f2.38 f6 /r", "vex.f2.3a f0 /r ib v0", "vex.66.38 f7 /r", "vex.f3.38 f7 /r",
  "vex.f2.38 f7 /r", "66 0f 38 f6 /r no66", "f3 0f 38 f6 /r no66",
  "f6 /4", "f7 /4", "f6 /5", "f7 /5", "0f af /r", "6b /r ib", "69 /r iz", "f6 /6", "f7 /6", "f6 /7", "f7 /7",
  "98", "99",
  "37 only32", "3f only32", "27 only32", "2f only32", "d4 ib only32", "d5 ib only32", "d6 only32", "62 /r mem only32",
  "d7",
  "0f 18 /0 mem", "0f 18 /1 mem", "0f 18 /2 mem", "0f 18 /3 mem", "0f 1f /r", "0f 0d /r mem", "0f 0d /1 mem", "0f 0d /2 mem", "0f 19 /r", "0f 1c /r reg", "f3 0f 1e fa", "f3 90",
  "0f ae e8", "0f ae f0", "0f ae f8", "0f ae /7 mem no66", "66 0f ae /7 mem no66", "66 0f ae /6 mem no66", "0f c3 /r mem no66",
  "70 rel8 no66", "71 rel8 no66", "72 rel8 no66", "73 rel8 no66", "74 rel8 no66", "75 rel8 no66", "76 rel8 no66", "77 rel8 no66",
  "78 rel8 no66", "79 rel8 no66", "7a rel8 no66", "7b rel8 no66", "7c rel8 no66", "7d rel8 no66", "7e rel8 no66", "7f rel8 no66",
  "0f 80 relz no66", "0f 81 relz no66", "0f 82 relz no66", "0f 83 relz no66", "0f 84 relz no66", "0f 85 relz no66",
  "0f 86 relz no66", "0f 87 relz no66", "0f 88 relz no66", "0f 89 relz no66", "0f 8a relz no66", "0f 8b relz no66",
  "0f 8c relz no66", "0f 8d relz no66", "0f 8e relz no66", "0f 8f relz no66", "e0 rel8 no66 a16", "e1 rel8 no66 a16", "e2 rel8 no66 a16", "e3 rel8 no66 a16", "e3 rel8 no66 a16 only32",
  "eb rel8 no66", "e9 relz no66", "e8 relz stack no66", "ff /4 no66", "ff /2 stack no66", "c3 stack no66", "c2 iw stack no66",
  "0f 0b", "0f b9 /r", "0f ff /r",
  "a4 rep", "a5 rep", "a6 rep", "a7 rep", "aa rep", "ab rep", "ac rep", "ad rep", "ae rep", "af rep",
});
// clang-format on

constexpr uint64_t kCases = 2'050'000;

TEST_CASE("integer instructions do what the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison;
  comparison.run(forms, kCases, 1);
  comparison.print();
  CHECK(comparison.failures == 0);
  for (const uint16_t row : rows_of(Suite::integer)) {
    INFO(emu::instruction_table()[row].mnemonic << ", row " << row);
    const RowCount count = comparison.rows[row];
    CHECK(count.cases >= kLeastPerRow);
    CHECK(count.diverging * 100 <= count.cases);
  }
}

}  // namespace
}  // namespace vitrine::test
