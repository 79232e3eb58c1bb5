// The moves of event-log buffers that both the log itself and the calls on it make.
#pragma once

#include <cstdint>

#include "hv/core/event_log.h"

namespace vitrine::hv {

// Physical address of a page of the buffer.
std::uint64_t event_log_page(const Hypervisor& hv, const EventLogGroup& group,
                             const EventLogBuffer& buffer, std::uint32_t index);
// What the root sees at the start of a mapped buffer.
tlfs::EventLogBufferHeader& header_of(const Hypervisor& hv, const EventLogGroup& group,
                                      const EventLogBuffer& buffer);
// In the record and in the header.
void set_state(const Hypervisor& hv, const EventLogGroup& group, EventLogBuffer& buffer,
               tlfs::EventLogBufferState state);

// The channel's InUse buffer becomes Complete, at the end of its pending list.
void complete_buffer(Hypervisor& hv, EventLogGroup& group, std::uint32_t channel);
// The channel's pending list becomes Ready and the ready message goes out, now if a root VP can take it,
// otherwise when one can.
void hand_over(Hypervisor& hv, std::uint32_t processor, EventLogGroup& group,
               std::uint32_t channel);

}  // namespace vitrine::hv
