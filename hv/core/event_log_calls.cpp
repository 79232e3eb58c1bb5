// The calls on event-log groups and buffers; only the root makes them.
#include "hv/core/event_log_state.h"
#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"
#include "hv/core/require.h"

namespace vitrine::hv {
namespace {

using tlfs::EventLogBufferState;

// Order of refusals, for all of these calls: the caller is not the root; unknown type; the group is not
// initialized; the index; the buffer's state; then values and memory.
Outcome<EventLogGroup*> group_for(const Caller& caller, std::uint32_t type) {
  if (caller.partition.parent != 0) return Status::access_denied;
  if (type >= tlfs::kEventLogTypes) return Status::invalid_parameter;
  return &caller.hv.event_log[type];
}

Outcome<EventLogGroup*> initialized_group(const Caller& caller, std::uint32_t type) {
  const auto group = group_for(caller, type);
  if (group && (*group)->initialized == 0) return Status::operation_denied;
  return group;
}

struct Found {
  EventLogGroup* group{};
  EventLogBuffer* buffer{};
};

// An index never created is as bad as one out of range.
Outcome<Found> find_buffer(const Caller& caller, const tlfs::EventLogBufferInput& in) {
  const auto group = initialized_group(caller, in.type);
  if (!group) return group.status();
  EventLogBuffer* const buffer = event_log_buffer(caller.hv, **group, in.buffer_index);
  if (buffer == nullptr || buffer->created == 0) return Status::invalid_parameter;
  return Found{*group, buffer};
}

std::uint32_t tables_for(std::uint32_t buffers) {
  return (buffers + kBuffersPerTable - 1) / kBuffersPerTable;
}

bool legal(const tlfs::InitializeEventLogInput& in) {
  const bool sizes = in.buffer_pages >= 1 && in.buffer_pages <= tlfs::kMaximumEventLogBufferPages &&
                     in.maximum_buffers >= 1 && in.maximum_buffers <= tlfs::kMaximumEventLogBuffers;
  // Decided: an "inappropriate" threshold is 0, which could never be reached as the last buffer of a list
  // completes, or more than there can be buffers.
  const bool threshold = in.threshold >= 1 && in.threshold <= in.maximum_buffers;
  return sizes && threshold && in.time_basis <= 1;
}

void set_root_access(Hypervisor& hv, std::uint64_t address, Rights rights) {
  const Platform& platform = *hv.platform;
  const std::uint64_t page = address >> tlfs::kPageShift;
  const bool done = platform.map_page(platform.context, hv.root(), page, page, rights);
  require(done, "the root's translation tables have room");
  mark_stale(hv, hv.root());
}

void give_buffer(Hypervisor& hv, const EventLogGroup& group, EventLogBuffer& buffer) {
  for (std::uint32_t i = 0; i < group.buffer_pages; ++i) {
    give_page(hv, hv.root(), event_log_page(hv, group, buffer, i));
  }
  if (group.buffer_pages > 1) give_page(hv, hv.root(), buffer.pages);
  buffer = {};
}

void take_buffer(Hypervisor& hv, const EventLogGroup& group, EventLogBuffer& buffer) {
  if (group.buffer_pages == 1) {
    buffer.pages = take_page(hv, hv.root(), PageUse::event_log_buffer);
    return;
  }
  buffer.pages = take_page(hv, hv.root(), PageUse::event_log);
  for (std::uint32_t i = 0; i < group.buffer_pages; ++i) {
    hv.at<std::uint64_t>(buffer.pages)[i] = take_page(hv, hv.root(), PageUse::event_log_buffer);
  }
}

}  // namespace

Done initialize_event_log_buffer_group(Caller& caller, const tlfs::InitializeEventLogInput& in) {
  Hypervisor& hv = caller.hv;
  const auto found = group_for(caller, in.type);
  if (!found) return found.status();
  EventLogGroup& group = **found;
  const Guard guard(hv, caller.processor, group.lock);
  if (group.initialized != 0) return Status::object_in_use;
  if (!legal(in)) return Status::invalid_parameter;
  const std::uint32_t tables = tables_for(in.maximum_buffers);
  if (hv.root().pool.available < tables) return Status::insufficient_memory;
  for (std::uint32_t i = 0; i < tables; ++i) {
    group.tables[i] = take_page(hv, hv.root(), PageUse::event_log);
  }
  group.maximum_buffers = in.maximum_buffers;
  group.buffer_pages = in.buffer_pages;
  group.threshold = in.threshold;
  group.time_basis = static_cast<tlfs::EventLogTimeBasis>(in.time_basis);
  group.created = group.messages_sent = 0;
  group.sources = 0;
  group.channels = {};
  group.initialized = 1;
  return kDone;
}

Done finalize_event_log_buffer_group(Caller& caller, const tlfs::EventLogGroupInput& in) {
  Hypervisor& hv = caller.hv;
  const auto found = initialized_group(caller, in.type);
  if (!found) return found.status();
  EventLogGroup& group = **found;
  const Guard guard(hv, caller.processor, group.lock);
  // Manual says (page on buffer groups, 2013) that this disables, unmaps and deletes; the function's own
  // status table refuses instead.
  if (group.created != 0 || group.sources != 0) return Status::operation_denied;
  for (std::uint32_t i = 0; i < tables_for(group.maximum_buffers); ++i) {
    give_page(hv, hv.root(), group.tables[i]);
    group.tables[i] = 0;
  }
  group.initialized = 0;
  group.maximum_buffers = 0;
  return kDone;
}

Done create_event_log_buffer(Caller& caller, const tlfs::CreateEventLogBufferInput& in) {
  Hypervisor& hv = caller.hv;
  const auto found = initialized_group(caller, in.type);
  if (!found) return found.status();
  EventLogGroup& group = **found;
  const Guard guard(hv, caller.processor, group.lock);
  EventLogBuffer* const buffer = event_log_buffer(hv, group, in.buffer_index);
  if (buffer == nullptr || buffer->created != 0) return Status::invalid_parameter;
  if (!in.proximity.acceptable()) return Status::invalid_parameter;
  const std::uint64_t pages = group.buffer_pages + (group.buffer_pages > 1 ? 1 : 0);
  if (hv.root().pool.available < pages) return Status::insufficient_memory;
  *buffer = {};
  take_buffer(hv, group, *buffer);
  buffer->created = 1;
  buffer->next = tlfs::kNoEventLogBuffer;
  set_state(hv, group, *buffer, EventLogBufferState::standby);
  ++group.created;
  return kDone;
}

Done delete_event_log_buffer(Caller& caller, const tlfs::EventLogBufferInput& in) {
  const auto found = find_buffer(caller, in);
  if (!found) return found.status();
  const Guard guard(caller.hv, caller.processor, found->group->lock);
  if (found->buffer->state != EventLogBufferState::standby) return Status::operation_denied;
  give_buffer(caller.hv, *found->group, *found->buffer);
  --found->group->created;
  return kDone;
}

// The pages were the root's before it deposited them; they appear where they were, read-only.
// insufficient_memory cannot occur: the pages were taken when the buffer was created.
Outcome<tlfs::GpaPageElement> map_event_log_buffer(Caller& caller,
                                                   const tlfs::EventLogBufferInput& in) {
  Hypervisor& hv = caller.hv;
  const auto found = find_buffer(caller, in);
  if (!found) return found.status();
  const EventLogGroup& group = *found->group;
  EventLogBuffer& buffer = *found->buffer;
  const Guard guard(hv, caller.processor, found->group->lock);
  if (buffer.state != EventLogBufferState::standby) return Status::operation_denied;
  const std::uint32_t bytes = group.buffer_pages * sizeof(tlfs::GpaPageElement);
  if (bytes > caller.output_room) return Status::invalid_alignment;
  header_of(hv, group, buffer) = {
      .buffer_size = group.buffer_pages * static_cast<std::uint32_t>(tlfs::kPageSize),
      .buffer_index = in.buffer_index,
      .next_buffer_offset = sizeof(tlfs::EventLogBufferHeader),
      .type = in.type,
      .next_buffer_index = tlfs::kNoEventLogBuffer};
  set_state(hv, group, buffer, EventLogBufferState::free);
  for (std::uint32_t i = 0; i < group.buffer_pages; ++i) {
    const std::uint64_t address = event_log_page(hv, group, buffer, i);
    set_root_access(hv, address, Rights::read);
    const std::uint64_t page = address >> tlfs::kPageShift;
    __builtin_memcpy(caller.output + i * sizeof page, &page, sizeof page);
  }
  caller.output_written = bytes;
  return tlfs::GpaPageElement{event_log_page(hv, group, buffer, 0) >> tlfs::kPageShift};
}

// Manual says access_denied for a buffer that is not Free or Ready, and so it is. An uninitialized group has
// no buffers: this page lists no operation_denied.
Done unmap_event_log_buffer(Caller& caller, const tlfs::EventLogBufferInput& in) {
  Hypervisor& hv = caller.hv;
  const auto found = find_buffer(caller, in);
  if (!found) {
    const bool no_group = found.status() == Status::operation_denied;
    return no_group ? Status::invalid_parameter : found.status();
  }
  EventLogBuffer& buffer = *found->buffer;
  const Guard guard(hv, caller.processor, found->group->lock);
  const bool hideable =
      buffer.state == EventLogBufferState::free || buffer.state == EventLogBufferState::ready;
  if (!hideable) return Status::access_denied;
  set_state(hv, *found->group, buffer, EventLogBufferState::standby);
  for (std::uint32_t i = 0; i < found->group->buffer_pages; ++i) {
    set_root_access(hv, event_log_page(hv, *found->group, buffer, i), Rights::none);
  }
  return kDone;
}

Done set_event_log_group_sources(Caller& caller, const tlfs::EventLogSourcesInput& in) {
  const auto found = initialized_group(caller, in.type);
  if (!found) return found.status();
  const Guard guard(caller.hv, caller.processor, (*found)->lock);
  (*found)->sources = in.enable_flags;
  return kDone;
}

// Manual says in its restrictions "must be complete"; Ready is meant, as its status table shows. A bad index
// is invalid_parameter (TLFS 2.0; the page of 2013 has operation_denied).
Done release_event_log_buffer(Caller& caller, const tlfs::EventLogBufferInput& in) {
  const auto found = find_buffer(caller, in);
  if (!found) return found.status();
  const Guard guard(caller.hv, caller.processor, found->group->lock);
  if (found->buffer->state != EventLogBufferState::ready) return Status::operation_denied;
  set_state(caller.hv, *found->group, *found->buffer, EventLogBufferState::free);
  return kDone;
}

// Decided: an InUse buffer becomes Complete and the pending list goes out below the threshold too; a
// Complete one may be flushed as well (the state table of TLFS 2.0 says so, its status list does not);
// Free, Ready and Standby are operation_denied (TLFS 2.0 status list). When no root VP can take the message
// now the call succeeds, and the buffer stays Complete until a slot frees.
Done flush_event_log_buffer(Caller& caller, const tlfs::EventLogBufferInput& in) {
  const auto found = find_buffer(caller, in);
  if (!found) return found.status();
  EventLogGroup& group = *found->group;
  const EventLogBuffer& buffer = *found->buffer;
  const Guard guard(caller.hv, caller.processor, group.lock);
  const bool flushable =
      buffer.state == EventLogBufferState::in_use || buffer.state == EventLogBufferState::complete;
  if (!flushable) return Status::operation_denied;
  const std::uint32_t channel = buffer.channel;
  if (buffer.state == EventLogBufferState::in_use) complete_buffer(caller.hv, group, channel);
  hand_over(caller.hv, caller.processor, group, channel);
  return kDone;
}

}  // namespace vitrine::hv
