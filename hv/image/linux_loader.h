// Loads a Linux bzImage as the root kernel, by its 64-bit boot protocol.
#pragma once

#include "hv/image/root_loader.h"

namespace vitrine::hv {

bool is_linux(std::uint64_t file, std::uint64_t size);

// Stops the machine with a sentence if the kernel has no 64-bit entry or does not fit.
RootEntry load_linux(const BootInformation& information, const StagedModules& staged);

}  // namespace vitrine::hv
