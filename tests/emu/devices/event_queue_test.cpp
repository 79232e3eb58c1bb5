// The event queue fires in order of time, then of scheduling, and survives a round trip.
#include "emu/devices/event_queue.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Recorder final : EventTarget {
  void fire(uint32_t kind, uint64_t data, Cycle now) override {
    fired.push_back({kind, data, now.value});
    if (kind == 9) queue->schedule(now, 0, 1, data + 1);
  }
  struct Fired {
    uint32_t kind;
    uint64_t data;
    uint64_t cycle;
    friend bool operator==(const Fired&, const Fired&) = default;
  };
  std::vector<Fired> fired;
  EventQueue* queue = nullptr;
};

}  // namespace

TEST_CASE("events fire by time, ties first in first out, each with its own due time", "[devices]") {
  EventQueue queue;
  Recorder recorder;
  const auto id = queue.add_target(recorder);
  queue.schedule(Cycle{20}, id, 1, 7);
  queue.schedule(Cycle{10}, id, 2, 8);
  queue.schedule(Cycle{20}, id, 3, 9);
  CHECK(queue.next() == Cycle{10});
  queue.run_until(Cycle{19});
  CHECK(recorder.fired == std::vector<Recorder::Fired>{{2, 8, 10}});
  queue.run_until(Cycle{25});
  CHECK(recorder.fired == std::vector<Recorder::Fired>{{2, 8, 10}, {1, 7, 20}, {3, 9, 20}});
  CHECK(queue.next() == kNever);
}

TEST_CASE("an event scheduled while firing and already due fires in the same run", "[devices]") {
  EventQueue queue;
  Recorder recorder;
  recorder.queue = &queue;
  const auto id = queue.add_target(recorder);
  queue.schedule(Cycle{5}, id, 9, 1);
  queue.run_until(Cycle{5});
  CHECK(recorder.fired == std::vector<Recorder::Fired>{{9, 1, 5}, {1, 2, 5}});
}

TEST_CASE("cancel removes every event of the target and kind only", "[devices]") {
  EventQueue queue;
  Recorder a;
  Recorder b;
  const auto first = queue.add_target(a);
  const auto second = queue.add_target(b);
  queue.schedule(Cycle{1}, first, 1);
  queue.schedule(Cycle{2}, first, 1);
  queue.schedule(Cycle{3}, first, 2);
  queue.schedule(Cycle{4}, second, 1);
  queue.cancel(first, 1);
  queue.run_until(Cycle{9});
  CHECK(a.fired == std::vector<Recorder::Fired>{{2, 0, 3}});
  CHECK(b.fired == std::vector<Recorder::Fired>{{1, 0, 4}});
}

TEST_CASE("a loaded queue fires what the saved one held, and drops events for nobody",
          "[devices]") {
  EventQueue queue;
  Recorder recorder;
  const auto id = queue.add_target(recorder);
  queue.schedule(Cycle{20}, id, 1, 1);
  queue.schedule(Cycle{10}, id, 1, 2);
  queue.schedule(Cycle{10}, id, 1, 3);
  const auto content = saved(queue);

  EventQueue other;
  Recorder heard;
  other.add_target(heard);
  load(other, content);
  CHECK(saved(other) == content);
  other.run_until(Cycle{30});
  CHECK(heard.fired == std::vector<Recorder::Fired>{{1, 2, 10}, {1, 3, 10}, {1, 1, 20}});

  EventQueue nobody;
  load(nobody, content);
  CHECK(nobody.next() == kNever);
}

TEST_CASE("device periods do not drift: the n-th tick is the first cycle at or after it",
          "[devices]") {
  const TimeBase time{2'000'000'000};
  CHECK(time.cycles(1, 1'193'182) == Cycle{1677});
  CHECK(time.cycles(1'193'182, 1'193'182) == Cycle{2'000'000'000});
  for (const uint64_t n : {1u, 2u, 3u, 17u, 1'000'003u, 4'000'000'000u}) {
    const Cycle when = time.cycles(n, 3'579'545);
    CHECK(time.ticks(when, 3'579'545) == n);
    CHECK(time.ticks(when - 1, 3'579'545) == n - 1);
  }
  CHECK(time.cycles(~uint64_t{0}, 1) == kNever);
}
