// The architectural registers of a virtual processor by their TLFS names.
#pragma once

#include "hv/core/platform.h"
#include "hv/image/vp_context.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv {

// `vp`'s VMCS is current, and its swapped state is in memory.
RegisterResult get_vp_register(VpContext& vp, std::uint32_t name, tlfs::U128& value);
RegisterResult set_vp_register(VpContext& vp, std::uint32_t name, const tlfs::U128& value);

tlfs::SegmentRegister tlfs_segment(unsigned segment);

}  // namespace vitrine::hv
