// What RDMSR and WRMSR do for a guest, and the bitmaps that let it at the MSRs that are its own.
#pragma once

#include <cstdint>

#include "hv/image/vp_context.h"

namespace vitrine::hv {

// False is #GP.
bool guest_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value);
bool guest_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value);

// Fills an MSR-bitmap page. The root reaches every MSR but those the hypervisor keeps;
// a child none but those that are switched with it.
void fill_root_msr_bitmap(std::uint64_t page);
void fill_child_msr_bitmap(std::uint64_t page);

}  // namespace vitrine::hv
