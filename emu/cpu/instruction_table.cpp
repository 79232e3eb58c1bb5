// The instruction table: the groups' rows joined in a fixed order, and the way from a mnemonic to
// them.
#include "emu/cpu/instruction_table.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vitrine::emu {

namespace {

struct Table {
  std::vector<Row> rows;
  std::vector<uint16_t> by_mnemonic;  ///< row numbers by mnemonic, in table order among equals
  std::unordered_map<std::string_view, size_t> first;  ///< index into by_mnemonic; never iterated

  Table() {
    // Integer and control rows first: where a mnemonic has several meanings, the order of the
    // lists decides only between forms that no two rows share.
    for (const auto group :
         {integer_rows(), control_flow_rows(), string_rows(), segment_rows(), system_rows(),
          x87_rows(), mmx_rows(), sse_rows(), vmx_rows(), avx_rows()}) {
      rows.insert(rows.end(), group.begin(), group.end());
    }
    for (size_t i = 0; i < rows.size(); ++i) by_mnemonic.push_back(static_cast<uint16_t>(i));
    std::stable_sort(by_mnemonic.begin(), by_mnemonic.end(), [this](uint16_t a, uint16_t b) {
      return rows[a].mnemonic < rows[b].mnemonic;
    });
    for (size_t i = 0; i < by_mnemonic.size(); ++i) first.emplace(rows[by_mnemonic[i]].mnemonic, i);
  }
};

const Table& table() {
  static const Table made;
  return made;
}

}  // namespace

std::span<const Row> instruction_table() { return table().rows; }

std::optional<RowMatch> find_row(const Decoded& decoded) {
  const Table& t = table();
  const auto first = t.first.find(decoded.mnemonic);
  if (first == t.first.end()) return std::nullopt;
  for (size_t i = first->second; i < t.by_mnemonic.size(); ++i) {
    const uint16_t row = t.by_mnemonic[i];
    if (t.rows[row].mnemonic != decoded.mnemonic) break;
    const auto select = t.rows[row].select;
    const Handler handler = select == nullptr ? nullptr : select(decoded);
    if (handler != nullptr) return RowMatch{row, handler};
  }
  return std::nullopt;
}

}  // namespace vitrine::emu
