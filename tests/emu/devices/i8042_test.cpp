// The keyboard controller: self test, translation, buffers, A20 and reset.
#include "emu/devices/i8042.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Gate final : A20Sink {
  void set_a20(bool level, Cycle) override { open = level; }
  bool open = false;
};

struct Bench {
  Bench() : chip(Line{&lines, 1}, power, &gate) { chip.reset(Cycle{0}); }
  void data(uint64_t value) { chip.write(0x00, 1, value, at(0)); }
  void command(uint64_t value) { chip.write(0x10, 1, value, at(0)); }
  uint64_t in() { return chip.read(0x00, 1, at(0)); }
  uint64_t status() { return chip.read(0x10, 1, at(0)); }
  std::vector<uint64_t> all() {
    std::vector<uint64_t> bytes;
    while ((status() & 1) != 0) bytes.push_back(in());
    return bytes;
  }
  EventQueue events;
  FakeLines lines;
  FakePower power;
  Gate gate;
  I8042 chip;
};

using Bytes = std::vector<uint64_t>;

}  // namespace

TEST_CASE("the controller and both its ports test well", "[devices]") {
  Bench b;
  CHECK(b.status() == 0x14);
  b.command(0xAA);
  CHECK(b.status() == 0x1D);
  CHECK(b.all() == Bytes{0x55});
  b.command(0xAB);
  CHECK(b.all() == Bytes{0x00});
  b.command(0xA9);
  CHECK(b.all() == Bytes{0x00});
}

TEST_CASE("the configuration byte is read and written", "[devices]") {
  Bench b;
  b.command(0x20);
  CHECK(b.in() == 0x45);
  b.command(0x60);
  b.data(0x04);
  b.command(0x20);
  CHECK(b.in() == 0x04);
}

TEST_CASE("keys come with an interrupt each, translated to set 1", "[devices]") {
  Bench b;
  b.chip.receive(0x1C, Cycle{5});  // A
  CHECK(b.lines.rises(1) == Bytes{5});
  b.chip.receive(0xF0, Cycle{6});
  b.chip.receive(0x1C, Cycle{6});
  CHECK(b.chip.peek(0, 1) == 0x1E);
  CHECK(b.in() == 0x1E);
  CHECK(b.lines.rises(1).size() == 2);
  CHECK(b.in() == 0x9E);
  CHECK_FALSE(b.lines.levels[1]);
  b.command(0x60);
  b.data(0x01);
  b.chip.receive(0xF0, Cycle{7});
  b.chip.receive(0x1C, Cycle{7});
  CHECK(b.all() == Bytes{0xF0, 0x1C});
}

TEST_CASE("the keyboard answers reset, identify, lights, scan set and what it does not know",
          "[devices]") {
  Bench b;
  b.command(0x60);
  b.data(0x04);
  b.data(0xFF);
  CHECK(b.all() == Bytes{0xFA, 0xAA});
  b.data(0xF2);
  CHECK(b.all() == Bytes{0xFA, 0xAB, 0x83});
  b.data(0xED);
  b.data(0x02);
  CHECK(b.all() == Bytes{0xFA, 0xFA});
  b.data(0xF0);
  b.data(0x00);
  CHECK(b.all() == Bytes{0xFA, 0xFA, 0x02});
  b.data(0xEE);
  CHECK(b.all() == Bytes{0xEE});
  b.data(0x12);
  CHECK(b.all() == Bytes{0xFE});
  b.data(0xF5);
  CHECK(b.all() == Bytes{0xFA});
  b.chip.receive(0x1C, Cycle{0});
  CHECK(b.all().empty());
}

TEST_CASE("a disabled keyboard holds its bytes", "[devices]") {
  Bench b;
  b.command(0xAD);
  b.chip.receive(0x1C, Cycle{0});
  CHECK(b.all().empty());
  b.command(0xAE);
  CHECK(b.all() == Bytes{0x1E});
}

TEST_CASE("loopback shows the mouse port, which has no mouse", "[devices]") {
  Bench b;
  b.command(0xD3);
  b.data(0x5A);
  CHECK((b.status() & 0x21) == 0x21);
  CHECK_FALSE(b.lines.levels[1]);
  CHECK(b.in() == 0x5A);
  b.command(0xD4);
  b.data(0xF2);
  CHECK(b.all() == Bytes{0xFE});
}

TEST_CASE("A20 opens and closes through the output port and port 92H", "[devices]") {
  Bench b;
  CHECK(b.gate.open);
  b.command(0xD1);
  b.data(0xDD);
  CHECK_FALSE(b.gate.open);
  b.chip.write(0x20, 1, 2, at(0));
  CHECK(b.gate.open);
  CHECK(b.chip.read(0x20, 1, at(0)) == 2);
  b.command(0xD0);
  CHECK((b.in() & 2) == 2);
}

TEST_CASE("reset by pulse, by output port and by port 92H", "[devices]") {
  Bench b;
  b.command(0xFE);
  CHECK(b.power.resets.size() == 1);
  b.command(0xFF);
  CHECK(b.power.resets.size() == 1);
  b.command(0xD1);
  b.data(0xDE);
  CHECK(b.power.resets.size() == 2);
  b.chip.write(0x20, 1, 3, at(0));
  CHECK(b.power.resets.size() == 3);
}

TEST_CASE("the keyboard controller's state survives a round trip, and no access does harm",
          "[devices]") {
  Bench a;
  a.chip.receive(0x1C, Cycle{0});
  a.chip.receive(0xF0, Cycle{0});
  a.command(0xD1);
  const auto content = saved(a.chip);
  Bench b;
  load(b.chip, content);
  CHECK(saved(b.chip) == content);
  hammer(b.chip, b.events, 0x22, 10);
}
