// The instruction table: the groups' rows joined in a fixed order, and the way from a mnemonic to
// them.
#include "emu/cpu/instruction_table.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vitrine::emu {

namespace {

struct Table {
  std::vector<Row> rows;
  std::vector<uint16_t> by_mnemonic;  ///< row numbers by mnemonic, in table order among equals

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
  auto it = std::lower_bound(
      t.by_mnemonic.begin(), t.by_mnemonic.end(), decoded.mnemonic,
      [&t](uint16_t row, std::string_view mnemonic) { return t.rows[row].mnemonic < mnemonic; });
  for (; it != t.by_mnemonic.end() && t.rows[*it].mnemonic == decoded.mnemonic; ++it) {
    const auto select = t.rows[*it].select;
    const Handler handler = select == nullptr ? nullptr : select(decoded);
    if (handler != nullptr) return RowMatch{*it, handler};
  }
  return std::nullopt;
}

}  // namespace vitrine::emu
