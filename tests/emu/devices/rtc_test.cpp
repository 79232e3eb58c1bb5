// The MC146818: the configured instant, calendar, alarm, periodic and update interrupts.
#include "emu/devices/rtc.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

constexpr uint64_t kSecond = 2'000'000'000;

struct Bench {
  explicit Bench(int64_t start = 1'767'225'600) : rtc(events, TimeBase{}, Line{&lines, 8}, start) {
    rtc.reset(Cycle{0});
  }
  uint64_t in(uint64_t reg, uint64_t now = 0) {
    events.run_until(Cycle{now});
    rtc.write(0, 1, reg, at(now));
    return rtc.read(1, 1, at(now));
  }
  void put(uint64_t reg, uint64_t value, uint64_t now = 0) {
    events.run_until(Cycle{now});
    rtc.write(0, 1, reg, at(now));
    rtc.write(1, 1, value, at(now));
  }
  /// Century, year, month, day, weekday, hour, minute, second.
  std::vector<uint64_t> time(uint64_t now) {
    std::vector<uint64_t> values;
    for (const uint64_t reg : {0x32u, 9u, 8u, 7u, 6u, 4u, 2u, 0u}) values.push_back(in(reg, now));
    return values;
  }
  EventQueue events;
  FakeLines lines;
  Rtc rtc;
};

using Time = std::vector<uint64_t>;

}  // namespace

TEST_CASE("the clock starts at the configured instant and advances with guest time", "[devices]") {
  Bench b;
  CHECK(b.time(0) == Time{0x20, 0x26, 1, 1, 5, 0, 0, 0});
  CHECK(b.time(kSecond - 1).back() == 0);
  CHECK(b.time(kSecond).back() == 1);
  CHECK(b.time(86'399 * kSecond) == Time{0x20, 0x26, 1, 1, 5, 0x23, 0x59, 0x59});
  CHECK(b.time(86'400 * kSecond) == Time{0x20, 0x26, 1, 2, 6, 0, 0, 0});
  CHECK(b.time(86'400ull * 365 * kSecond) == Time{0x20, 0x27, 1, 1, 6, 0, 0, 0});
  CHECK(Bench(951'782'400).time(86'400 * kSecond) == Time{0x20, 0x00, 3, 1, 4, 0, 0, 0});
  CHECK(Bench(-1).time(0) == Time{0x19, 0x69, 0x12, 0x31, 4, 0x23, 0x59, 0x59});
}

TEST_CASE("update in progress shows in the last 244 microseconds of a second", "[devices]") {
  Bench b;
  const uint64_t early = kSecond - 8 * kSecond / 32'768;
  CHECK(b.in(10, early - 1) == 0x26);
  CHECK(b.in(10, early + 1) == 0xA6);
  CHECK(b.in(10, kSecond) == 0x26);
}

TEST_CASE("binary and twelve-hour formats", "[devices]") {
  Bench b;
  b.put(11, 0x80 | 0x04);
  b.put(4, 0x8B);  // 11 PM
  b.put(2, 59);
  b.put(0, 59);
  b.put(11, 0x04);
  CHECK(b.in(4, kSecond) == 12);  // midnight
  CHECK(b.in(7, kSecond) == 2);
  CHECK(b.in(4, kSecond * (1 + 12 * 3600)) == 0x8C);
}

TEST_CASE("SET holds the clock", "[devices]") {
  Bench b;
  b.put(11, 0x82);
  CHECK(b.in(0, 10 * kSecond) == 0);
  b.put(11, 0x02, 10 * kSecond);
  CHECK(b.in(0, 11 * kSecond) == 1);
}

TEST_CASE("the periodic interrupt keeps its rate exactly and waits for register C", "[devices]") {
  Bench b;
  b.put(10, 0x2F);  // 2 Hz
  b.put(11, 0x42);
  for (uint64_t k = 1; k <= 5; ++k) {
    b.events.run_until(Cycle{k * kSecond / 2 - 1});
    REQUIRE_FALSE(b.lines.levels[8]);
    b.events.run_until(Cycle{k * kSecond / 2});
    REQUIRE(b.lines.levels[8]);
    REQUIRE((b.in(12, k * kSecond / 2) & 0xC0) == 0xC0);
    REQUIRE_FALSE(b.lines.levels[8]);
  }
  b.events.run_until(Cycle{10 * kSecond});
  CHECK(b.events.next() == kNever);  // nobody took the last: nothing more to happen
}

TEST_CASE("the update interrupt comes with each second", "[devices]") {
  Bench b;
  b.put(11, 0x12);
  b.events.run_until(Cycle{3 * kSecond / 2});
  CHECK(b.lines.rises(8) == std::vector<uint64_t>{kSecond});
  CHECK(b.in(12, 3 * kSecond / 2) == 0xD0);
  b.events.run_until(Cycle{2 * kSecond});
  CHECK(b.lines.rises(8) == std::vector<uint64_t>{kSecond, 2 * kSecond});
}

TEST_CASE("the alarm comes at its second, with wildcards, and across midnight", "[devices]") {
  Bench b;
  b.put(5, 0x01);
  b.put(3, 0x02);
  b.put(1, 0x03);
  b.put(11, 0x22);
  b.events.run_until(Cycle{100'000 * kSecond});
  CHECK(b.lines.rises(8) == std::vector<uint64_t>{3723 * kSecond});
  CHECK((b.in(12, 100'000 * kSecond) & 0xA0) == 0xA0);
  b.put(5, 0xFF, 100'000 * kSecond);
  b.put(3, 0xFF, 100'000 * kSecond);
  b.put(1, 0x00, 100'000 * kSecond);
  b.events.run_until(Cycle{100'100 * kSecond});
  CHECK(b.lines.rises(8).back() == 100'020 * kSecond);
}

TEST_CASE("flags appear without interrupts and are cleared by reading them", "[devices]") {
  Bench b;
  CHECK(b.events.next() == kNever);
  CHECK((b.in(12, 5 * kSecond) & 0x70) != 0);
  CHECK(b.in(12, 5 * kSecond) == 0);
  CHECK(b.in(13) == 0x80);
}

TEST_CASE("releasing the divider makes the first update half a second later", "[devices]") {
  Bench b;
  b.put(10, 0x76, kSecond / 4);
  CHECK(b.in(0, 3 * kSecond) == 0);
  b.put(10, 0x26, 3 * kSecond);
  CHECK(b.in(0, 3 * kSecond + kSecond / 2 - 1) == 0);
  CHECK(b.in(0, 3 * kSecond + kSecond / 2) == 1);
}

TEST_CASE("CMOS memory keeps bytes, the index port carries the NMI mask", "[devices]") {
  Bench b;
  b.put(0x40, 0xAB);
  CHECK(b.in(0x40) == 0xAB);
  CHECK(b.rtc.cmos(0x40) == 0xAB);
  b.rtc.write(0, 1, 0xC0, at(0));
  CHECK(b.rtc.nmi_masked());
  CHECK(b.rtc.read(1, 1, at(0)) == 0xAB);
  CHECK(b.rtc.read(0, 1, at(0)) == 0xFF);
}

TEST_CASE("the clock's state survives a round trip, and no access does harm", "[devices]") {
  Bench a;
  a.put(11, 0x72);
  a.in(0, 12'345 * kSecond);
  const auto content = saved(a.rtc);
  Bench b;
  load(b.rtc, content);
  CHECK(saved(b.rtc) == content);
  hammer(b.rtc, b.events, 4, 7, 12'345 * kSecond);
}
