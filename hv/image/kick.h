// Reaching other processors: what changed for one of their virtual processors, or for everybody.
#pragma once

#include "hv/image/vp_context.h"

namespace vitrine::hv {

// Something changed for `vp`: if another processor runs it and is in a guest, it comes out.
void kick(const VpContext& vp);

// Nobody uses a translation older than this moment when it returns. The caller has dropped its own.
void forget_elsewhere();

// Before VM entry and behind Processor::enter: drops what other processors have announced.
void catch_up();

}  // namespace vitrine::hv
