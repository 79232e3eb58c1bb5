// Synthetic MSRs by value, for MSR accesses and for the register calls alike.
#pragma once

#include <cstdint>

namespace vitrine::hv {

struct Hypervisor;
struct VirtualProcessor;

// False where an access by the guest itself would raise #GP. Privileges are the caller's business.
bool read_msr_value(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t index,
                    std::uint64_t& value);
bool write_msr_value(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                     std::uint32_t index, std::uint64_t value);

}  // namespace vitrine::hv
