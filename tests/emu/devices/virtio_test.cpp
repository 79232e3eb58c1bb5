// The virtio transport, block requests over the copy-on-write overlay, and the console.
#include <catch2/catch.hpp>

#include "emu/devices/virtio_block.h"
#include "emu/devices/virtio_console.h"
#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Image512 final : DiskSource {
  uint64_t bytes() const override { return size; }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>((offset + i) / 512 + 1);
  }
  uint64_t size = 10 * 512;
};

/// A driver's side of one queue in memory: descriptors, ring of available, ring of used.
struct Driver {
  Driver(Memory& m, uint64_t at) : memory(m), base(at) {}
  void put(uint64_t address, unsigned size, uint64_t value) {
    memory.write(address, std::as_bytes(std::span{&value, 1}).first(size));
  }
  uint64_t get(uint64_t address, unsigned size) const {
    uint64_t value = 0;
    memory.read(address, std::as_writable_bytes(std::span{&value, 1}).first(size));
    return value;
  }
  void descriptor(uint16_t index, uint64_t address, uint32_t size, uint16_t flags, uint16_t next) {
    put(base + 16u * index, 8, address);
    put(base + 16u * index + 8, 4, size);
    put(base + 16u * index + 12, 2, flags);
    put(base + 16u * index + 14, 2, next);
  }
  void offer(uint16_t head) {
    put(available() + 4 + 2u * (offered % 8), 2, head);
    put(available() + 2, 2, ++offered);
  }
  uint64_t available() const { return base + 0x1000; }
  uint64_t used() const { return base + 0x2000; }
  uint64_t used_count() const { return get(used() + 2, 2); }
  Memory& memory;
  uint64_t base;
  uint16_t offered = 0;
};

template <class Device>
void start(Device& device, std::span<Driver* const> queues) {
  const auto put = [&](uint64_t offset, unsigned size, uint64_t value) {
    device.write(offset, size, value, at(0));
  };
  put(0x14, 1, 0);
  put(0x14, 1, 3);
  put(0x08, 4, 1);
  put(0x0C, 4, 1);
  put(0x14, 1, 11);
  REQUIRE(device.read(0x14, 1, at(0)) == 11);
  for (uint16_t i = 0; i < queues.size(); ++i) {
    put(0x16, 2, i);
    put(0x18, 2, 8);
    put(0x20, 4, queues[i]->base);
    put(0x24, 4, 0);
    put(0x28, 8, queues[i]->available());
    put(0x30, 4, queues[i]->used());
    put(0x1C, 2, 1);
  }
  put(0x14, 1, 15);
}

struct BlockBench {
  explicit BlockBench(bool read_only = false)
      : memory(1 << 20),
        bus(memory),
        disk(image, read_only),
        block(events, bus, Line{&lines, 3}, disk, 1000),
        driver(memory, 0x10000) {
    bus.map({Hpa{0}, 1 << 20, BusRange::Kind::ram, 0, nullptr});
    block.reset(Cycle{0});
    const std::array<Driver*, 1> queues = {&driver};
    start(block, queues);
  }
  /// One request with its data at 0x20000; the status byte.
  uint64_t request(uint32_t type, uint64_t sector, uint32_t size, bool to_guest) {
    driver.put(0x30000, 4, type);
    driver.put(0x30004, 4, 0);
    driver.put(0x30008, 8, sector);
    driver.put(0x30010, 1, 0xEE);
    driver.descriptor(0, 0x30000, 16, 1, 1);
    driver.descriptor(1, 0x20000, size, static_cast<uint16_t>(to_guest ? 3 : 1), 2);
    driver.descriptor(2, 0x30010, 1, 2, 0);
    driver.offer(0);
    block.write(0x3000, 2, 0, at(now));
    now += 1000;
    events.run_until(Cycle{now});
    return driver.get(0x30010, 1);
  }
  Memory memory;
  Bus bus;
  EventQueue events;
  FakeLines lines;
  Image512 image;
  Disk disk;
  VirtioBlock block;
  Driver driver;
  uint64_t now = 100;
};

}  // namespace

TEST_CASE("the transport shows its structures through PCI capabilities", "[devices]") {
  BlockBench b;
  CHECK(b.block.config_word(0, 4) == 0x10421AF4);
  unsigned types = 0;
  for (size_t at = b.block.config(0x34); at != 0; at = b.block.config(at + 1)) {
    CHECK(b.block.config(at) == 9);
    types |= 1u << b.block.config(at + 3);
    CHECK(b.block.config(at + 4) == 0);
  }
  CHECK(types == 0b11110);
}

TEST_CASE("features without VIRTIO_F_VERSION_1 or not offered are refused", "[devices]") {
  BlockBench b;
  b.block.write(0x14, 1, 0, at(0));
  CHECK(b.block.read(0x14, 1, at(0)) == 0);
  b.block.write(0x14, 1, 11, at(0));
  CHECK(b.block.read(0x14, 1, at(0)) == 3);
  b.block.write(0, 4, 1, at(0));
  CHECK(b.block.read(4, 4, at(0)) == 1);
  b.block.write(0, 4, 0, at(0));
  CHECK(b.block.read(4, 4, at(0)) == 1u << 9);
  b.block.write(8, 4, 1, at(0));
  b.block.write(0xC, 4, 3, at(0));
  b.block.write(0x14, 1, 11, at(0));
  CHECK(b.block.read(0x14, 1, at(0)) == 3);
}

