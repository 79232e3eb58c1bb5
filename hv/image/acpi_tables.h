// Finding the machine's ACPI tables, and the registers that turn it off.
#pragma once

#include <cstdint>

#include "hv/image/boot_information.h"

namespace vitrine::hv {

// The physical address of the table with this signature; 0 when there is none.
std::uint64_t find_acpi_table(const BootInformation& information, std::uint32_t signature);

// I/O ports of the PM1 control registers, 0 for one that is not there.
struct PowerPorts {
  std::uint16_t pm1a_control{};
  std::uint16_t pm1b_control{};
};
PowerPorts power_ports(const BootInformation& information);

}  // namespace vitrine::hv
