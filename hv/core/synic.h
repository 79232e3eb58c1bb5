// The synthetic interrupt controller: message queues, slots, event flags, interrupts.
#pragma once

#include <cstdint>

#include "hv/core/virtual_processor.h"
#include "hv/tlfs/synic.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

// Whether messages can reach this VP's message page now.
bool takes_messages(const VirtualProcessor& vp);
bool takes_events(const VirtualProcessor& vp);

// The VP of a partition that hypervisor messages go to: the one on `processor` if it takes messages, else
// the first that does, else the first of all; null if the partition has no VP.
VirtualProcessor* message_target(const Hypervisor& hv, const Partition& partition,
                                 std::uint32_t processor);

// Appends a filled buffer to the queue of (vp, sint) and delivers what can be delivered.
void queue_message(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                   std::uint32_t sint, MessageBuffer& buffer);
// Takes a buffer out of the queue it is in, if any.
void unqueue_message(Hypervisor& hv, std::uint32_t processor, MessageBuffer& buffer);
// Takes the first queued message of a VP out and throws it away.
void drop_first_message(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp);

// Empties the VP's queues, takes its own buffers out of the queues of others, and stops its timers: nothing
// points at it afterwards.
void unqueue_own_messages(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp);

// Whether a message could go straight into the slot now. If not because the slot is taken, or others wait
// for it, the slot is marked so that the guest writes EOM. Hold the SynIC lock until post_now().
bool slot_ready(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t sint);
void post_now(Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint,
              const tlfs::Message& message);

// Delivers what waits for free slots of the VP, for all SINTs, and lets the event log retry.
void scan_messages(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp);

// Requests the interrupt of a SINT, unless it is masked or polled.
void raise_sint(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint);

// Sets an event flag of a SINT; the interrupt comes with its change from 0 to 1.
void set_event_flag(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                    std::uint32_t sint, std::uint32_t flag);

}  // namespace vitrine::hv
