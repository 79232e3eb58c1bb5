// Every row of the instruction table is in a suite that must have cases of it, or says why not.
#include "tests/silicon/coverage.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <set>
#include <string>

#include "emu/cpu/instruction_table.h"

namespace vitrine::test {
namespace {

TEST_CASE("every row is compared with the host or listed with the reason why not", "[silicon]") {
  std::set<uint16_t> judged;
  for (const Suite suite : {Suite::integer, Suite::x87, Suite::vector, Suite::avx}) {
    for (const uint16_t row : rows_of(suite)) CHECK(judged.insert(row).second);
  }
  const auto table = emu::instruction_table();
  std::set<std::string_view> listed;
  for (uint16_t row = 0; row < table.size(); ++row) {
    if (judged.count(row) != 0) continue;
    const std::string_view mnemonic = table[row].mnemonic;
    const auto all = untested_rows();
    const bool known = std::any_of(all.begin(), all.end(), [&](const Untested& u) {
      return u.mnemonic == mnemonic && !u.reason.empty();
    });
    INFO(mnemonic << ", row " << row);
    CHECK(known);
    listed.insert(mnemonic);
  }
  for (const Untested& u : untested_rows()) {
    INFO(u.mnemonic);
    CHECK(listed.count(u.mnemonic) == 1);
  }
  std::printf("%zu rows, %zu in suites of at least %llu cases each, %zu mnemonics listed\n",
              table.size(), judged.size(), static_cast<unsigned long long>(kLeastPerRow),
              listed.size());
}

}  // namespace
}  // namespace vitrine::test
