// The integer rows: the lists of the integer files, joined.
#include <vector>

#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

std::span<const Row> integer_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> joined;
    for (const auto group :
         {arithmetic_rows(), move_rows(), shift_rows(), bit_rows(), multiply_rows(), stack_rows(),
          decimal_rows(), exchange_rows(), bmi_rows(), hint_rows()}) {
      joined.insert(joined.end(), group.begin(), group.end());
    }
    return joined;
  }();
  return rows;
}

}  // namespace vitrine::emu
