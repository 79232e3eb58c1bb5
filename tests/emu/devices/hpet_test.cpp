// The HPET: its counter, one-shot and periodic comparators, routing and status.
#include "emu/devices/hpet.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

constexpr uint64_t kTick = 200;  // cycles of 2 GHz per tick of 10 MHz

struct Messages final : MsiTarget {
  void message(uint64_t address, uint32_t data, Cycle now) override {
    got.push_back({address, data, now.value});
  }
  std::vector<std::array<uint64_t, 3>> got;
};

struct Bench {
  Bench()
      : hpet(events, TimeBase{},
             HpetWiring{.irq = Line{&lines, 0},
                        .legacy_timer = Line{&lines, 100},
                        .legacy_rtc = Line{&lines, 108},
                        .msi = &msi}) {
    hpet.reset(Cycle{0});
  }
  void put(uint64_t offset, uint64_t value, uint64_t now = 0, unsigned size = 8) {
    hpet.write(offset, size, value, at(now));
  }
  uint64_t in(uint64_t offset, uint64_t now = 0, unsigned size = 8) {
    return hpet.read(offset, size, at(now));
  }
  EventQueue events;
  FakeLines lines;
  Messages msi;
  Hpet hpet;
};

}  // namespace

TEST_CASE("the capabilities name the period, and the counter runs only when enabled", "[devices]") {
  Bench b;
  CHECK(b.in(0, 0, 4) == 0x8086A201);
  CHECK(b.in(4, 0, 4) == 100'000'000);
  CHECK(b.in(0xF0, 100 * kTick) == 0);
  b.put(0x10, 1, 100 * kTick);
  CHECK(b.in(0xF0, 150 * kTick) == 50);
  b.put(0x10, 0, 150 * kTick);
  CHECK(b.in(0xF0, 900 * kTick) == 50);
  b.put(0xF0, 7, 900 * kTick);
  b.put(0x10, 1, 1000 * kTick);
  CHECK(b.in(0xF0, 1001 * kTick) == 8);
}

TEST_CASE("a one-shot comparator interrupts when the counter reaches it", "[devices]") {
  Bench b;
  b.put(0x108, 500);
  b.put(0x100, 20 << 9 | 4);
  b.put(0x10, 1);
  b.events.run_until(Cycle{10'000 * kTick});
  CHECK(b.lines.rises(20) == std::vector<uint64_t>{500 * kTick});
}

TEST_CASE("a periodic comparator comes back every period", "[devices]") {
  Bench b;
  b.put(0x100, 20 << 9 | 4 | 8 | 0x40);
  b.put(0x108, 1000);
  b.put(0x108, 300);
  b.put(0x10, 1);
  b.events.run_until(Cycle{1700 * kTick});
  CHECK(b.lines.rises(20) == std::vector<uint64_t>{1000 * kTick, 1300 * kTick, 1600 * kTick});
}

TEST_CASE("legacy replacement takes over IRQ 0 and IRQ 8", "[devices]") {
  Bench b;
  b.put(0x108, 10);
  b.put(0x100, 4);
  b.put(0x128, 20);
  b.put(0x120, 4);
  b.put(0x10, 3);
  CHECK(b.hpet.legacy_replacement());
  b.events.run_until(Cycle{100 * kTick});
  CHECK(b.lines.rises(100) == std::vector<uint64_t>{10 * kTick});
  CHECK(b.lines.rises(108) == std::vector<uint64_t>{20 * kTick});
}

TEST_CASE("a level interrupt stays until its status bit is cleared", "[devices]") {
  Bench b;
  b.put(0x108, 10);
  b.put(0x100, 21 << 9 | 4 | 2);
  b.put(0x10, 1);
  b.events.run_until(Cycle{50 * kTick});
  CHECK(b.lines.levels[21]);
  CHECK(b.in(0x20) == 1);
  b.put(0x20, 1, 60 * kTick);
  CHECK_FALSE(b.lines.levels[21]);
  CHECK(b.in(0x20) == 0);
}

TEST_CASE("a message goes to the bus instead of a wire", "[devices]") {
  Bench b;
  b.put(0x110, uint64_t{0xFEE01000} << 32 | 0x55);
  b.put(0x108, 10);
  b.put(0x100, 0x4004);
  b.put(0x10, 1);
  b.events.run_until(Cycle{50 * kTick});
  CHECK(b.msi.got == std::vector<std::array<uint64_t, 3>>{{0xFEE01000, 0x55, 10 * kTick}});
}

TEST_CASE("a 32-bit comparator wraps with the low half of the counter", "[devices]") {
  Bench b;
  b.put(0xF0, 0xFFFFFFF0);
  b.put(0x108, 4);
  b.put(0x100, 20 << 9 | 4 | 0x100);
  b.put(0x10, 1);
  b.events.run_until(Cycle{100 * kTick});
  CHECK(b.lines.rises(20) == std::vector<uint64_t>{20 * kTick});
}

TEST_CASE("the HPET's state survives a round trip, and no access does harm", "[devices]") {
  Bench a;
  a.put(0x100, 20 << 9 | 4 | 8 | 0x40);
  a.put(0x108, 1000);
  a.put(0x10, 1);
  const auto content = saved(a.hpet);
  Bench b;
  load(b.hpet, content);
  CHECK(saved(b.hpet) == content);
  hammer(b.hpet, b.events, 0x200, 9);
}
