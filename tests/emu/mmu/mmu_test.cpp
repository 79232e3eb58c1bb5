// The Mmu's short ways: what is cached of a page follows its tables, its rights and its kind.
#include "emu/mmu/mmu.h"

#include <catch2/catch.hpp>

#include "emu/arch/registers.h"

using namespace vitrine::emu;

namespace {

constexpr uint64_t kUser = 7, kSupervisor = 3, kReadOnly = 5;
constexpr Gva kPlace{0x5010};
constexpr uint64_t kEntry = 0x4000 + 5 * 8;
constexpr uint64_t kOutside = 0x1000'0000;  // no RAM there

class Clock final : public AccessClock {
 public:
  Cycle now() const override { return {}; }
  void device_accessed() override { ++devices; }
  unsigned devices = 0;
};

/// Four levels of tables at 1000H, 2000H, 3000H and 4000H that map the page 5000H.
struct Rig {
  Rig() {
    bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr});
    put(0x1000, 0x2000 | kUser);
    put(0x2000, 0x3000 | kUser);
    put(0x3000, 0x4000 | kUser);
    put(0x6010, 0x6666);
    put(0x7010, 0x7777);
    PagingContext context;
    context.cr0 = arch::cr0::pg | arch::cr0::wp;
    context.cr3 = 0x1000;
    context.cr4 = arch::cr4::pae;
    context.efer = arch::efer::lma | arch::efer::nxe;
    mmu.set_context(context);
    mmu.set_manner({});
  }
  void put(uint64_t at, uint64_t value) {
    memory.write(at, std::as_bytes(std::span{&value, 1}));
  }

  Memory memory{1 << 22};
  Bus bus{memory};
  Clock clock;
  Mmu mmu{bus, clock, 0};
};

}  // namespace

TEST_CASE("accesses of the processor's own follow the tables", "[mmu]") {
  Rig rig;
  rig.put(kEntry, 0x6000 | kUser);
  for (int i = 0; i < 3; ++i) CHECK(*rig.mmu.read_system<uint64_t>(kPlace) == 0x6666);
  REQUIRE(rig.mmu.write_system<uint64_t>(kPlace, 0x6660));
  CHECK(*rig.mmu.read_system<uint64_t>(kPlace) == 0x6660);
  rig.put(kEntry, 0x7000 | kUser);
  CHECK(*rig.mmu.read_system<uint64_t>(kPlace) == 0x7777);
}

TEST_CASE("what is cached for one level gives no right to another", "[mmu]") {
  Rig rig;
  rig.put(kEntry, 0x6000 | kSupervisor);
  REQUIRE(rig.mmu.write_system<uint64_t>(kPlace, 1));
  CHECK_FALSE(rig.mmu.read_as<uint64_t>(kPlace, {.user = true}));
  CHECK_FALSE(rig.mmu.write_as<uint64_t>(kPlace, 2, {.user = true}));
  CHECK(*rig.mmu.read_system<uint64_t>(kPlace) == 1);
}

TEST_CASE("what was read may still not be written", "[mmu]") {
  Rig rig;
  rig.put(kEntry, 0x6000 | kReadOnly);
  REQUIRE(rig.mmu.read_system<uint64_t>(kPlace));
  CHECK_FALSE(rig.mmu.write_system<uint64_t>(kPlace, 1));
  CHECK_FALSE(rig.mmu.probe_write(kPlace, 8, {}));
  CHECK(*rig.mmu.read_system<uint64_t>(kPlace) == 0x6666);
}

TEST_CASE("an access across two pages needs both", "[mmu]") {
  Rig rig;
  rig.put(kEntry, 0x6000 | kUser);
  REQUIRE(rig.mmu.read_system<uint64_t>(Gva{0x5FF8}));
  CHECK_FALSE(rig.mmu.read_system<uint64_t>(Gva{0x5FF9}));
  rig.put(kEntry + 8, 0x7000 | kUser);
  CHECK(rig.mmu.read_system<uint64_t>(Gva{0x5FF9}));
}

TEST_CASE("a page outside RAM is touched each time, and may become RAM", "[mmu]") {
  Rig rig;
  rig.put(kEntry, kOutside | kUser);
  for (unsigned i = 1; i <= 3; ++i) {
    CHECK(*rig.mmu.read<uint32_t>(kPlace) == 0xFFFFFFFF);
    CHECK(rig.clock.devices == i);
  }
  CHECK_FALSE(rig.mmu.read_as<uint32_t>(Gva{kPlace.value + kPageSize}, {}));
  rig.put(kEntry, 0x6000 | kUser);
  CHECK(*rig.mmu.read<uint32_t>(kPlace) == 0x6666);
  CHECK(rig.clock.devices == 3);
}

TEST_CASE("a page outside RAM that may be read may still not be written", "[mmu]") {
  Rig rig;
  rig.put(kEntry, kOutside | kReadOnly);
  REQUIRE(rig.mmu.read<uint32_t>(kPlace));
  CHECK_FALSE(rig.mmu.write<uint32_t>(kPlace, 1));
  rig.put(kEntry, kOutside | kSupervisor);
  REQUIRE(rig.mmu.read<uint32_t>(kPlace));
  CHECK_FALSE(rig.mmu.read_as<uint32_t>(kPlace, {.user = true}));
}
