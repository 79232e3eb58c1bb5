// The 8254: counts, outputs and interrupt cycles of each mode, latches, and port 61H.
#include "emu/devices/pit.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Bench {
  Bench() : pit(events, time, Line{&lines, 0}) { pit.reset(Cycle{0}); }
  /// The first cycle of a tick of the timer's clock.
  uint64_t cycle(uint64_t tick) const { return time.cycles(tick, Pit::kClockHz).value; }
  void put(uint64_t offset, uint64_t value, uint64_t tick = 0) {
    events.run_until(Cycle{cycle(tick)});
    pit.write(offset, 1, value, at(cycle(tick)));
  }
  uint64_t in(uint64_t offset, uint64_t tick = 0) {
    events.run_until(Cycle{cycle(tick)});
    return pit.read(offset, 1, at(cycle(tick)));
  }
  uint64_t count(unsigned channel, uint64_t tick) {
    put(3, channel << 6, tick);
    const uint64_t low = in(channel, tick);
    return low | in(channel, tick) << 8;
  }
  void program(unsigned channel, unsigned mode, uint64_t value, uint64_t tick = 0) {
    put(3, channel << 6 | 0x30 | mode << 1, tick);
    put(channel, value & 0xFF, tick);
    put(channel, value >> 8, tick);
  }
  bool out2(uint64_t tick) { return (in(0x10, tick) & 0x20) != 0; }

  TimeBase time;
  EventQueue events;
  FakeLines lines;
  Pit pit;
};

}  // namespace

TEST_CASE("mode 0 raises its output once, count + 1 clocks after the write", "[devices]") {
  Bench b;
  b.program(0, 0, 100, 10);
  CHECK_FALSE(b.lines.levels[0]);
  CHECK(b.count(0, 11) == 100);
  CHECK(b.count(0, 61) == 50);
  b.events.run_until(Cycle{b.cycle(1000)});
  CHECK(b.lines.rises(0) == std::vector<uint64_t>{b.cycle(111)});
  CHECK(b.lines.levels[0]);
  CHECK(b.count(0, 113) == 0xFFFE);
}

TEST_CASE("mode 2 interrupts every count clocks and never drifts", "[devices]") {
  Bench b;
  b.program(0, 2, 1193, 0);
  b.events.run_until(Cycle{b.cycle(1 + 1193 * 1000)});
  const auto rises = b.lines.rises(0);
  REQUIRE(rises.size() == 1001);  // the first is the mode being set
  for (size_t k = 1; k <= 1000; ++k) REQUIRE(rises[k] == b.cycle(1 + 1193 * k));
  CHECK(b.count(0, 1 + 1193 * 1000) == 1193);
  CHECK(b.count(0, 1 + 1193 * 1001 - 1) == 1);
}

TEST_CASE("mode 3 counts down by two and is high for the larger half", "[devices]") {
  Bench b;
  b.put(0x10, 1);
  b.program(2, 3, 10, 0);
  CHECK(b.count(2, 1) == 10);
  CHECK(b.count(2, 3) == 6);
  CHECK(b.count(2, 6) == 10);
  CHECK(b.out2(5));
  CHECK_FALSE(b.out2(6));
  CHECK_FALSE(b.out2(10));
  CHECK(b.out2(11));
  b.program(2, 3, 5, 20);
  CHECK(b.out2(23));
  CHECK_FALSE(b.out2(24));
  CHECK_FALSE(b.out2(25));
  CHECK(b.out2(26));
}

TEST_CASE("a count written while mode 2 runs takes effect when the period ends", "[devices]") {
  Bench b;
  b.program(0, 2, 100, 0);
  b.put(0, 50, 20);
  b.put(0, 0, 20);
  CHECK(b.count(0, 21) == 80);
  b.events.run_until(Cycle{b.cycle(250)});
  const auto rises = b.lines.rises(0);
  CHECK(rises == std::vector<uint64_t>{b.cycle(0), b.cycle(101), b.cycle(151), b.cycle(201)});
}

