// The physical memory map: where RAM lies, what is reserved, and what the guest is told (E820).
#pragma once

#include <cstdint>
#include <vector>

#include "emu/arch/types.h"

namespace vitrine::emu {

enum class RegionKind : uint32_t { usable = 1, reserved = 2, acpi_reclaimable = 3 };

struct MemoryRegion {
  Hpa start;
  uint64_t size = 0;
  RegionKind kind = RegionKind::usable;
};

/// RAM below this is contiguous from 0; the rest continues at 4 GiB (the hole holds the devices).
inline constexpr uint64_t kLowRamLimit = 0xC0000000;
inline constexpr uint64_t kHighRamStart = uint64_t{1} << 32;
/// ACPI tables lie in the legacy BIOS area, where the RSDP is searched for.
inline constexpr Hpa kAcpiArea{0xE0000};
inline constexpr uint64_t kAcpiAreaSize = 0x20000;

/// The map of a machine with `ram_bytes` of RAM, ascending.
std::vector<MemoryRegion> memory_map(uint64_t ram_bytes);

}  // namespace vitrine::emu
