// ACPI fixed hardware: power-off, reset, the 24-bit timer and the system control interrupt.
#include "emu/devices/power.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Bench {
  Bench() : power(events, time, Line{&lines, 9}, sink) { power.reset(Cycle{0}); }
  void put(uint64_t offset, unsigned size, uint64_t value, uint64_t now = 0) {
    power.write(offset, size, value, at(now));
  }
  uint64_t in(uint64_t offset, unsigned size, uint64_t now = 0) {
    return power.read(offset, size, at(now));
  }
  TimeBase time;
  EventQueue events;
  FakeLines lines;
  FakePower sink;
  Power power;
};

}  // namespace

TEST_CASE("sleep type S5 with SLP_EN powers off; other types do not", "[devices]") {
  Bench b;
  b.put(4, 2, 0x3400, 1);
  CHECK(b.sink.off.empty());
  b.put(4, 2, 0x2000, 2);
  CHECK(b.sink.off == std::vector<uint64_t>{2});
  CHECK(b.in(4, 2) == 0x0001);  // ACPI is always on, SLP_EN reads 0
}

TEST_CASE("a rising bit 2 of the reset register resets", "[devices]") {
  Bench b;
  b.put(Power::kResetOffset, 1, 2, 1);
  CHECK(b.sink.resets.empty());
  b.put(Power::kResetOffset, 1, 6, 2);
  CHECK(b.sink.resets == std::vector<uint64_t>{2});
}

TEST_CASE("the timer counts 3.579545 MHz in 24 bits", "[devices]") {
  Bench b;
  CHECK(b.in(8, 4, 2'000'000'000) == 3'579'545);
  CHECK(b.in(8, 4, b.time.cycles(1 << 24, Power::kTimerHz).value) == 0);
  CHECK(b.in(8, 4, b.time.cycles((1 << 24) - 1, Power::kTimerHz).value) == 0xFFFFFF);
}

TEST_CASE("the timer's carry is a system control interrupt exactly when its top bit changes",
          "[devices]") {
  Bench b;
  b.put(2, 2, 1);
  const uint64_t half = b.time.cycles(1 << 23, Power::kTimerHz).value;
  b.events.run_until(Cycle{half - 1});
  CHECK_FALSE(b.lines.levels[9]);
  b.events.run_until(Cycle{half});
  CHECK(b.lines.rises(9) == std::vector<uint64_t>{half});
  CHECK(b.in(0, 2, half) == 1);
  b.put(0, 2, 1, half);
  CHECK_FALSE(b.lines.levels[9]);
  CHECK(b.events.next() == b.time.cycles(1 << 24, Power::kTimerHz));
}

TEST_CASE("the button interrupts when enabled and is cleared by writing a one", "[devices]") {
  Bench b;
  b.power.press_button(Cycle{0});
  CHECK_FALSE(b.lines.levels[9]);
  b.put(2, 2, 0x100);
  CHECK(b.lines.levels[9]);
  b.put(0, 2, 0x100);
  CHECK_FALSE(b.lines.levels[9]);
}

TEST_CASE("the power block's state survives a round trip, and no access does harm", "[devices]") {
  Bench a;
  a.power.press_button(Cycle{0});
  a.put(2, 2, 0x121);
  const auto content = saved(a.power);
  Bench b;
  load(b.power, content);
  CHECK(saved(b.power) == content);
  hammer(b.power, b.events, 0x210, 8);
}
