// VM exits: one handler per reason, chosen from a table.
#pragma once

#include "hv/image/vp_context.h"

namespace vitrine::hv {

// Handles the exit that the current VMCS reports.
void handle_exit(VpContext& vp);

}  // namespace vitrine::hv
