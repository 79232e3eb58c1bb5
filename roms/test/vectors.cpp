// The floating-point workload for speed figures: matrix products and bodies under gravity.
#include "roms/bench/vectors.h"

#include "roms/kit/boot.h"
#include "roms/kit/serial.h"
#include "roms/kit/vectors.h"

using namespace vitrine::bench;
using namespace vitrine::kit;

/// Rounds of each workload, 0 to leave it out.
std::uint32_t payload_main() {
  const bool avx = enable_vectors();
  if (const auto n = option_number("matrix=", 20); n != 0) {
    print_line("matrix sse2 ", Hex{matrix_sse2(n)});
  }
  if (const auto n = option_number("bodies=", 20); n != 0) {
    print_line("bodies sse2 ", Hex{bodies_sse2(n)});
  }
  if (const auto n = option_number("matrix_avx2=", 20); avx && n != 0) {
    print_line("matrix avx2 ", Hex{matrix_avx2(n)});
  }
  if (const auto n = option_number("bodies_avx2=", 20); avx && n != 0) {
    print_line("bodies avx2 ", Hex{bodies_avx2(n)});
  }
  print_line("VECTORS PASS");
  return 0;
}
