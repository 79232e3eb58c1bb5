// The processors that the machine's ACPI tables list.
#pragma once

#include <array>
#include <cstdint>

#include "hv/image/boot_information.h"

namespace vitrine::hv {

struct ProcessorList {
  static constexpr std::size_t kMaximum = 64;

  std::array<std::uint32_t, kMaximum> apic_ids{};
  std::size_t count{};
};

// Enabled processors in the order of the MADT; none when there are no tables.
ProcessorList listed_processors(const BootInformation& information);

}  // namespace vitrine::hv
