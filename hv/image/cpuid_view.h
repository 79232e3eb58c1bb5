// What CPUID answers a guest: the processor's leaves without VMX, and the hypervisor's own.
#pragma once

#include <cstdint>

#include "hv/image/instructions.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {

CpuidResult guest_cpuid(const VpContext& vp, std::uint32_t leaf, std::uint32_t subleaf);

}  // namespace vitrine::hv
