// What test images written for QEMU expect of the board: the test device and fw_cfg.
#include <catch2/catch.hpp>

#include "emu/devices/fw_cfg.h"
#include "emu/devices/test_device.h"
#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

TEST_CASE("the latch is one register seen whole at E0H and byte by byte at E8H", "[devices]") {
  FakeLines lines;
  TestDevice device(Line{&lines, 0});
  device.reset(Cycle{0});
  device.write(0, 4, 0x12345678, at(0));
  CHECK(device.read(8, 1, at(0)) == 0x78);
  CHECK(device.read(9, 1, at(0)) == 0x56);
  CHECK(device.read(0xB, 1, at(0)) == 0x12);
  CHECK(device.read(8, 4, at(0)) == 0x12345678);
  device.write(0, 2, 0xABCD, at(0));
  CHECK(device.read(0, 4, at(0)) == 0x1234ABCD);
  device.write(0xA, 1, 0xEE, at(0));
  CHECK(device.read(0, 4, at(0)) == 0x12EEABCD);
  device.write(4, 4, 0x1000, at(0));
  CHECK(device.read(0, 4, at(0)) == 0x12EEABCD);
  CHECK(device.inspect().find("flushes 1") != std::string::npos);
}

TEST_CASE("a byte written to a line port sets that interrupt line", "[devices]") {
  FakeLines lines;
  TestDevice device(Line{&lines, 0});
  device.write(TestDevice::kLineOffset + 14, 1, 1, at(5));
  CHECK(lines.levels[14]);
  device.write(TestDevice::kLineOffset + 14, 1, 0, at(6));
  CHECK_FALSE(lines.levels[14]);
  device.write(TestDevice::kLineOffset + 24, 1, 1, at(7));
  device.write(TestDevice::kLineOffset + 3, 2, 1, at(7));
  CHECK(lines.edges.size() == 2);
}

TEST_CASE("the test device's memory keeps what is written, and its state survives", "[devices]") {
  FakeLines lines;
  TestDevice device(Line{&lines, 0});
  device.write(TestDevice::kMemoryOffset + 0xFFF8, 8, 0x1122334455667788, at(0));
  CHECK(device.read(TestDevice::kMemoryOffset + 0xFFFC, 4, at(0)) == 0x11223344);
  device.write(TestDevice::kLineOffset + 4, 1, 1, at(0));
  device.write(0, 4, 99, at(0));
  const auto content = saved(device);
  TestDevice other(Line{&lines, 0});
  load(other, content);
  CHECK(saved(other) == content);
  CHECK(other.read(0, 4, at(0)) == 99);
  EventQueue events;
  hammer(other, events, 0x20010, 11);
}

TEST_CASE("fw_cfg tells signature, processors and memory byte by byte", "[devices]") {
  FwCfg fw(FwCfg::Sizes{.processors = 3, .ram_bytes = 0x123456789});
  fw.reset(Cycle{0});
  const auto item = [&fw](uint64_t key, unsigned size) {
    fw.write(0, 2, key, at(0));
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) value |= fw.read(1, 1, at(0)) << 8 * i;
    return value;
  };
  CHECK(item(0, 4) == 0x554D4551);
  CHECK(item(1, 4) == 1);
  CHECK(item(3, 8) == 0x123456789);
  CHECK(item(5, 2) == 3);
  CHECK(item(0xF, 2) == 3);
  CHECK(item(5, 8) == 3);       // behind its end an item reads 0
  CHECK(item(0x1234, 4) == 0);  // as does one that is not there
}

TEST_CASE("fw_cfg files are listed by name", "[devices]") {
  FwCfg fw(FwCfg::Sizes{});
  fw.add_file("etc/one", {std::byte{0xAA}});
  fw.add_file("etc/two", {std::byte{1}, std::byte{2}});
  fw.write(0, 2, 0x19, at(0));
  std::vector<uint8_t> bytes(4 + 2 * 64);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(fw.read(1, 1, at(0)));
  CHECK(bytes[3] == 2);
  CHECK(bytes[4 + 64 + 3] == 2);
  CHECK(bytes[4 + 64 + 5] == 0x21);
  CHECK(std::string(reinterpret_cast<const char*>(&bytes[4 + 64 + 8])) == "etc/two");
  fw.write(0, 2, 0x21, at(0));
  fw.read(1, 1, at(0));
  CHECK(fw.peek(1, 1) == 2);
  const auto content = saved(fw);
  FwCfg other(FwCfg::Sizes{});
  other.add_file("etc/one", {std::byte{0xAA}});
  other.add_file("etc/two", {std::byte{1}, std::byte{2}});
  load(other, content);
  CHECK(other.read(1, 1, at(0)) == 2);
  EventQueue events;
  hammer(other, events, 4, 12);
}
