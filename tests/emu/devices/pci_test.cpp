// PCI configuration space, BAR decoding through the bus map, shared interrupt links.
#include "emu/devices/pci.h"

#include <catch2/catch.hpp>

#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Registers final : BusTarget {
  uint64_t read(uint64_t offset, unsigned, const BusAccess&) override { return offset + tag; }
  void write(uint64_t, unsigned, uint64_t, const BusAccess&) override {}
  uint64_t peek(uint64_t offset, unsigned) const override { return offset; }
  uint64_t tag = 0;
};

struct Card final : PciFunction {
  explicit Card(uint64_t tag)
      : PciFunction({.vendor = 0x1234,
                     .device = 0x5678,
                     .class_code = 0x010203,
                     .revision = 9,
                     .interrupt_pin = true}) {
    registers.tag = tag;
    add_bar(0, 0x4000, registers);
    const std::array<uint8_t, 2> body = {0xAA, 0xBB};
    first = add_capability(9, body);
    second = add_capability(5, body);
  }
  Registers registers;
  size_t first = 0;
  size_t second = 0;
};

struct Bench {
  Bench() : memory(1 << 20), bus(memory), host(bus, Line{&lines, 16}), one(1), two(2) {
    host.plug(1, one);
    host.plug(5, two);
    bus.map_ports(PciHost::kPort, PciHost::kPorts, host);
    host.reset(Cycle{0});
  }
  uint64_t in(unsigned slot, unsigned reg, unsigned size = 4) {
    bus.write_port(0xCF8, 4, 0x80000000 | slot << 11 | (reg & 0xFC), at(0));
    return bus.read_port(static_cast<uint16_t>(0xCFC + (reg & 3)), size, at(0));
  }
  void put(unsigned slot, unsigned reg, uint64_t value, unsigned size = 4) {
    bus.write_port(0xCF8, 4, 0x80000000 | slot << 11 | (reg & 0xFC), at(0));
    bus.write_port(static_cast<uint16_t>(0xCFC + (reg & 3)), size, value, at(0));
  }
  Memory memory;
  Bus bus;
  FakeLines lines;
  PciHost host;
  Card one;
  Card two;
};

}  // namespace

TEST_CASE("configuration mechanism 1 finds the functions that are there", "[devices]") {
  Bench b;
  CHECK(b.in(0, 0) == 0x12378086);
  CHECK(b.in(1, 0) == 0x56781234);
  CHECK(b.in(1, 8) == 0x01020309);
  CHECK(b.in(1, 0x3D, 1) == 1);
  CHECK(b.in(2, 0) == 0xFFFFFFFF);
  b.bus.write_port(0xCF8, 4, 0x80000100, at(0));  // function 1
  CHECK(b.bus.read_port(0xCFC, 4, at(0)) == 0xFFFFFFFF);
  b.bus.write_port(0xCF8, 4, 0x00000000, at(0));  // not enabled
  CHECK(b.bus.read_port(0xCFC, 4, at(0)) == 0xFFFFFFFF);
  CHECK(b.bus.read_port(0xCF8, 4, at(0)) == 0);
}

TEST_CASE("capabilities form a list", "[devices]") {
  Bench b;
  CHECK((b.in(1, 6, 2) & 0x10) != 0);
  const uint64_t first = b.in(1, 0x34, 1);
  CHECK(first == b.one.first - 2);
  const uint64_t link = b.one.second - 2;
  CHECK(b.in(1, static_cast<unsigned>(first), 4) == (0xBBAA0009 | link << 8));
  CHECK(b.in(1, static_cast<unsigned>(b.one.second - 2), 4) == 0xBBAA0005);
}

TEST_CASE("BARs have addresses at reset, tell their size, and move the bus map", "[devices]") {
  Bench b;
  const uint64_t first = b.in(1, 0x10);
  const uint64_t second = b.in(5, 0x10);
  CHECK(first == 0xE0000000);
  CHECK(second == 0xE0004000);
  CHECK(b.bus.read(Hpa{first + 8}, 4, at(0)) == 9);
  CHECK(b.bus.read(Hpa{second + 8}, 4, at(0)) == 10);
  const uint64_t version = b.bus.version();
  b.put(1, 0x10, 0xFFFFFFFF);
  CHECK(b.in(1, 0x10) == 0xFFFFC000);
  CHECK(b.bus.version() > version);
  CHECK(b.bus.read(Hpa{first + 8}, 4, at(0)) == 0xFFFFFFFF);
  b.put(1, 0x10, 0xF0000000);
  CHECK(b.bus.read(Hpa{0xF0000008}, 4, at(0)) == 9);
  b.put(1, 4, 0, 2);
  CHECK(b.bus.read(Hpa{0xF0000008}, 4, at(0)) == 0xFFFFFFFF);
}

TEST_CASE("a BAR outside the window hides nothing", "[devices]") {
  Bench b;
  b.bus.map({Hpa{0}, 0x100000, BusRange::Kind::ram, 0, nullptr});
  b.bus.write(Hpa{0x8008}, 4, 77, at(0));
  b.put(1, 0x10, 0x8000);
  CHECK(b.bus.read(Hpa{0x8008}, 4, at(0)) == 77);
  b.put(1, 0x10, 0xFEC00000);
  CHECK(b.bus.find(Hpa{0xFEC00000}).kind == BusRange::Kind::open);
}

TEST_CASE("identity is read-only, the interrupt line register is memory", "[devices]") {
  Bench b;
  b.put(1, 0, 0);
  b.put(1, 0x3C, 0x0B, 1);
  CHECK(b.in(1, 0) == 0x56781234);
  CHECK(b.in(1, 0x3C, 1) == 0x0B);
}

TEST_CASE("slots that share a link share its level; the disable bit silences one", "[devices]") {
  Bench b;
  b.host.set_line(1, true, Cycle{5});
  b.host.set_line(5, true, Cycle{6});
  CHECK(b.lines.levels[17]);
  b.host.set_line(1, false, Cycle{7});
  CHECK(b.lines.levels[17]);
  CHECK((b.in(5, 6, 2) & 8) == 8);
  b.put(5, 4, 0x402, 2);
  CHECK_FALSE(b.lines.levels[17]);
  b.put(5, 4, 0x002, 2);
  CHECK(b.lines.levels[17]);
  b.host.set_line(5, false, Cycle{9});
  CHECK_FALSE(b.lines.levels[17]);
}

TEST_CASE("the PCI host takes any access", "[devices]") {
  Bench b;
  EventQueue events;
  hammer(b.host, events, 12, 13);
}
