// The event log: groups of buffers that the hypervisor fills with its own events and hands to the
// root.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "hv/core/lock.h"
#include "hv/core/outcome.h"
#include "hv/tlfs/event_log.h"

namespace vitrine::hv {

inline constexpr std::uint32_t kMaximumProcessors = 8;
inline constexpr std::uint32_t kBuffersPerTable = 64;
inline constexpr std::uint32_t kEventLogTables = tlfs::kMaximumEventLogBuffers / kBuffersPerTable;

// The hypervisor's record of a buffer, 64 to a page of the root's pool. The header that the root
// reads is in the buffer itself.
struct EventLogBuffer {
  std::uint32_t created{};
  tlfs::EventLogBufferState state{};
  std::uint32_t channel{};       // whose channel it is or was in use by
  std::uint32_t next{};          // the channel's pending list: index, kNoEventLogBuffer at the end
  std::uint32_t write_offset{};  // of the next entry
  std::uint32_t entries{};
  std::uint64_t pages{};  // physical address of the page, or of the list when there are several
  std::array<std::uint64_t, 4> reserved{};
};
static_assert(sizeof(EventLogBuffer) * kBuffersPerTable == tlfs::kPageSize);

// One stream of events: the system's, or that of one logical processor.
struct EventLogChannel {
  std::uint32_t in_use{tlfs::kNoEventLogBuffer};
  std::uint32_t pending_first{tlfs::kNoEventLogBuffer};
  std::uint32_t pending_last{tlfs::kNoEventLogBuffer};
  std::uint32_t pending{};
  std::uint32_t events_lost{};
  std::uint32_t notify{};    // the pending list is due, and no root VP could take the message yet
  std::uint64_t sequence{};  // buffers used so far
};

struct EventLogGroup {
  Lock lock;
  std::uint32_t initialized{};
  tlfs::EventLogType type{};
  std::uint32_t maximum_buffers{};
  std::uint32_t buffer_pages{};
  std::uint32_t threshold{};
  tlfs::EventLogTimeBasis time_basis{};
  std::uint32_t created{};
  std::uint32_t messages_sent{};
  std::uint64_t sources{};
  std::array<std::uint64_t, kEventLogTables> tables{};         // pages of EventLogBuffer
  std::array<EventLogChannel, kMaximumProcessors> channels{};  // the global group uses the first
};

// Writes one event of the hypervisor's own. Nothing happens while the source is not enabled.
void log_event(Hypervisor& hv, std::uint32_t processor, tlfs::EventSource source,
               tlfs::EventType type, std::span<const std::uint64_t> parameters);

// Whether an event of this source would be written: the cheap question to ask on an exit path.
bool logs(const Hypervisor& hv, tlfs::EventSource source);

// Sends the ready messages that were waiting for a root VP to take them.
void retry_ready_messages(Hypervisor& hv, std::uint32_t processor);

EventLogBuffer* event_log_buffer(Hypervisor& hv, const EventLogGroup& group, std::uint32_t index);

}  // namespace vitrine::hv
