// The 8259A pair: initialisation, priorities, every way to end an interrupt, cascade and trigger modes.
#include "emu/devices/pic.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Bench {
  Bench() : pic(Line{&lines, 0}) { pic.reset(Cycle{0}); }
  void put(uint64_t offset, uint64_t value) { pic.write(offset, 1, value, at(0)); }
  uint64_t in(uint64_t offset) { return pic.read(offset, 1, at(0)); }
  void start(uint8_t master_icw4 = 1, uint8_t slave_icw4 = 1) {
    put(0x00, 0x11);
    put(0x01, 0x20);
    put(0x01, 0x04);
    put(0x01, master_icw4);
    put(0x10, 0x11);
    put(0x11, 0x28);
    put(0x11, 0x02);
    put(0x11, slave_icw4);
  }
  void raise(unsigned line) { pic.set_line(line, true, Cycle{0}); }
  void lower(unsigned line) { pic.set_line(line, false, Cycle{0}); }
  void pulse(unsigned line) {
    lower(line);
    raise(line);
  }
  unsigned ack() { return pic.acknowledge(Cycle{0}); }
  bool intr() const { return lines.levels[0]; }

  EventQueue events;
  FakeLines lines;
  Pic pic;
};

}  // namespace

TEST_CASE("before initialisation everything is masked", "[devices]") {
  Bench b;
  b.raise(1);
  CHECK_FALSE(b.intr());
}

TEST_CASE("a request gives its vector once and holds lower ones back until EOI", "[devices]") {
  Bench b;
  b.start();
  b.raise(4);
  CHECK(b.intr());
  CHECK(b.in(0x00) == 0x10);
  CHECK(b.ack() == 0x24);
  CHECK_FALSE(b.intr());
  b.raise(6);
  CHECK_FALSE(b.intr());
  b.raise(1);
  CHECK(b.ack() == 0x21);
  b.put(0x00, 0x0B);
  CHECK(b.in(0x00) == 0x12);
  b.put(0x00, 0x20);
  CHECK(b.in(0x00) == 0x10);
  CHECK_FALSE(b.intr());
  b.put(0x00, 0x20);
  CHECK(b.intr());
  CHECK(b.ack() == 0x26);
}

TEST_CASE("an edge request is withdrawn when its line falls: the answer is spurious 7",
          "[devices]") {
  Bench b;
  b.start();
  b.raise(3);
  b.lower(3);
  CHECK_FALSE(b.intr());
  CHECK(b.ack() == 0x27);
  b.put(0x00, 0x0B);
  CHECK(b.in(0x00) == 0x00);
}

TEST_CASE("a masked request waits for its mask to be cleared", "[devices]") {
  Bench b;
  b.start();
  b.put(0x01, 0x10);
  b.raise(4);
  CHECK_FALSE(b.intr());
  b.put(0x01, 0x00);
  CHECK(b.intr());
}

TEST_CASE("an edge is one request, a level asks until it falls", "[devices]") {
  Bench b;
  b.start();
  b.raise(5);
  CHECK(b.ack() == 0x25);
  b.put(0x00, 0x20);
  CHECK_FALSE(b.intr());
  b.put(0x20, 0xFF);
  CHECK(b.in(0x20) == 0xF8);
  CHECK(b.intr());
  CHECK(b.ack() == 0x25);
  b.put(0x00, 0x20);
  CHECK(b.intr());
  b.lower(5);
  CHECK_FALSE(b.intr());
}

TEST_CASE("slave requests come through the cascade with the slave's vector", "[devices]") {
  Bench b;
  b.start();
  b.raise(12);
  CHECK(b.in(0x00) == 0x04);
  CHECK(b.ack() == 0x2C);
  b.raise(9);  // higher on the slave, held back by the master's bit 2 in service
  CHECK_FALSE(b.intr());
  b.put(0x10, 0x20);
  b.put(0x00, 0x20);
  CHECK(b.intr());
  CHECK(b.ack() == 0x29);
}

TEST_CASE("special fully nested mode lets the slave interrupt itself", "[devices]") {
  Bench b;
  b.start(0x11);
  b.raise(12);
  CHECK(b.ack() == 0x2C);
  b.raise(9);
  CHECK(b.intr());
  CHECK(b.ack() == 0x29);
  b.raise(3);
  CHECK_FALSE(b.intr());
}

