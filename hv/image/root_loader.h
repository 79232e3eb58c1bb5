// Loads the root kernel, the first module, and says where and how it starts.
#pragma once

#include <array>
#include <cstdint>

#include "hv/image/boot_information.h"

namespace vitrine::hv {

// Where and how the root's first virtual processor starts.
struct RootEntry {
  enum class Mode : std::uint8_t {
    protected_mode,  // 32-bit, paging off: PVH
    long_mode,       // identity-mapped: the 64-bit entry of Linux
  };
  Mode mode{};
  std::uint64_t rip{};
  std::uint64_t rbx{};  // PVH: the start information
  std::uint64_t rsi{};  // Linux: boot_params
  std::uint64_t cr3{};  // long mode only
};

// Where the modules are after they have been moved.
struct StagedModules {
  std::array<std::uint64_t, BootInformation::kMaximumModules> base{};
};

// The loader may have put the modules where the kernel or the hypervisor wants to be: moves them to
// the end of RAM below 4 GiB.
StagedModules stage_modules(const BootInformation& information);

// Puts the kernel (an ELF64 file with a PVH entry, or a Linux bzImage) at its addresses, passes the
// second module on as its initial ramdisk, and builds the boot information in low memory. Stops the
// machine with a sentence if the module is no such kernel.
RootEntry load_root(const BootInformation& information, const StagedModules& staged);

// Whether the root has RAM everywhere in the range.
bool is_root_ram(const BootInformation& information, std::uint64_t base, std::uint64_t size);

}  // namespace vitrine::hv
