// Input structures of the address-space calls, 0x0001 to 0x0003.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine::hv::tlfs {

// HvSwitchVirtualAddressSpace: an address space is a value of CR3.
struct SwitchSpaceInput {
  std::uint64_t address_space{};
};
static_assert(sizeof(SwitchSpaceInput) == 8);

// HvFlushVirtualAddressSpace, and the header of HvFlushVirtualAddressList.
struct FlushSpaceInput {
  std::uint64_t address_space{};
  std::uint64_t flags{};
  std::uint64_t processor_mask{};  // virtual processors 0 to 63

  // clang-format off
  static constexpr std::uint64_t kAllProcessors = 1 << 0;
  static constexpr std::uint64_t kAllSpaces     = 1 << 1;
  static constexpr std::uint64_t kNonGlobalOnly = 1 << 2;
  // clang-format on
  // Differs: later editions define bit 3 (extended ranges), which this hypervisor does not advertise.
  static constexpr std::uint64_t kDefined = 7;
};
static_assert(sizeof(FlushSpaceInput) == 24);

// HV_GVA_RANGE: 63:12 first page, 11:0 further pages.
struct GvaRange {
  std::uint64_t word{};

  constexpr std::uint64_t page() const { return word >> 12; }
  constexpr std::uint64_t page_count() const { return (word & 0xFFF) + 1; }
};
static_assert(sizeof(GvaRange) == 8);

}  // namespace vitrine::hv::tlfs
