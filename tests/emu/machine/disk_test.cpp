// A disk on a whole machine: DMA is seen by running code and live tables, the overlay is machine state.
#include "tests/emu/machine/disk_bench.h"

#include "emu/devices/virtio_block.h"
#include "emu/machine/boot/loader.h"
#include "emu/machine/memory_map.h"

using namespace vitrine::test;

namespace {

/// 64-bit mode at `entry`, the first 512 GiB mapped to themselves by a PML4 at 1000H and a PDPT at 2000H.
void enter_long(Machine& m, uint64_t entry) {
  const auto map = memory_map(m.config().memory_bytes);
  Loader(m.bus(), map, Hpa{}, m.cpu(0), "test").enter_long(entry);
}

// clang-format off
constexpr std::array<uint8_t, 5> kCount = {0x48, 0xFF, 0xC0,  // l: inc rax
                                           0xEB, 0xFB};       // jmp l
constexpr std::array<uint8_t, 5> kCountOther = {0x48, 0xFF, 0xC3, 0xEB, 0xFB};  // inc rbx
// clang-format on

/// Runs in steps of so many cycles at most.
void run_to(Machine& m, Cycle until, uint64_t step) {
  while (m.now() < until) {
    const Cycle next = std::min(until, m.now() + step);
    REQUIRE(m.run({.until = next}) == StopReason::cycle_limit);
  }
}

}  // namespace

TEST_CASE("a disk's DMA into the page that runs is executed next", "[machine][disk]") {
  const uint64_t step = GENERATE(uint64_t{1'000'000}, uint64_t{777});
  BytesDisk disk(4);
  disk.put(512, kCountOther);
  Machine m(config_with(disk));
  m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kCount}));
  enter_long(m, 0x8000);
  DiskDriver driver(m);
  driver.ask(true, 1, 0x8000, 512);

  run_to(m, Cycle{VirtioBlock::kDefaultLatency - 100}, step);
  CHECK(driver.status() == 0xEE);
  // What is due at a cycle happens before a run until that cycle ends.
  run_to(m, Cycle{VirtioBlock::kDefaultLatency}, step);
  const CpuState& s = m.cpu(0).state;
  const uint64_t before = s.regs[arch::rax];
  CHECK(before > 10'000);
  CHECK(s.regs[arch::rbx] == 0);
  CHECK(driver.status() == 0);
  run_to(m, Cycle{VirtioBlock::kDefaultLatency + 5'000}, step);
  CHECK(s.regs[arch::rax] - before <= 1);
  CHECK(s.regs[arch::rbx] > 500);
}

TEST_CASE("a disk's DMA into a live page table is used by the next access", "[machine][disk]") {
  // l: mov rax, [40008800H]; inc rcx; jmp l
  constexpr std::array<uint8_t, 13> kLook = {0x48, 0x8B, 0x04, 0x25, 0x00, 0x88, 0x00,
                                             0x40, 0x48, 0xFF, 0xC1, 0xEB, 0xF3};
  BytesDisk disk(4);
  // The PDPT's first 64 entries: 0 as before, 1 a table of 2 MiB pages instead of one page of 1 GiB.
  constexpr std::array<uint64_t, 2> kEntries = {0x83, 0x3003};
  std::memcpy(disk.content.data() + 1024, kEntries.data(), sizeof(kEntries));
  Machine m(config_with(disk));
  m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kLook}));
  enter_long(m, 0x8000);
  put(m, 0x2008, uint64_t{0x83});      // the second GiB shows the first
  put(m, 0x3000, uint64_t{0x200083});  // after the transfer: what lies from 2 MiB on
  put(m, 0x8800, uint64_t{0x1111});
  put(m, 0x208800, uint64_t{0x2222});
  DiskDriver driver(m);
  driver.ask(true, 2, 0x2000, 512);

  REQUIRE(m.run({.until = Cycle{VirtioBlock::kDefaultLatency}}) == StopReason::cycle_limit);
  CHECK(m.cpu(0).state.regs[arch::rax] == 0x1111);
  CHECK(m.cpu(0).state.regs[arch::rcx] > 1'000);
  REQUIRE(m.run({.until = Cycle{VirtioBlock::kDefaultLatency + 100}}) == StopReason::cycle_limit);
  CHECK(driver.status() == 0);
  CHECK(m.cpu(0).state.regs[arch::rax] == 0x2222);
}

TEST_CASE("a disk's DMA out of memory sees the last store before it", "[machine][disk]") {
  // l: inc rax; mov [400000H], rax; jmp l
  constexpr std::array<uint8_t, 13> kStore = {0x48, 0xFF, 0xC0, 0x48, 0x89, 0x04, 0x25,
                                              0x00, 0x00, 0x40, 0x00, 0xEB, 0xF3};
  BytesDisk disk(4);
  Machine m(config_with(disk));
  m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kStore}));
  enter_long(m, 0x8000);
  DiskDriver driver(m);
  driver.ask(false, 3, 0x400000, 512);
  REQUIRE(m.run({.until = Cycle{VirtioBlock::kDefaultLatency}}) == StopReason::cycle_limit);
  const auto stored = get<uint64_t>(m, 0x400000);
  CHECK(stored > 1'000);
  REQUIRE(m.board().disk(0).overlay().size() == 1);
  uint64_t on_disk = 0;
  m.board().disk(0).read(3 * 512, std::as_writable_bytes(std::span{&on_disk, 1}));
  CHECK(on_disk == stored);
  CHECK(std::all_of(disk.content.begin(), disk.content.end(),
                    [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("a snapshot between the bell and the completion continues the same", "[machine][disk]") {
  BytesDisk disk(64);
  for (size_t i = 0; i < disk.content.size(); ++i) disk.content[i] = static_cast<std::byte>(i / 7);
  const auto prepare = [](Machine& m) {
    m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kCount}));
    enter_long(m, 0x8000);
    DiskDriver driver(m);
    put(m, 0x400000, uint64_t{0x1234567890});
    driver.ask(false, 5, 0x400000, 8 * 512);
    REQUIRE(m.run({.until = Cycle{2 * VirtioBlock::kDefaultLatency}}) == StopReason::cycle_limit);
    driver.ask(true, 4, 0x500000, 16 * 512);
  };
  constexpr Cycle kEnd{4 * VirtioBlock::kDefaultLatency};
  Machine whole(config_with(disk));
  prepare(whole);
  whole.run({.until = kEnd});
  CHECK(get<uint64_t>(whole, 0x500200) == 0x1234567890);

  Machine first(config_with(disk));
  prepare(first);
  first.run({.until = first.now() + 1'000});
  const auto snapshot = first.save();
  Machine second(config_with(disk));
  REQUIRE(second.load(snapshot));
  CHECK(second.state_hash() == first.state_hash());
  CHECK(second.board().disk(0).overlay().size() == first.board().disk(0).overlay().size());
  second.run({.until = kEnd});
  CHECK(second.state_hash() == whole.state_hash());

  MachineConfig without = config_with(disk);
  without.disks.clear();
  Machine other(without);
  CHECK_FALSE(other.load(snapshot));
  BytesDisk larger(65);
  Machine another(config_with(larger));
  CHECK_FALSE(another.load(snapshot));
}
