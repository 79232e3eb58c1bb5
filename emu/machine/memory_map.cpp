// The physical memory map of the PC, as reported by E820, multiboot and PVH alike.
#include "emu/machine/memory_map.h"

#include <algorithm>

namespace vitrine::emu {

std::vector<MemoryRegion> memory_map(uint64_t ram_bytes) {
  constexpr uint64_t kConventional = 0x9FC00;  // the EBDA begins here
  constexpr uint64_t kOneMegabyte = 0x100000;
  const uint64_t low = std::min(ram_bytes, kLowRamLimit);
  std::vector<MemoryRegion> map = {
      {Hpa{0}, kConventional, RegionKind::usable},
      {Hpa{kConventional}, 0xA0000 - kConventional, RegionKind::reserved},
      {kAcpiArea, kAcpiAreaSize, RegionKind::reserved},
      {Hpa{kOneMegabyte}, low - kOneMegabyte, RegionKind::usable},
      {Hpa{0xFEC00000}, 0x1000, RegionKind::reserved},
      {Hpa{0xFEE00000}, 0x1000, RegionKind::reserved},
      {Hpa{0xFF000000}, 0x1000000, RegionKind::reserved},
  };
  if (ram_bytes > low) map.push_back({Hpa{kHighRamStart}, ram_bytes - low, RegionKind::usable});
  return map;
}

}  // namespace vitrine::emu
