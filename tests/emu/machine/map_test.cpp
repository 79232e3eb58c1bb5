// The map of the running machine: where local APICs are found, what test lines reach, what memory costs.
#include "tests/emu/machine/disk_bench.h"

using namespace vitrine::test;

namespace {

constexpr uint64_t kDefault = 0xFEE00000;
constexpr uint64_t kEnable = 0x800;
constexpr uint64_t kX2apic = 0x400;
constexpr uint64_t kVersionRegister = 0x30;
constexpr uint32_t kVersion = 0x01060014;

MachineConfig small(uint32_t processors = 1) {
  MachineConfig config;
  config.memory_bytes = uint64_t{16} << 20;
  config.processors = processors;
  return config;
}

uint64_t read(Machine& m, uint64_t address, uint32_t processor = 0) {
  return m.bus().read(Hpa{address}, 4, {m.now(), processor});
}

bool set_base(Machine& m, uint64_t value, uint32_t processor = 0) {
  return static_cast<bool>(m.board().set_apic_base(processor, value, m.now()));
}

}  // namespace

TEST_CASE("the local APIC's page moves, hides RAM while it is there, and comes back", "[machine]") {
  Machine m(small());
  CHECK(read(m, kDefault + kVersionRegister) == kVersion);
  put(m, 0x200030, uint32_t{77});
  REQUIRE(set_base(m, 0xFED40000 | kEnable));
  CHECK(read(m, 0xFED40000 + kVersionRegister) == kVersion);
  CHECK(read(m, kDefault + kVersionRegister) == 0xFFFFFFFF);
  REQUIRE(set_base(m, 0x200000 | kEnable));
  CHECK(read(m, 0x200000 + kVersionRegister) == kVersion);
  CHECK(read(m, 0x201000) == 0);

  Machine other(small());
  REQUIRE(other.load(m.save()));
  CHECK(read(other, 0x200000 + kVersionRegister) == kVersion);
  CHECK(read(other, kDefault + kVersionRegister) == 0xFFFFFFFF);

  REQUIRE(set_base(m, kDefault | kEnable));
  CHECK(read(m, 0x200030) == 77);
  CHECK(read(m, kDefault + kVersionRegister) == kVersion);
  CHECK(m.bus().find(Hpa{0x300000}).start == Hpa{0});
}

TEST_CASE("no page is decoded for an APIC that is disabled or has MSRs instead", "[machine]") {
  Machine m(small(2));
  REQUIRE(set_base(m, kDefault | kEnable | kX2apic));
  // The other processor still finds its own there.
  CHECK(read(m, kDefault + kVersionRegister, 1) == kVersion);
  REQUIRE(set_base(m, kDefault | kEnable | kX2apic, 1));
  CHECK(read(m, kDefault + kVersionRegister, 1) == 0xFFFFFFFF);
  CHECK_FALSE(set_base(m, kDefault | kEnable));
  REQUIRE(set_base(m, kDefault));
  REQUIRE(set_base(m, kDefault | kEnable));
  CHECK(read(m, kDefault + kVersionRegister) == kVersion);
}

TEST_CASE("an APIC's page hides no other chip", "[machine]") {
  Machine m(small());
  const uint64_t before = read(m, 0xFEC00010);
  REQUIRE(set_base(m, 0xFEC00000 | kEnable));
  CHECK(read(m, 0xFEC00010) == before);
}

TEST_CASE("the test board's lines reach the 8259 pair and the I/O APIC", "[machine]") {
  Machine m(small());
  const BusAccess at{Cycle{0}, 0};
  const auto out = [&](uint16_t port, uint64_t value) { m.bus().write_port(port, 1, value, at); };
  const auto entry = [&](uint32_t index) {
    m.bus().write(Hpa{0xFEC00000}, 4, 0x10 + 2 * index, at);
    return read(m, 0xFEC00010);
  };
  const auto arm = [&](uint32_t index) {  // level-triggered, vector 40H
    m.bus().write(Hpa{0xFEC00000}, 4, 0x10 + 2 * index, at);
    m.bus().write(Hpa{0xFEC00010}, 4, 0x8040, at);
  };
  for (const uint64_t word : {0x11u, 0x70u, 2u, 1u}) out(word == 0x11 ? 0xA0 : 0xA1, word);
  arm(14);
  arm(20);
  constexpr uint64_t kRemoteIrr = 1u << 14;
  out(0x2000 + 14, 1);
  out(0xA0, 0x0A);
  CHECK(m.bus().read_port(0xA0, 1, at) == 1u << 6);
  CHECK((entry(14) & kRemoteIrr) != 0);
  CHECK((entry(20) & kRemoteIrr) == 0);
  out(0x2000 + 20, 1);
  CHECK((entry(20) & kRemoteIrr) != 0);
}

TEST_CASE("a 4 GiB guest costs what it touches", "[machine]") {
  MachineConfig config = small();
  config.memory_bytes = uint64_t{4} << 30;
  Machine m(config);
  const size_t at_reset = m.memory().touched_pages().size();
  CHECK(at_reset <= 32);
  // Reading touches nothing, wherever.
  for (uint64_t at = 0; at < config.memory_bytes; at += uint64_t{16} << 20) {
    CHECK(get<uint64_t>(m, at < 0xC0000000 ? at : at + 0x40000000) == 0);
  }
  CHECK(m.memory().touched_pages().size() == at_reset);
  for (uint64_t i = 0; i < 100; ++i) put(m, 0x100000 + i * 0x1000000, i);
  put(m, 0x13FFFFFF8, uint64_t{1});
  CHECK(m.memory().touched_pages().size() == at_reset + 101);
  // As does a snapshot.
  CHECK(m.save().size() < (at_reset + 101 + 64) * kPageSize);
}
