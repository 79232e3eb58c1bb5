// Exits whose answer is the hypervisor core's: hypercalls, synthetic MSRs, its CPUID leaves,
// intercepts.
#pragma once

#include <cstdint>

#include "hv/image/instructions.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {

void on_vmcall(VpContext& vp);
void on_io_instruction(VpContext& vp);
void on_ept_violation(VpContext& vp);

CpuidResult hypervisor_cpuid(const VpContext& vp, std::uint32_t leaf);

// False is #GP. The `other` forms are for MSRs that neither the image nor the core virtualizes.
bool hypervisor_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value);
bool hypervisor_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value);
bool other_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value);
bool other_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value);

// A child's virtual processor cannot go on (TLFS unrecoverable-exception message).
void unrecoverable_exception(VpContext& vp);

}  // namespace vitrine::hv
