// Words that every text form shares: numbers in hexadecimal, columns, names as expressions spell them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::ui {

/// "0x1c", without leading zeros.
std::string hex(uint64_t value);
/// "0x0000001c": at least `digits` digits.
std::string hex(uint64_t value, unsigned digits);
std::string pad_left(std::string text, size_t width);
std::string pad_right(std::string text, size_t width);
/// "ept_violation" for "EPT violation".
std::string expression_name(std::string_view name);
/// The whole text as a number, decimal or with 0x.
std::optional<uint64_t> parse_number(std::string_view text);

/// Rows of cells, printed with columns as wide as their widest cell; the last is not padded.
class Columns {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text(std::string_view indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// A bit and its name, highest first where they are listed.
struct BitName {
  uint64_t mask;
  std::string_view name;
};

}  // namespace vitrine::ui
