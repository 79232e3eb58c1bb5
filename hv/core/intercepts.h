// Intercepts: which accesses of a child its parent wants to see, and the messages that tell it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/core/outcome.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/message_types.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;
struct VirtualProcessor;

// Whether the parent has an intercept installed for this access. `parameter` is the port, the CPUID
// leaf or the exception vector; MSR intercepts have none.
bool wants_intercept(const Hypervisor& hv, const Partition& partition, tlfs::InterceptType type,
                     std::uint64_t parameter, tlfs::InterceptAccess access);

// Suspends the VP and sends the message to its parent. The image has filled the payload (a
// tlfs::…Intercept structure) from the VP's state before the instruction; the VP does not run again
// until the parent clears HvRegisterInterceptSuspend. For a root VP, which has no parent, nothing
// happens. Used for installed intercepts and for the unsolicited ones: unmapped_gpa, gpa_intercept
// (EPT violations), unrecoverable_exception (triple fault), invalid_vp_register_value (VM-entry
// failure).
void raise_intercept(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                     tlfs::MessageType type, std::span<const std::byte> payload);

}  // namespace vitrine::hv
