// Which suite judges which rows of the instruction table, and which rows no host program can judge.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tests/silicon/comparison.h"

namespace vitrine::test {

enum class Suite : uint8_t { integer, x87, vector, avx };

/// The rows that a suite must have cases of, by number in the whole table.
std::vector<uint16_t> rows_of(Suite suite);

/// Rows that are not compared with the host, by mnemonic, with the reason.
struct Untested {
  std::string_view mnemonic;
  std::string_view reason;
};
std::span<const Untested> untested_rows();

/// What every row that can execute at CPL 3 must at least have.
inline constexpr uint64_t kLeastPerRow = 1'000;

}  // namespace vitrine::test
