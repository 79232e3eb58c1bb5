// The machine's other processors: started one by one, put into VMX root operation, and set to run.
#pragma once

#include <cstdint>

#include "hv/image/boot_information.h"

namespace vitrine::hv {

// Starts every processor that ACPI lists and is not this one. Uses a page of low memory, so call it
// before the root kernel is loaded. A processor that does not come is reported and left alone. How many there are, this
// one included; they wait for ImageState::open, then each runs the root VP of its index.
std::uint32_t start_other_processors(const BootInformation& information);

}  // namespace vitrine::hv
