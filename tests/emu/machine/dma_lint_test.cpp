// DMA behind a hypervisor's back: counted, never refused, and only for drivers that run in a guest.
#include "tests/emu/cpu/vmx/valid_vmcs.h"
#include "tests/emu/machine/disk_bench.h"

#include "emu/arch/ept.h"

using namespace vitrine::test;
namespace vmx = vitrine::emu::vmx;

namespace {

constexpr uint64_t kHidden = 0x400000;    // not mapped for the guest
constexpr uint64_t kReadOnly = 0x600000;  // mapped without the right to write
constexpr uint64_t kOwn = 0x800000;

/// A machine whose processor spins, as a guest under EPT or without.
struct Bench {
  explicit Bench(bool guest) : disk(64), m(config_with(disk)), driver(m) {
    constexpr std::array<uint8_t, 2> kSpin = {0xEB, 0xFE};
    m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kSpin}));
    put(m, 0x1000, uint64_t{0x2007});
    put(m, 0x2000, uint64_t{0x3007});
    for (uint64_t i = 0; i < 8; ++i) {
      const uint64_t start = i << 21;
      const uint64_t rights = start == kHidden ? 0 : start == kReadOnly ? 1 : 7;
      put(m, 0x3000 + 8 * i, rights == 0 ? 0 : start | rights | 0xB0);
    }
    Cpu& cpu = m.cpu(0);
    cpu.state.segments[arch::cs].base = 0;
    cpu.state.set_rip(0x8000);
    if (guest) {
      cpu.vmx.on = true;
      cpu.vmx.nonroot = true;
      cpu.vmx.vmcs = vmx::valid_vmcs();
      cpu.vmx.vmcs.set(vmx::Field::primary_controls, cpu.vmx.vmcs[vmx::Field::primary_controls] |
                                                         arch::primary::activate_secondary);
      cpu.vmx.vmcs.set(vmx::Field::secondary_controls, arch::secondary::enable_ept);
      cpu.vmx.vmcs.set(vmx::Field::eptp, arch::make_eptp(0x1000, false));
    }
    cpu.context_changed();
    CHECK((cpu.mmu.context().eptp != 0) == guest);
  }
  void transfer(bool to_memory, uint64_t address, uint32_t size) {
    driver.ask(to_memory, 0, address, size);
    REQUIRE(m.run({.until = m.now() + 200'000}) == StopReason::cycle_limit);
    CHECK(driver.status() == 0);
  }
  BytesDisk disk;
  Machine m;
  DiskDriver driver;
};

}  // namespace

TEST_CASE("a guest's device that reaches hidden memory is counted and not refused",
          "[machine][dma]") {
  Bench b(true);
  b.disk.put(0, std::array<uint8_t, 2>{0xAB, 0xCD});
  b.transfer(true, kOwn, 512);
  CHECK(b.m.dma_report().writes == 0);
  b.transfer(true, kHidden + 0x10, 2 * 4096);
  CHECK(get<uint16_t>(b.m, kHidden + 0x10) == 0xCDAB);
  CHECK(b.m.dma_report().writes == 3);
  CHECK(b.m.dma_report().reads == 0);
  CHECK(b.m.dma_report().first == Hpa{kHidden + 0x10});
  CHECK(b.m.dma_report().first_cycle >= Cycle{300'000});
  b.transfer(false, kHidden, 512);
  CHECK(b.m.dma_report().reads == 1);
  b.transfer(false, kReadOnly, 512);
  CHECK(b.m.dma_report().reads == 1);
  b.transfer(true, kReadOnly, 512);
  CHECK(b.m.dma_report().writes == 4);

  Bench other(true);
  REQUIRE(other.m.load(b.m.save()));
  CHECK(other.m.dma_report().writes == 4);
  CHECK(other.m.state_hash() == b.m.state_hash());
}

TEST_CASE("a driver that runs without a hypervisor may reach everything", "[machine][dma]") {
  Bench b(false);
  b.transfer(true, kHidden, 512);
  b.transfer(true, kReadOnly, 512);
  CHECK(b.m.dma_report().writes == 0);
}
