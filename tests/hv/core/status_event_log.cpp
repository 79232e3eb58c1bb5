// Scenarios for the statuses of the event-log calls: a table.
#include <array>

#include "tests/hv/core/event_log_scene.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

constexpr tl::ProximityInfo kNowhere{.domain = 7, .flags = tl::ProximityInfo::kValid};
constexpr std::uint32_t kUnknownType = 2;

// The group with buffers 0 to 3 Free.
EventLogScene ready(Machine& m) {
  EventLogScene log{m};
  log.ready();
  return log;
}
// The group initialized, without buffers.
EventLogScene empty(Machine& m) {
  EventLogScene log{m};
  m.deposit(tl::kSelf, 8);
  if (log.initialize() != Status::success) throw std::logic_error("empty");
  return log;
}
// Buffer 0 in use.
EventLogScene in_use(Machine& m) {
  EventLogScene log = ready(m);
  if (log.sources(4) != Status::success) throw std::logic_error("in_use");
  log.log();
  return log;
}

Status by_child(Machine& m, Call call, std::span<const std::byte> input, bool fast = true) {
  Guest g = privileged_child(m);
  return m.call(g, call, input, {}, 0, fast).status;
}
Status by_child_on_buffer(Machine& m, Call call, bool fast = true) {
  const tl::EventLogBufferInput in{0, 0};
  return by_child(m, call, Machine::bytes(in), fast);
}
EventLogScene unknown(Machine& m) { return {m, kUnknownType}; }

// clang-format off
constexpr auto kCases = std::to_array<StatusCase>({
  {Call::initialize_event_log_buffer_group, Status::success, [](Machine& m) { m.deposit(tl::kSelf, 1); return EventLogScene{m}.initialize(); }},
  {Call::initialize_event_log_buffer_group, Status::access_denied,
   [](Machine& m) { const tl::InitializeEventLogInput in{}; return by_child(m, Call::initialize_event_log_buffer_group, Machine::bytes(in), false); }},
  {Call::initialize_event_log_buffer_group, Status::invalid_parameter, [](Machine& m) { return EventLogScene{m}.initialize(4, 513); }},
  {Call::initialize_event_log_buffer_group, Status::object_in_use, [](Machine& m) { return empty(m).initialize(); }},
  {Call::initialize_event_log_buffer_group, Status::insufficient_memory, [](Machine& m) { return EventLogScene{m}.initialize(); }},

  {Call::finalize_event_log_buffer_group, Status::success, [](Machine& m) { return empty(m).finalize(); }},
  {Call::finalize_event_log_buffer_group, Status::access_denied,
   [](Machine& m) { const tl::EventLogGroupInput in{}; return by_child(m, Call::finalize_event_log_buffer_group, Machine::bytes(in)); }},
  {Call::finalize_event_log_buffer_group, Status::invalid_parameter, [](Machine& m) { return unknown(m).finalize(); }},
  {Call::finalize_event_log_buffer_group, Status::operation_denied, [](Machine& m) { return ready(m).finalize(); }},

  {Call::create_event_log_buffer, Status::success, [](Machine& m) { return empty(m).create(3); }},
  {Call::create_event_log_buffer, Status::access_denied,
   [](Machine& m) { const tl::CreateEventLogBufferInput in{}; return by_child(m, Call::create_event_log_buffer, Machine::bytes(in)); }},
  {Call::create_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return empty(m).create(0, kNowhere); }},
  {Call::create_event_log_buffer, Status::operation_denied, [](Machine& m) { return EventLogScene{m}.create(0); }},
  {Call::create_event_log_buffer, Status::insufficient_memory,
   [](Machine& m) { m.deposit(tl::kSelf, 1); EventLogScene log{m}; log.initialize(); return log.create(0); }},

  {Call::delete_event_log_buffer, Status::success, [](Machine& m) { EventLogScene log = empty(m); log.create(0); return log.remove(0); }},
  {Call::delete_event_log_buffer, Status::access_denied, [](Machine& m) { return by_child_on_buffer(m, Call::delete_event_log_buffer); }},
  {Call::delete_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return empty(m).remove(0); }},
  {Call::delete_event_log_buffer, Status::operation_denied, [](Machine& m) { return ready(m).remove(0); }},

  {Call::map_event_log_buffer, Status::success, [](Machine& m) { EventLogScene log = empty(m); log.create(0); return log.map(0); }},
  {Call::map_event_log_buffer, Status::access_denied, [](Machine& m) { return by_child_on_buffer(m, Call::map_event_log_buffer, false); }},
  {Call::map_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return empty(m).map(4); }},
  {Call::map_event_log_buffer, Status::operation_denied, [](Machine& m) { return ready(m).map(0); }},

  {Call::unmap_event_log_buffer, Status::success, [](Machine& m) { return ready(m).unmap(0); }},
  {Call::unmap_event_log_buffer, Status::access_denied, [](Machine& m) { return in_use(m).unmap(0); }},
  {Call::unmap_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return EventLogScene{m}.unmap(0); }},

  {Call::set_event_log_group_sources, Status::success, [](Machine& m) { return empty(m).sources(7); }},
  {Call::set_event_log_group_sources, Status::access_denied,
   [](Machine& m) { const tl::EventLogSourcesInput in{}; return by_child(m, Call::set_event_log_group_sources, Machine::bytes(in)); }},
  {Call::set_event_log_group_sources, Status::invalid_parameter, [](Machine& m) { return unknown(m).sources(1); }},
  {Call::set_event_log_group_sources, Status::operation_denied, [](Machine& m) { return EventLogScene{m}.sources(1); }},

  {Call::release_event_log_buffer, Status::success,
   [](Machine& m) { m.enable_synic(*m.root().vp, 5, 6); EventLogScene log = in_use(m); log.flush(0); return log.release(0); }},
  {Call::release_event_log_buffer, Status::access_denied, [](Machine& m) { return by_child_on_buffer(m, Call::release_event_log_buffer); }},
  {Call::release_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return ready(m).release(9); }},
  {Call::release_event_log_buffer, Status::operation_denied, [](Machine& m) { return ready(m).release(0); }},

  {Call::flush_event_log_buffer, Status::success, [](Machine& m) { return in_use(m).flush(0); }},
  {Call::flush_event_log_buffer, Status::access_denied, [](Machine& m) { return by_child_on_buffer(m, Call::flush_event_log_buffer); }},
  {Call::flush_event_log_buffer, Status::invalid_parameter, [](Machine& m) { return unknown(m).flush(0); }},
  {Call::flush_event_log_buffer, Status::operation_denied, [](Machine& m) { return EventLogScene{m}.flush(0); }},
});
// clang-format on

}  // namespace

std::span<const StatusCase> event_log_cases() { return kCases; }

}  // namespace vitrine::test
