// The floating-point workload for speed figures: matrix products and bodies under gravity.
#include "roms/test/vectors.h"

#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/serial.h"

using namespace vitrine::kit;

namespace {

/// CR4.OSFXSR and OSXMMEXCPT; where the processor has AVX, OSXSAVE and the bits of XCR0 for it.
bool enable_vectors() {
  constexpr std::uint32_t kAvxAndXsave = 1U << 28 | 1U << 26;
  const bool avx = (cpuid(1).ecx & kAvxAndXsave) == kAvxAndXsave;
  std::uint64_t cr4 = 0;
  asm volatile("mov %%cr4, %0" : "=r"(cr4));
  cr4 |= 0x600U | (avx ? 1U << 18 : 0U);
  asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
  if (avx) asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0) : "memory");
  return avx;
}

}  // namespace

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
