// The bus map: later ranges replace earlier ones, open bus reads ones, ROM ignores writes.
#include "emu/mmu/bus.h"

#include <catch2/catch.hpp>

#include <array>

using namespace vitrine::emu;

namespace {

struct Probe final : BusTarget {
  uint64_t read(uint64_t offset, unsigned size, const BusAccess&) override {
    return offset << 8 | size;
  }
  void write(uint64_t offset, unsigned, uint64_t value, const BusAccess&) override {
    last_offset = offset;
    last_value = value;
  }
  uint64_t peek(uint64_t, unsigned) const override { return 0; }
  uint64_t last_offset = 0, last_value = 0;
};

constexpr BusAccess kNow{Cycle{0}};

}  // namespace

TEST_CASE("a range mapped over another replaces its middle", "[bus]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  Probe probe;
  bus.map({Hpa{0}, 0x10000, BusRange::Kind::ram, 0, nullptr});
  const uint64_t before = bus.version();
  bus.map({Hpa{0x4000}, 0x1000, BusRange::Kind::device, 0, &probe});
  CHECK(bus.version() != before);
  bus.write(Hpa{0x4010}, 4, 7, kNow);
  CHECK(probe.last_offset == 0x10);
  bus.write(Hpa{0x5010}, 4, 9, kNow);
  CHECK(bus.read(Hpa{0x5010}, 4, kNow) == 9);
  CHECK(bus.find(Hpa{0x5000}).ram_offset == 0x5000);
  bus.unmap(Hpa{0x4000}, 0x1000);
  CHECK(bus.read(Hpa{0x4010}, 2, kNow) == 0xFFFF);
  CHECK(bus.open_reads() == 1);
}

TEST_CASE("ROM reads its bytes and ignores writes", "[bus]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  bus.map({Hpa{0xF0000}, 0x1000, BusRange::Kind::rom, 0x1000, nullptr});
  const std::array<std::byte, 1> byte = {std::byte{0x5A}};
  bus.write_block(Hpa{0xF0000}, byte, true);
  bus.write(Hpa{0xF0000}, 1, 0, kNow);
  CHECK(bus.read(Hpa{0xF0000}, 1, kNow) == 0x5A);
  CHECK(bus.open_writes() == 1);
}

TEST_CASE("ports are found by range and give offsets", "[bus]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  Probe probe;
  bus.map_ports(0x3F8, 8, probe);
  CHECK(bus.read_port(0x3FD, 1, kNow) == ((5 << 8 | 1) & 0xFF));
  CHECK(bus.read_port(0x400, 2, kNow) == 0xFFFF);
  bus.unmap_ports(0x3FA, 2);
  CHECK(bus.read_port(0x3FA, 1, kNow) == 0xFF);
  bus.write_port(0x3FF, 1, 0xAB, kNow);
  CHECK(probe.last_offset == 7);
}

TEST_CASE("a closed A20 gate folds the map for processors, not for devices", "[bus]") {
  Memory memory(4 << 20);
  Bus bus(memory);
  Probe probe;
  bus.map({Hpa{0}, 4 << 20, BusRange::Kind::ram, 0, nullptr});
  bus.map({Hpa{0x4000}, 0x1000, BusRange::Kind::device, 0, &probe, 0x40});
  const uint64_t before = bus.version();
  bus.set_a20(true);
  CHECK(bus.version() == before);
  bus.set_a20(false);
  CHECK(bus.version() != before);
  for (const uint64_t start : {uint64_t{0}, uint64_t{0x200000}}) {
    CHECK(bus.find(Hpa{start + 0x100123}).ram_offset == start);
    CHECK(bus.find(Hpa{start + 0x1FFFFF}).start <= Hpa{start + 0x1FFFFF});
    bus.write(Hpa{start + 0x155550}, 4, start + 7, kNow);
    CHECK(bus.read(Hpa{start + 0x055550}, 4, kNow) == start + 7);
  }
  CHECK(bus.read(Hpa{0x104010}, 2, kNow) == (uint64_t{0x50} << 8 | 2));
  // Changes while it is closed are folded too.
  bus.map({Hpa{0x5000}, 0x1000, BusRange::Kind::device, 0, &probe});
  CHECK(bus.find(Hpa{0x105000}).kind == BusRange::Kind::device);

  const std::array<std::byte, 1> one = {std::byte{0x5A}};
  bus.dma_write(Hpa{0x180000}, one, 0);
  CHECK(std::to_integer<int>(*memory.host(0x180000)) == 0x5A);
  bus.set_a20(true);
  CHECK(bus.find(Hpa{0x104010}).kind == BusRange::Kind::ram);
  CHECK(bus.read(Hpa{0x180000}, 1, kNow) == 0x5A);
}

TEST_CASE("a shadowed ROM is read and the RAM beneath is written, cut anywhere", "[bus]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  bus.map({Hpa{0}, 0x10000, BusRange::Kind::ram, 0, nullptr});
  BusRange shadow{Hpa{0x8000}, 0x4000, BusRange::Kind::rom, 0x40000, nullptr};
  shadow.shadowed = true;
  shadow.shadow_offset = 0x8000;
  bus.map(shadow);
  bus.map({Hpa{0x9000}, 0x1000, BusRange::Kind::ram, 0x9000, nullptr});
  bus.write(Hpa{0xA100}, 4, 77, kNow);
  CHECK(bus.read(Hpa{0xA100}, 4, kNow) == 0);
  const std::array<std::byte, 1> one = {std::byte{9}};
  bus.write_block(Hpa{0xA200}, one);
  bus.map({Hpa{0x8000}, 0x4000, BusRange::Kind::ram, 0x8000, nullptr});
  CHECK(bus.read(Hpa{0xA100}, 4, kNow) == 77);
  CHECK(bus.read(Hpa{0xA200}, 1, kNow) == 9);
}

TEST_CASE("RAM that continues is one range again", "[bus]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  bus.map({Hpa{0}, 0x10000, BusRange::Kind::ram, 0, nullptr});
  bus.map({Hpa{0x4000}, 0x1000, BusRange::Kind::rom, 0x4000, nullptr});
  CHECK(bus.find(Hpa{0x8000}).start == Hpa{0x5000});
  bus.map({Hpa{0x4000}, 0x1000, BusRange::Kind::ram, 0x4000, nullptr});
  CHECK(bus.find(Hpa{0x8000}).start == Hpa{0});
  CHECK(bus.find(Hpa{0x8000}).size == 0x10000);
  bus.map({Hpa{0x10000}, 0x1000, BusRange::Kind::ram, 0x20000, nullptr});
  CHECK(bus.find(Hpa{0x8000}).size == 0x10000);
}
