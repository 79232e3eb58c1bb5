// The machine's other processors: started one by one, put into VMX root operation, and parked.
#pragma once

#include "hv/image/boot_information.h"

namespace vitrine::hv {

// Starts every processor that ACPI lists and is not this one. Uses a page of low memory, so call it
// before the root kernel is loaded. A processor that does not come is reported and left alone.
void start_other_processors(const BootInformation& information);

}  // namespace vitrine::hv
