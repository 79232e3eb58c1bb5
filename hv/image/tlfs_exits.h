// Exits that the hypervisor core answers: hypercalls, synthetic MSRs, CPUID leaves, intercepts.
#pragma once

#include <cstdint>

#include "hv/image/instructions.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {

void on_vmcall(VpContext& vp);
void on_io_instruction(VpContext& vp);
void on_ept_violation(VpContext& vp);

CpuidResult hypervisor_cpuid(const VpContext& vp, std::uint32_t leaf);

// False is #GP, unless the parent takes the access as an intercept.
bool hypervisor_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value);
bool hypervisor_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value);

// Whether the parent asked for it: then the message is sent and the instruction must not complete.
bool msr_read_intercepted(VpContext& vp, std::uint32_t index);
bool msr_write_intercepted(VpContext& vp, std::uint32_t index);
bool cpuid_intercepted(VpContext& vp, const CpuidResult& standard);
bool exception_intercepted(VpContext& vp);

// A child's virtual processor cannot go on: triple fault, or a state that VM entry refuses.
void unrecoverable_exception(VpContext& vp);
void invalid_register_value(VpContext& vp);

}  // namespace vitrine::hv