TEST_CASE("a read brings sectors one latency after the bell, with an interrupt", "[devices]") {
  BlockBench b;
  CHECK(b.block.read(0x2000, 8, at(0)) == 10);
  CHECK(b.request(0, 2, 1024, true) == 0);
  CHECK(b.driver.get(0x20000, 1) == 3);
  CHECK(b.driver.get(0x203FF, 1) == 4);
  CHECK(b.driver.used_count() == 1);
  CHECK(b.driver.get(b.driver.used() + 8, 4) == 1025);
  CHECK(b.lines.rises(3) == std::vector<uint64_t>{1100});
  CHECK(b.block.peek(0x1000, 1) == 1);
  CHECK(b.block.read(0x1000, 1, at(0)) == 1);
  CHECK_FALSE(b.lines.levels[3]);
}

TEST_CASE("writes go to the overlay, never to the image, and are read back", "[devices]") {
  BlockBench b;
  b.driver.put(0x20000, 8, 0x1122334455667788);
  CHECK(b.request(1, 9, 512, false) == 0);
  CHECK(b.disk.overlay().size() == 1);
  b.driver.put(0x20000, 8, 0);
  CHECK(b.request(0, 8, 1024, true) == 0);
  CHECK(b.driver.get(0x20000, 1) == 9);
  CHECK(b.driver.get(0x20200, 8) == 0x1122334455667788);
  CHECK(b.request(4, 0, 0, false) == 0);
}

TEST_CASE("requests outside the disk, of odd size, unknown, or writing a read-only one fail",
          "[devices]") {
  BlockBench b;
  CHECK(b.request(0, 9, 1024, true) == 1);
  CHECK(b.request(0, ~uint64_t{0}, 512, true) == 1);
  CHECK(b.request(0, 0, 100, true) == 1);
  CHECK(b.request(99, 0, 512, true) == 2);
  CHECK(b.driver.used_count() == 4);
  BlockBench fixed(true);
  CHECK(fixed.request(1, 0, 512, false) == 1);
  CHECK(fixed.disk.overlay().empty());
}

TEST_CASE("a ring that makes no sense stops the device until reset", "[devices]") {
  BlockBench b;
  b.driver.descriptor(0, 0x30000, 16, 1, 0);  // a loop
  b.driver.offer(0);
  b.block.write(0x3000, 2, 0, at(0));
  b.events.run_until(Cycle{1000});
  CHECK(b.block.read(0x14, 1, at(0)) == 0x4F);
  CHECK(b.block.read(0x1000, 1, at(0)) == 2);
  b.block.write(0x14, 1, 0, at(0));
  CHECK(b.block.read(0x14, 1, at(0)) == 0);
}

TEST_CASE("the driver can ask for no interrupts", "[devices]") {
  BlockBench b;
  b.driver.put(b.driver.available(), 2, 1);
  CHECK(b.request(0, 0, 512, true) == 0);
  CHECK(b.lines.edges.empty());
}

TEST_CASE("the console prints its transmit queue and fills its receive queue", "[devices]") {
  Memory memory(1 << 20);
  Bus bus(memory);
  bus.map({Hpa{0}, 1 << 20, BusRange::Kind::ram, 0, nullptr});
  FakeLines lines;
  FakeOutput out;
  VirtioConsole console(bus, Line{&lines, 4}, &out);
  console.reset(Cycle{0});
  Driver receive(memory, 0x10000);
  Driver transmit(memory, 0x20000);
  const std::array<Driver*, 2> queues = {&receive, &transmit};
  start(console, queues);

  transmit.put(0x40000, 8, 0x6F6C6C6568);  // "hello"
  transmit.descriptor(0, 0x40000, 3, 1, 1);
  transmit.descriptor(1, 0x40003, 2, 0, 0);
  transmit.offer(0);
  console.write(0x3004, 2, 1, at(7));
  CHECK(out.text == "hello");
  CHECK(transmit.used_count() == 1);
  CHECK(lines.rises(4) == std::vector<uint64_t>{7});

  for (const char c : std::string("abc")) console.receive(static_cast<uint8_t>(c), Cycle{8});
  const auto content = saved(console);
  receive.descriptor(0, 0x50000, 2, 2, 0);
  receive.descriptor(1, 0x50010, 2, 2, 0);
  receive.offer(0);
  receive.offer(1);
  console.write(0x3000, 2, 0, at(9));
  CHECK(receive.get(0x50000, 2) == 0x6261);
  CHECK(receive.get(0x50010, 1) == 'c');
  CHECK(receive.get(receive.used() + 8, 4) == 2);
  CHECK(receive.get(receive.used() + 16, 4) == 1);

  VirtioConsole other(bus, Line{&lines, 5}, &out);
  load(other, content);
  CHECK(saved(other) == content);
}

TEST_CASE("the disk's state survives a round trip with its overlay, and no access does harm",
          "[devices]") {
  BlockBench a;
  a.driver.put(0x20000, 8, 0x55);
  a.request(1, 3, 512, false);
  const auto content = saved(a.block);
  BlockBench b;
  load(b.block, content);
  CHECK(saved(b.block) == content);
  CHECK(b.disk.overlay().size() == 1);
  hammer(b.block, b.events, 0x4000, 14, 1'000'000);
}
