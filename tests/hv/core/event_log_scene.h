// Event-log calls by name, for the tests.
#pragma once

#include "hv/tlfs/event_log.h"
#include "tests/hv/core/machine.h"

namespace vitrine::test {

struct EventLogScene {
  Machine& m;
  std::uint32_t type = 0;

  Status initialize(std::uint32_t buffers = 4, std::uint32_t pages = 1, std::uint32_t threshold = 2,
                    std::uint32_t basis = 0) {
    return m
        .call(Call::initialize_event_log_buffer_group,
              hv::tlfs::InitializeEventLogInput{.type = type,
                                                .maximum_buffers = buffers,
                                                .buffer_pages = pages,
                                                .threshold = threshold,
                                                .time_basis = basis})
        .status;
  }
  Status finalize() {
    return m.fast(Call::finalize_event_log_buffer_group, hv::tlfs::EventLogGroupInput{.type = type})
        .status;
  }
  Status create(std::uint32_t index, hv::tlfs::ProximityInfo proximity = {}) {
    return m
        .fast(Call::create_event_log_buffer,
              hv::tlfs::CreateEventLogBufferInput{type, index, proximity})
        .status;
  }
  Status on(Call call, std::uint32_t index) {
    return m.fast(call, hv::tlfs::EventLogBufferInput{type, index}).status;
  }
  Status remove(std::uint32_t index) { return on(Call::delete_event_log_buffer, index); }
  Status unmap(std::uint32_t index) { return on(Call::unmap_event_log_buffer, index); }
  Status release(std::uint32_t index) { return on(Call::release_event_log_buffer, index); }
  Status flush(std::uint32_t index) { return on(Call::flush_event_log_buffer, index); }
  Status map(std::uint32_t index, std::vector<std::uint64_t>* pages = nullptr) {
    std::vector<std::uint64_t> out(pages != nullptr ? pages->size() : 1);
    const hv::tlfs::EventLogBufferInput in{type, index};
    const Answer answer = m.call(m.root(), Call::map_event_log_buffer, Machine::bytes(in),
                                 std::as_writable_bytes(std::span(out)));
    if (pages != nullptr) *pages = out;
    return answer.status;
  }
  Status sources(std::uint64_t flags) {
    return m
        .fast(Call::set_event_log_group_sources,
              hv::tlfs::EventLogSourcesInput{.type = type, .enable_flags = flags})
        .status;
  }
  // An initialized group whose buffers are all Free.
  void ready(std::uint32_t buffers = 4, std::uint32_t pages = 1, std::uint32_t threshold = 2,
             std::uint32_t basis = 0) {
    m.deposit(hv::tlfs::kSelf, 2 + std::uint64_t{buffers} * (pages + 1));
    bool ok = initialize(buffers, pages, threshold, basis) == Status::success;
    for (std::uint32_t i = 0; i < buffers; ++i) {
      ok = ok && create(i) == Status::success && map(i) == Status::success;
    }
    if (!ok) throw std::logic_error("event log scene");
  }
  void log(std::uint64_t value = 1, std::uint32_t processor = 0) {
    const std::uint64_t parameters[] = {value, value + 1};
    const auto source =
        type == 0 ? hv::tlfs::EventSource::partition_life : hv::tlfs::EventSource::scheduler;
    hv::log_event(m.hv, processor, source, hv::tlfs::EventType::context_switch, parameters);
  }
  hv::EventLogGroup& group() { return m.hv.event_log[type]; }
  hv::EventLogBuffer& buffer(std::uint32_t index) {
    return *hv::event_log_buffer(m.hv, group(), index);
  }
  hv::tlfs::EventLogBufferState state(std::uint32_t index) { return buffer(index).state; }
};

}  // namespace vitrine::test
