// VM exits in the event log: what the guest was doing, with the parameters that TLFS names.
#pragma once

#include <cstdint>

#include "hv/image/vp_context.h"

namespace vitrine::hv {

// The guest's state at the exit, before a handler changes it.
struct ExitSnapshot {
  std::uint64_t rip{};
  std::uint64_t rax{}, rcx{}, rdx{};
};

// Whether the root has asked for such events: asked at every exit.
bool exits_are_logged();
ExitSnapshot take_snapshot(const VpContext& vp);

// Writes the entry of an exit that has been handled; exits without an entry type are left out.
void log_exit(const VpContext& vp, arch::ExitReason reason, const ExitSnapshot& before);

}  // namespace vitrine::hv
