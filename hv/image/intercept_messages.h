// The messages that tell a parent what its child was about to do, filled from the current VMCS.
#pragma once

#include "hv/image/instructions.h"
#include "hv/image/vp_context.h"
#include "hv/tlfs/message_types.h"

namespace vitrine::hv {

// Each sends its message and leaves the virtual processor suspended before the instruction.
void send_io_intercept(VpContext& vp, const arch::IoAccess& access);
void send_msr_intercept(VpContext& vp, std::uint32_t index, bool write);
void send_cpuid_intercept(VpContext& vp, const CpuidResult& standard);
void send_exception_intercept(VpContext& vp);
void send_memory_intercept(VpContext& vp, tlfs::MessageType type);
void send_header_only(VpContext& vp, tlfs::MessageType type);
void send_invalid_register_value(VpContext& vp);

}  // namespace vitrine::hv