TEST_CASE("a slave request that vanishes is the slave's spurious 7, in service at the master",
          "[devices]") {
  Bench b;
  b.start();
  b.put(0x00, 0x0B);
  b.raise(10);
  b.put(0x11, 0xFF);  // masked between request and acknowledge: INT fell
  CHECK_FALSE(b.intr());
  CHECK(b.ack() == 0x27);
  CHECK(b.in(0x00) == 0);
}

TEST_CASE("automatic EOI leaves nothing in service", "[devices]") {
  Bench b;
  b.start(3);
  b.raise(4);
  CHECK(b.ack() == 0x24);
  b.put(0x00, 0x0B);
  CHECK(b.in(0x00) == 0);
  b.raise(6);
  CHECK(b.ack() == 0x26);
}

TEST_CASE("rotation makes the input just served the lowest", "[devices]") {
  Bench b;
  b.start();
  b.raise(3);
  CHECK(b.ack() == 0x23);
  b.put(0x00, 0xA0);  // rotate on non-specific EOI
  b.pulse(3);
  b.raise(7);
  CHECK(b.ack() == 0x27);
  b.put(0x00, 0x67);  // specific EOI
  CHECK(b.ack() == 0x23);
  b.put(0x00, 0x63);
  b.put(0x00, 0xC5);  // set priority: 5 is lowest
  b.pulse(5);
  b.pulse(6);
  CHECK(b.ack() == 0x26);
}

TEST_CASE("rotation in automatic EOI mode is switched on and off", "[devices]") {
  Bench b;
  b.start(3);
  b.put(0x00, 0x80);
  b.raise(0);
  CHECK(b.ack() == 0x20);
  b.pulse(0);
  b.raise(1);
  CHECK(b.ack() == 0x21);
  b.put(0x00, 0x00);
  CHECK(b.ack() == 0x20);
}

TEST_CASE("special mask mode lets lower requests through while a masked one is in service",
          "[devices]") {
  Bench b;
  b.start();
  b.raise(2 + 1);
  CHECK(b.ack() == 0x23);
  b.raise(6);
  CHECK_FALSE(b.intr());
  b.put(0x00, 0x68);
  b.put(0x01, 0x08);
  CHECK(b.intr());
  CHECK(b.ack() == 0x26);
  b.put(0x00, 0x20);  // ends 6: the masked 3 does not count
  b.put(0x00, 0x0B);
  CHECK(b.in(0x00) == 0x08);
  b.put(0x00, 0x48);
  b.raise(7);
  CHECK_FALSE(b.intr());
}

TEST_CASE("poll acknowledges on the next read", "[devices]") {
  Bench b;
  b.start();
  b.raise(5);
  b.put(0x00, 0x0C);
  CHECK(b.pic.peek(0x00, 1) == 0x20);  // a look does not take it
  CHECK(b.in(0x00) == 0x85);
  CHECK_FALSE(b.intr());
  CHECK(b.in(0x00) == 0x00);
  b.put(0x00, 0x0C);
  CHECK(b.in(0x00) == 0x00);
  b.put(0x00, 0x0B);
  CHECK(b.in(0x00) == 0x20);
}

TEST_CASE("initialisation clears mask, service and edges that came before", "[devices]") {
  Bench b;
  b.start();
  b.put(0x01, 0xFF);
  b.raise(4);
  b.start();
  CHECK(b.in(0x01) == 0x00);
  CHECK_FALSE(b.intr());
  b.pulse(4);
  CHECK(b.ack() == 0x24);
}

TEST_CASE("the interrupt controllers' state survives a round trip, and no access does harm",
          "[devices]") {
  Bench a;
  a.start();
  a.raise(12);
  a.raise(4);
  a.ack();
  const auto content = saved(a.pic);
  Bench b;
  load(b.pic, content);
  CHECK(saved(b.pic) == content);
  b.put(0x10, 0x20);
  b.put(0x00, 0x20);
  CHECK(b.ack() == 0x24);
  hammer(b.pic, b.events, 0x28, 3);
}
