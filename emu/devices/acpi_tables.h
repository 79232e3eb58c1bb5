// The ACPI tables of the emulated PC, built for a number of processors and a place in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "emu/arch/types.h"

namespace vitrine::emu {

struct AcpiConfig {
  uint32_t processors = 1;  ///< their APIC ids are 0, 1, 2…
  Hpa base{0xE0000};        ///< where the tables go; the RSDP is their first byte, aligned to 16
  bool hpet = true;
  bool pci = true;
  bool pic = true;  ///< the 8259 pair is there (MADT PCAT_COMPAT)
  bool i8042 = true;
  Hpa pci_window{0xE0000000};  ///< addresses for PCI memory BARs
  uint32_t pci_window_size = 0x1EC00000;
};

/// RSDP, XSDT, FADT, FACS, DSDT, MADT and HPET as one run of bytes to be placed at `config.base`.
std::vector<std::byte> acpi_tables(const AcpiConfig& config);

}  // namespace vitrine::emu
