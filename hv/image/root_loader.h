// Loads the root kernel, the first module, and says where and how it starts.
#pragma once

#include <array>
#include <cstdint>

#include "hv/image/boot_information.h"

namespace vitrine::hv {

// Where the root's first virtual processor starts: 32-bit protected mode, paging off (PVH).
struct RootEntry {
  std::uint32_t rip{};
  std::uint32_t start_information{};  // for EBX
};

// Where the modules are after they have been moved.
struct StagedModules {
  std::array<std::uint64_t, BootInformation::kMaximumModules> base{};
};

// The loader may have put the modules where the kernel or the hypervisor wants to be: moves them to
// the end of RAM below 4 GiB.
StagedModules stage_modules(const BootInformation& information);

// Puts the kernel (ELF64 with a PVH entry) at its addresses, passes the second module on as its
// initial ramdisk, and builds the PVH start information in low memory. Stops the machine with a
// sentence if the module is not such a kernel.
RootEntry load_root(const BootInformation& information, const StagedModules& staged);

}  // namespace vitrine::hv
