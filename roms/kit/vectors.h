// Turning vector registers on.
#pragma once

#include <cstdint>

#include "roms/kit/cpu.h"

namespace vitrine::kit {

// CR4.OSFXSR and OSXMMEXCPT; where the processor has AVX, OSXSAVE and the bits of XCR0 for it.
// False without AVX.
inline bool enable_vectors() {
  constexpr std::uint32_t kAvxAndXsave = 1U << 28 | 1U << 26;
  const bool avx = (cpuid(1).ecx & kAvxAndXsave) == kAvxAndXsave;
  std::uint64_t cr4 = 0;
  asm volatile("mov %%cr4, %0" : "=r"(cr4));
  cr4 |= 0x600U | (avx ? 1U << 18 : 0U);
  asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
  if (avx) asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0) : "memory");
  return avx;
}

}  // namespace vitrine::kit
