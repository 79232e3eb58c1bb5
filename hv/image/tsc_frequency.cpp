// The frequency of the time-stamp counter.
#include "hv/image/tsc_frequency.h"

#include "hv/image/instructions.h"

namespace vitrine::hv {
namespace {

// SDM "Determining the Processor Base Frequency": leaf 15H gives the ratio to the crystal, 16H the
// base frequency in MHz.
std::uint64_t frequency_by_cpuid() {
  constexpr std::uint32_t kCrystalLeaf = 0x15;
  constexpr std::uint32_t kBaseLeaf = 0x16;
  const std::uint32_t last = cpuid(0).eax;
  if (last < kCrystalLeaf) return 0;
  const CpuidResult crystal = cpuid(kCrystalLeaf);
  if (crystal.eax != 0 && crystal.ebx != 0 && crystal.ecx != 0) {
    return std::uint64_t{crystal.ecx} * crystal.ebx / crystal.eax;
  }
  if (last < kBaseLeaf) return 0;
  constexpr std::uint64_t kMegahertz = 1'000'000;
  return (cpuid(kBaseLeaf).eax & 0xFFFF) * kMegahertz;
}

// Channel 2 of the 8254 counts down once, its gate and output on port 61H.
std::uint64_t frequency_by_timer() {
  constexpr std::uint64_t kTimerFrequency = 1'193'182;
  constexpr std::uint16_t kCount = 11932;  // 10 ms
  constexpr std::uint8_t kGate = 1;
  constexpr std::uint8_t kOutput = 0x20;
  constexpr std::uint8_t kOneShotChannel2 = 0xB0;
  constexpr std::uint16_t kControl = 0x61;
  constexpr std::uint16_t kMode = 0x43;
  constexpr std::uint16_t kChannel2 = 0x42;
  out8(kControl, static_cast<std::uint8_t>((in8(kControl) & ~3U) | kGate));
  out8(kMode, kOneShotChannel2);
  out8(kChannel2, kCount & 0xFF);
  out8(kChannel2, kCount >> 8);
  const std::uint64_t start = read_tsc();
  while ((in8(kControl) & kOutput) == 0) pause();
  return (read_tsc() - start) * kTimerFrequency / kCount;
}

}  // namespace

std::uint64_t tsc_frequency() {
  const std::uint64_t frequency = frequency_by_cpuid();
  return frequency != 0 ? frequency : frequency_by_timer();
}

}  // namespace vitrine::hv
