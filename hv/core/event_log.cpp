// The event log: writing entries, completing buffers, and handing them to the root.
#include "hv/core/event_log.h"

#include "hv/core/event_log_state.h"
#include "hv/core/hypervisor.h"
#include "hv/core/synic.h"
#include "hv/core/time.h"
#include "hv/tlfs/message_types.h"

namespace vitrine::hv {
namespace {

using tlfs::EventLogBufferHeader;
using tlfs::EventLogBufferState;
using tlfs::EventLogEntryHeader;
using tlfs::kNoEventLogBuffer;

constexpr std::uint32_t kWord = 8;

EventLogGroup& group_of(Hypervisor& hv, tlfs::EventSource source) {
  const bool global = (tlfs::kGlobalSources & tlfs::mask_of(source)) != 0;
  return hv.event_log[global ? 0 : 1];
}

std::uint32_t buffer_bytes(const EventLogGroup& group) {
  return group.buffer_pages * static_cast<std::uint32_t>(tlfs::kPageSize);
}

// Entries consist of whole words, so that none crosses a page within a word.
void write_word(const Hypervisor& hv, const EventLogGroup& group, const EventLogBuffer& buffer,
                std::uint32_t offset, std::uint64_t word) {
  const std::uint64_t page = event_log_page(hv, group, buffer, offset >> tlfs::kPageShift);
  hv.at<std::uint64_t>(page)[(offset & (tlfs::kPageSize - 1)) / kWord] = word;
}

// TLFS "Event Log Buffers": the first Free buffer, in order of index, becomes InUse.
// Decided: any Free buffer of the type serves any channel; HvCreateEventLogBuffer names no processor.
EventLogBuffer* open_buffer(Hypervisor& hv, EventLogGroup& group, std::uint32_t channel_index) {
  EventLogChannel& channel = group.channels[channel_index];
  for (std::uint32_t index = 0; index < group.maximum_buffers; ++index) {
    EventLogBuffer* const buffer = event_log_buffer(hv, group, index);
    if (buffer->created == 0 || buffer->state != EventLogBufferState::free) continue;
    channel.in_use = index;
    ++channel.sequence;
    buffer->channel = channel_index;
    buffer->write_offset = sizeof(EventLogBufferHeader);
    buffer->entries = 0;
    header_of(hv, group, *buffer) = {.buffer_size = buffer_bytes(group),
                                     .buffer_index = index,
                                     .events_lost = channel.events_lost,
                                     .time_stamp = system_time(hv),
                                     .sequence = channel.sequence,
                                     .logical_processor = static_cast<std::uint8_t>(channel_index),
                                     .next_buffer_offset = buffer->write_offset,
                                     .type = static_cast<std::uint32_t>(group.type),
                                     .next_buffer_index = kNoEventLogBuffer};
    set_state(hv, group, *buffer, EventLogBufferState::in_use);
    channel.events_lost = 0;
    return buffer;
  }
  return nullptr;
}

// The root VP that a channel reports to: any for the system's, the processor's own for a local one.
bool may_take(const EventLogGroup& group, std::uint32_t channel, const VirtualProcessor& vp) {
  return group.type == tlfs::EventLogType::global_system_events || vp.processor == channel;
}

VirtualProcessor* find_taker(const Hypervisor& hv, const EventLogGroup& group,
                             std::uint32_t channel) {
  for (const std::uint64_t address : hv.root().vps) {
    if (address == 0) continue;
    VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
    if (may_take(group, channel, vp) && slot_ready(hv, vp, tlfs::kHypervisorSint)) return &vp;
  }
  return nullptr;
}

void send_message(Hypervisor& hv, const EventLogGroup& group, std::uint32_t first_buffer,
                  VirtualProcessor& taker) {
  const tlfs::EventLogMessagePayload payload{.type = static_cast<std::uint32_t>(group.type),
                                             .buffer_index = first_buffer};
  tlfs::Message message{
      .type = static_cast<std::uint32_t>(tlfs::MessageType::event_log_buffer_complete),
      .payload_size = sizeof payload};
  __builtin_memcpy(message.payload.data(), &payload, sizeof payload);
  post_now(hv, taker, tlfs::kHypervisorSint, message);
}

}  // namespace

std::uint64_t event_log_page(const Hypervisor& hv, const EventLogGroup& group,
                             const EventLogBuffer& buffer, std::uint32_t index) {
  return group.buffer_pages == 1 ? buffer.pages : hv.at<std::uint64_t>(buffer.pages)[index];
}

EventLogBufferHeader& header_of(const Hypervisor& hv, const EventLogGroup& group,
                                const EventLogBuffer& buffer) {
  return *hv.at<EventLogBufferHeader>(event_log_page(hv, group, buffer, 0));
}

void set_state(const Hypervisor& hv, const EventLogGroup& group, EventLogBuffer& buffer,
               EventLogBufferState state) {
  buffer.state = state;
  header_of(hv, group, buffer).state = static_cast<std::uint32_t>(state);
}

EventLogBuffer* event_log_buffer(Hypervisor& hv, const EventLogGroup& group, std::uint32_t index) {
  if (index >= group.maximum_buffers) return nullptr;
  return hv.at<EventLogBuffer>(group.tables[index / kBuffersPerTable]) + index % kBuffersPerTable;
}

// InUse to Complete, at the end of the channel's pending list.
void complete_buffer(Hypervisor& hv, EventLogGroup& group, std::uint32_t channel_index) {
  EventLogChannel& channel = group.channels[channel_index];
  const std::uint32_t index = channel.in_use;
  EventLogBuffer& buffer = *event_log_buffer(hv, group, index);
  set_state(hv, group, buffer, EventLogBufferState::complete);
  buffer.next = kNoEventLogBuffer;
  channel.in_use = kNoEventLogBuffer;
  if (channel.pending_first == kNoEventLogBuffer) {
    channel.pending_first = index;
  } else {
    event_log_buffer(hv, group, channel.pending_last)->next = index;
  }
  channel.pending_last = index;
  ++channel.pending;
}

// TLFS 2.0 19.1.10: the whole list becomes Ready as the message is posted, in order of completion.
// Decided: a message is posted only when a slot takes it at once. Until then the buffers stay Complete and
// the list grows, so that one message reports as many buffers as possible.
void hand_over(Hypervisor& hv, std::uint32_t processor, EventLogGroup& group,
               std::uint32_t channel_index) {
  EventLogChannel& channel = group.channels[channel_index];
  channel.notify = channel.pending != 0 ? 1 : 0;
  if (channel.notify == 0) return;
  const Guard guard(hv, processor, hv.synic_lock);
  VirtualProcessor* const taker = find_taker(hv, group, channel_index);
  if (taker == nullptr) return;
  const std::uint32_t first = channel.pending_first;
  for (std::uint32_t i = first; i != kNoEventLogBuffer;) {
    EventLogBuffer& buffer = *event_log_buffer(hv, group, i);
    header_of(hv, group, buffer).next_buffer_index = buffer.next;
    set_state(hv, group, buffer, EventLogBufferState::ready);
    i = buffer.next;
  }
  channel.pending_first = channel.pending_last = kNoEventLogBuffer;
  channel.pending = channel.notify = 0;
  ++group.messages_sent;
  send_message(hv, group, first, *taker);
}

bool logs(const Hypervisor& hv, tlfs::EventSource source) {
  const bool global = (tlfs::kGlobalSources & tlfs::mask_of(source)) != 0;
  return (hv.event_log[global ? 0 : 1].sources & tlfs::mask_of(source)) != 0;
}

void log_event(Hypervisor& hv, std::uint32_t processor, tlfs::EventSource source,
               tlfs::EventType type, std::span<const std::uint64_t> parameters) {
  if (!logs(hv, source)) return;
  EventLogGroup& group = group_of(hv, source);
  const Guard guard(hv, processor, group.lock);
  const bool local = group.type == tlfs::EventLogType::local_diagnostics;
  const std::uint32_t channel_index = local ? processor : 0;
  EventLogChannel& channel = group.channels[channel_index];
  const auto size =
      static_cast<std::uint32_t>(sizeof(EventLogEntryHeader) + parameters.size() * kWord);
  if (channel.in_use != kNoEventLogBuffer) {
    const EventLogBuffer& full = *event_log_buffer(hv, group, channel.in_use);
    if (full.write_offset + size > buffer_bytes(group)) {
      complete_buffer(hv, group, channel_index);
      if (channel.pending >= group.threshold) hand_over(hv, processor, group, channel_index);
    }
  }
  EventLogBuffer* const buffer = channel.in_use != kNoEventLogBuffer
                                     ? event_log_buffer(hv, group, channel.in_use)
                                     : open_buffer(hv, group, channel_index);
  if (buffer == nullptr) {
    ++channel.events_lost;
    return;
  }
  const bool by_tsc = group.time_basis == tlfs::EventLogTimeBasis::tsc;
  const EventLogEntryHeader entry{
      .context = 0,
      .size = static_cast<std::uint16_t>(size),
      .type = static_cast<std::uint16_t>(type),
      .time_stamp = by_tsc ? hv.platform->read_tsc(hv.platform->context) : system_time(hv)};
  std::uint64_t words[2];
  __builtin_memcpy(words, &entry, sizeof entry);
  std::uint32_t offset = buffer->write_offset;
  for (const std::uint64_t word : words) {
    write_word(hv, group, *buffer, offset, word);
    offset += kWord;
  }
  for (const std::uint64_t word : parameters) {
    write_word(hv, group, *buffer, offset, word);
    offset += kWord;
  }
  buffer->write_offset = offset;
  ++buffer->entries;
  header_of(hv, group, *buffer).next_buffer_offset = offset;
}

void retry_ready_messages(Hypervisor& hv, std::uint32_t processor) {
  for (EventLogGroup& group : hv.event_log) {
    if (group.initialized == 0) continue;
    const Guard guard(hv, processor, group.lock);
    for (std::uint32_t channel = 0; channel < kMaximumProcessors; ++channel) {
      if (group.channels[channel].notify != 0) hand_over(hv, processor, group, channel);
    }
  }
}

}  // namespace vitrine::hv
