// The part of the tour about the event log.
#include "hv/tlfs/event_log.h"

#include <array>

#include "hv/tlfs/partition_calls.h"
#include "roms/kit/hypercall.h"
#include "roms/tour/event_log.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

namespace vitrine::tour {
namespace {

using tlfs::Call;
using tlfs::EventLogBufferState;
using tlfs::Status;

constexpr auto kType = static_cast<std::uint32_t>(tlfs::EventLogType::local_diagnostics);
constexpr std::uint32_t kBuffers = 4;
constexpr std::uint32_t kThreshold = 3;
constexpr std::uint64_t kPoolPages = 16;

std::array<std::uint64_t, kBuffers> mapped;  // page numbers

// Calls that take {type, buffer index} in one register.
tlfs::HypercallResult buffer_call(Call call, std::uint32_t type, std::uint32_t index) {
  return kit::fast_call(call, type | (std::uint64_t{index} << 32));
}
tlfs::HypercallResult flush(std::uint32_t index) {
  return buffer_call(Call::flush_event_log_buffer, kType, index);
}

const volatile tlfs::EventLogBufferHeader& header(std::uint32_t index) {
  return *at_page<const volatile tlfs::EventLogBufferHeader>(mapped[index]);
}
bool in_state(std::uint32_t index, EventLogBufferState state) {
  return header(index).state == static_cast<std::uint32_t>(state);
}

// The buffer that events go to now, kBuffers if there is none.
std::uint32_t buffer_in_use() {
  std::uint32_t index = 0;
  while (index < kBuffers && !in_state(index, EventLogBufferState::in_use)) ++index;
  return index;
}

// Any hypercall is an event of its own kind.
void cause_event() { kit::fast_call(Call::finalize_partition, tlfs::kInvalidPartition); }

bool message_names(std::uint32_t index) {
  const tlfs::Message message = wait_for_message();
  tlfs::EventLogMessagePayload payload;
  __builtin_memcpy(&payload, message.payload.data(), sizeof payload);
  return message.type == static_cast<std::uint32_t>(tlfs::MessageType::event_log_buffer_complete) &&
         message.payload_size == sizeof payload && payload.type == kType &&
         payload.buffer_index == index;
}

void set_up() {
  const tlfs::InitializeEventLogInput group{.type = kType,
                                            .maximum_buffers = kBuffers,
                                            .buffer_pages = 1,
                                            .threshold = kThreshold,
                                            .time_basis = 0,
                                            .padding = 0,
                                            .system_time = 0};
  deposit(tlfs::kSelf, kPoolPages);
  expect(Rule::initialize_log, kit::memory_call(Call::initialize_event_log_buffer_group, group),
         Status::success);
  for (std::uint32_t i = 0; i < kBuffers; ++i) {
    expect(Rule::initialize_log, buffer_call(Call::create_event_log_buffer, kType, i),
           Status::success);
  }
  expect(Rule::flush_unknown_index, flush(kBuffers), Status::invalid_parameter);
  expect(Rule::flush_unknown_index, flush(tlfs::kNoEventLogBuffer), Status::invalid_parameter);
  expect(Rule::flush_standby, flush(0), Status::operation_denied);
  for (std::uint32_t i = 0; i < kBuffers; ++i) {
    const tlfs::EventLogBufferInput input{kType, i};
    const auto result = kit::memory_call(Call::map_event_log_buffer, &input, sizeof input,
                                         &mapped[i], sizeof mapped[i]);
    expect(Rule::buffers_mapped, result, Status::success);
    if (result.status() != Status::success) return;
    judge(Rule::buffers_mapped, in_state(i, EventLogBufferState::free));
  }
  expect(Rule::flush_free, flush(0), Status::operation_denied);
}

void set_sources(std::uint64_t sources) {
  const auto result = kit::fast_call(Call::set_event_log_group_sources, kType, sources);
  expect(sources != 0 ? Rule::event_in_use : Rule::sources_off, result, Status::success);
}

// InUse → Complete → Ready → Free in one flush and one release.
void flush_one_in_use() {
  set_sources(tlfs::mask_of(tlfs::EventSource::hypercall));
  cause_event();
  const std::uint32_t index = buffer_in_use();
  judge(Rule::event_in_use, index < kBuffers);
  if (index == kBuffers) return;
  const std::uint64_t interrupts = message_interrupts();
  expect(Rule::flush_in_use, flush(index), Status::success);
  judge(Rule::flush_in_use, in_state(index, EventLogBufferState::ready));
  judge(Rule::ready_message, message_names(index));
  judge(Rule::ready_message, message_interrupts() > interrupts);
  expect(Rule::flush_ready, flush(index), Status::operation_denied);
  expect(Rule::release_ready, buffer_call(Call::release_event_log_buffer, kType, index),
         Status::success);
  judge(Rule::release_ready, in_state(index, EventLogBufferState::free));
}

// A buffer that fills up on its own is Complete and stays so below the threshold; a flush sends it
// off.
void flush_one_complete() {
  cause_event();
  const std::uint32_t index = buffer_in_use();
  if (index == kBuffers) return judge(Rule::buffer_fills, false);
  constexpr unsigned kMoreThanFit = 512;
  for (unsigned i = 0; i < kMoreThanFit && in_state(index, EventLogBufferState::in_use); ++i) {
    cause_event();
  }
  judge(Rule::buffer_fills, in_state(index, EventLogBufferState::complete));
  expect(Rule::flush_complete, flush(index), Status::success);
  judge(Rule::flush_complete, in_state(index, EventLogBufferState::ready));
  judge(Rule::complete_message, message_names(index));
  expect(Rule::release_ready, buffer_call(Call::release_event_log_buffer, kType, index),
         Status::success);
}

void tear_down() {
  set_sources(0);
  if (const std::uint32_t index = buffer_in_use(); index < kBuffers) {
    expect(Rule::log_torn_down, flush(index), Status::success);
    judge(Rule::log_torn_down, message_names(index));
    expect(Rule::log_torn_down, buffer_call(Call::release_event_log_buffer, kType, index),
           Status::success);
  }
  for (std::uint32_t i = 0; i < kBuffers; ++i) {
    expect(Rule::log_torn_down, buffer_call(Call::unmap_event_log_buffer, kType, i),
           Status::success);
    expect(Rule::log_torn_down, buffer_call(Call::delete_event_log_buffer, kType, i),
           Status::success);
  }
  expect(Rule::log_torn_down, kit::fast_call(Call::finalize_event_log_buffer_group, kType),
         Status::success);
  const Withdrawal back = withdraw_all(tlfs::kSelf);
  expect_value(Rule::root_pool_returned, back.pages, kPoolPages);
  judge(Rule::root_pool_returned, back.each_once && back.zeroed);
}

}  // namespace

void tour_event_log() {
  constexpr std::uint32_t kUnknownType = 0x77;
  expect(Rule::flush_uninitialized, flush(0), Status::operation_denied);
  expect(Rule::flush_bad_type, buffer_call(Call::flush_event_log_buffer, kUnknownType, 0),
         Status::invalid_parameter);
  set_up();
  if (mapped[kBuffers - 1] == 0) return;
  flush_one_in_use();
  flush_one_complete();
  tear_down();
}

}  // namespace vitrine::tour
