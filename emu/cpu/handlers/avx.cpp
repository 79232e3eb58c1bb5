// The rows of all AVX files, joined.
#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

std::span<const Row> avx_rows() {
  static const std::vector<Row> kAll = [] {
    std::vector<Row> all;
    for (const auto list :
         {avx_move_rows(), avx_element_rows(), avx_permute_rows(), avx_integer_rows(),
          avx_float_rows(), avx_convert_rows(), avx_masked_rows(), avx_gather_rows(),
          avx_fma_rows(), avx_crypto_rows(), avx_string_rows()}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace vitrine::emu