TEST_CASE("a count written while mode 3 runs takes effect when the half ends", "[devices]") {
  Bench b;
  b.put(0x10, 1);
  b.program(2, 3, 100, 0);
  b.put(2, 20, 30);
  b.put(2, 0, 30);
  CHECK(b.out2(50));
  CHECK_FALSE(b.out2(51));
  CHECK_FALSE(b.out2(60));
  CHECK(b.out2(61));
  CHECK_FALSE(b.out2(71));
}

TEST_CASE("mode 1 starts at a rising gate and can be started again", "[devices]") {
  Bench b;
  b.program(2, 1, 10, 0);
  CHECK(b.out2(5));
  b.put(0x10, 1, 20);
  CHECK(b.out2(20));
  CHECK_FALSE(b.out2(21));
  b.put(0x10, 0, 25);
  b.put(0x10, 1, 26);
  CHECK_FALSE(b.out2(31));
  CHECK_FALSE(b.out2(36));
  CHECK(b.out2(37));
}

TEST_CASE("modes 4 and 5 strobe low for one clock", "[devices]") {
  Bench b;
  b.put(0x10, 1);
  b.program(2, 4, 10, 0);
  CHECK(b.out2(10));
  CHECK_FALSE(b.out2(11));
  CHECK(b.out2(12));
  b.put(0x10, 0, 20);
  b.program(2, 5, 10, 20);
  b.put(0x10, 1, 30);
  CHECK(b.out2(40));
  CHECK_FALSE(b.out2(41));
  CHECK(b.out2(42));
}

TEST_CASE("a low gate holds mode 0 and restarts mode 2", "[devices]") {
  Bench b;
  b.put(0x10, 1);
  b.program(2, 0, 100, 0);
  b.put(0x10, 0, 31);
  CHECK(b.count(2, 60) == 70);
  b.put(0x10, 1, 81);
  CHECK_FALSE(b.out2(150));
  CHECK(b.out2(151));
  b.program(2, 2, 100, 200);
  b.put(0x10, 0, 250);
  CHECK(b.out2(400));
  b.put(0x10, 1, 450);
  CHECK(b.count(2, 461) == 90);
}

TEST_CASE("read-back latches counts and status, each until it is read", "[devices]") {
  Bench b;
  b.program(0, 2, 1000, 0);
  b.put(3, 0xC2, 101);  // count and status of channel 0
  b.put(3, 0x00, 150);  // ignored: already latched
  CHECK(b.in(0, 200) == 0xB4);
  CHECK(b.in(0, 200) == (900 & 0xFF));
  CHECK(b.in(0, 200) == 900 >> 8);
  CHECK(b.in(0, 201) == (800 & 0xFF));
  b.put(3, 0x30, 300);
  b.put(3, 0xE2, 300);
  CHECK(b.in(0, 300) == 0x70);  // no count yet, mode 0, output low
}

TEST_CASE("binary-coded decimal counts and zero means the largest count", "[devices]") {
  Bench b;
  b.put(3, 0x31);
  b.put(0, 0x00);
  b.put(0, 0x10);
  CHECK(b.count(0, 1) == 0x1000);
  CHECK(b.count(0, 2) == 0x0999);
  b.put(3, 0x34, 10);
  b.put(0, 0, 10);
  b.put(0, 0, 10);
  CHECK(b.count(0, 11) == 0);
  CHECK(b.count(0, 12) == 0xFFFF);
}

TEST_CASE("port 61H shows the refresh toggle and keeps its written bits", "[devices]") {
  Bench b;
  b.put(0x10, 0x03);
  CHECK((b.in(0x10, 17) & 0x13) == 0x03);
  CHECK((b.in(0x10, 18) & 0x13) == 0x13);
  CHECK((b.in(0x10, 36) & 0x13) == 0x03);
}

TEST_CASE("the timer's state survives a round trip, and no access does harm", "[devices]") {
  Bench a;
  a.program(0, 3, 777, 5);
  a.put(0, 1, 50);
  const auto content = saved(a.pit);
  Bench b;
  load(b.pit, content);
  CHECK(saved(b.pit) == content);
  hammer(b.pit, b.events, 0x12, 4);
}
