// Known answers of the levels `core` and `memory`, measured by small programs on the engine.
#include <catch2/catch.hpp>

#include <vector>

#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/timing/count.h"
#include "tests/emu/cpu/system_rig.h"
#include "tests/emu/cpu/vmx/guest.h"

using namespace vitrine::emu;

namespace {

using Code = std::vector<uint8_t>;

/// A processor in 64-bit mode over 128 MiB: the first GiB of linear addresses is one page, the second
/// is the same memory in pages of 4 KiB.
class Bench {
 public:
  static constexpr uint64_t kMemory = uint64_t{128} << 20, kRoot = 0x1000, kCode = 0x10000;
  static constexpr uint64_t kData = uint64_t{32} << 20, kSmallPages = uint64_t{1} << 30;

  explicit Bench(bool memory_level = true) {
    bus_.map({.start = Hpa{0}, .size = kMemory, .kind = BusRange::Kind::ram});
    poke(kRoot, 0x2000 | 7);
    poke(0x2000, 0x83);
    poke(0x2008, 0x3000 | 7);
    for (uint64_t table = 0; table < kMemory >> 21; ++table) {
      const uint64_t at = 0x100000 + table * kPageSize;
      poke(0x3000 + table * 8, at | 7);
      for (uint64_t i = 0; i < 512; ++i) poke(at + i * 8, (table << 21 | i << 12) | 7);
    }
    cpu_.use_core_timing(timing::skylake_core(), memory_level);
    CpuState& s = cpu_.state;
    s.cr0 = 0x80010033;
    s.cr3 = kRoot;
    s.cr4 = arch::cr4::pae | arch::cr4::osfxsr;
    s.efer = arch::efer::lma | arch::efer::lme;
    for (auto& segment : s.segments) segment = {0, 0xFFFFFFFF, {0xC093}, 0x10};
    s.segments[arch::cs] = {0, 0xFFFFFFFF, {0xA09B}, 0x08};
    s.cpl = 0;
    s.activity = Activity::active;
    cpu_.context_changed();
  }

  void poke(uint64_t address, uint64_t value) {
    memory_.write(address, std::as_bytes(std::span{&value, 1}));
  }
  uint64_t& reg(unsigned number) { return cpu_.state.regs[number]; }

  /// Puts the body, a count-down of RCX and a branch back to the body at kCode.
  void place_loop(Code body) {
    body.insert(body.end(), {0x48, 0xFF, 0xC9, 0x0F, 0x85});  // dec rcx; jnz
    const auto back = static_cast<uint32_t>(-static_cast<int64_t>(body.size() + 4));
    for (unsigned i = 0; i < 4; ++i) body.push_back(static_cast<uint8_t>(back >> (8 * i)));
    place(body);
  }
  void place(const Code& code) {
    memory_.write(kCode, std::as_bytes(std::span{code}));
    cpu_.state.set_rip(kCode);
  }
  /// Cycles that the next `instructions` take.
  uint64_t run(uint64_t instructions) {
    const uint64_t before = cpu_.state.clock.value;
    cpu_.run({.deadline = kNever, .max_retired = cpu_.state.retired + instructions});
    return cpu_.state.clock.value - before;
  }
  /// Cycles of a round of the loop of `insns` instructions, after `warm` rounds.
  double round(uint64_t insns, uint64_t warm, uint64_t rounds) {
    cpu_.state.regs[arch::rcx] = ~uint64_t{0} >> 1;
    run(insns * warm);
    return static_cast<double>(run(insns * rounds)) / static_cast<double>(rounds);
  }

 private:
  Memory memory_{kMemory};
  Bus bus_{memory_};
  BlockCache blocks_{bus_};
  SystemPorts ports_;
  Cpu cpu_{0, bus_, blocks_, ports_, arch::kSkylakeSp};
};

/// A cycle through `count` places, `stride` bytes apart, in an order that no prefetcher follows.
/// Returns the first address; `offset` is added to every pointer.
uint64_t chain(Bench& bench, uint64_t count, uint64_t stride, uint64_t offset) {
  std::vector<uint64_t> order(count);
  for (uint64_t i = 0; i < count; ++i) order[i] = i;
  uint64_t random = 88172645463325252;
  for (uint64_t i = count - 1; i > 0; --i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    std::swap(order[i], order[random % i]);
  }
  const auto place = [&](uint64_t i) { return Bench::kData + order[i % count] * stride; };
  for (uint64_t i = 0; i < count; ++i) bench.poke(place(i), place(i + 1) + offset);
  return place(0) + offset;
}

const Code kChase = {0x48, 0x8B, 0x00};  // mov rax, [rax]

/// Cycles from one pointer to the next.
double chase(uint64_t bytes, uint64_t stride, uint64_t offset, bool in_order = false) {
  Bench bench;
  const uint64_t count = bytes / stride;
  uint64_t first = Bench::kData + offset;
  if (in_order) {
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t next = Bench::kData + (i + 1) % count * stride;
      bench.poke(Bench::kData + i * stride, next + offset);
    }
  } else {
    first = chain(bench, count, stride, offset);
  }
  bench.place_loop(kChase);
  bench.reg(arch::rax) = first;
  // The reorder buffer lets issue run ahead: both phases are much longer than it.
  return bench.round(3, 2 * count + 2000, std::min<uint64_t>(count, 18000) + 2000);
}

}  // namespace

TEST_CASE("the latency ladder has the levels' latencies", "[memory][microbenchmark]") {
  CHECK(chase(16 << 10, 64, 0) == Approx(4).margin(0.1));
  CHECK(chase(256 << 10, 64, 0) == Approx(14).margin(0.5));
  CHECK(chase(4 << 20, 64, 0) == Approx(74).margin(8));  // some of it is in the second level
  CHECK(chase(64 << 20, 64, 0) == Approx(290).margin(12));
}

TEST_CASE("lines in a row come at the prefetcher's pace", "[memory][microbenchmark]") {
  CHECK(chase(64 << 20, 64, 0, true) == Approx(24).margin(2));
}

TEST_CASE("stores in a row go at the pace of the memory bus", "[memory][microbenchmark]") {
  Bench bench;
  bench.reg(arch::rbx) = Bench::kData;
  bench.place_loop({0x48, 0x89, 0x03, 0x48, 0x83, 0xC3, 0x08});  // mov [rbx], rax; add rbx, 8
  const double line = bench.round(4, 100'000, 400'000) * 8;
  CHECK(line == Approx(timing::skylake_core().dram_line_cycles).margin(2));
}

TEST_CASE("repeated string instructions go by chunks and lines", "[memory][microbenchmark]") {
  const auto cycles = [](uint64_t bytes, uint64_t times) {
    Bench bench;
    // mov rdi, rbx; mov rcx, rdx; rep stosb
    bench.place({0x48, 0x89, 0xDF, 0x48, 0x89, 0xD1, 0xF3, 0xAA});
    bench.reg(arch::rbx) = Bench::kData;
    bench.reg(arch::rdx) = bytes;
    uint64_t last = 0;
    for (uint64_t i = 0; i < times; ++i) {
      bench.place({0x48, 0x89, 0xDF, 0x48, 0x89, 0xD1, 0xF3, 0xAA});
      last = bench.run(3);
    }
    return last;
  };
  const auto& core = timing::skylake_core();
  // In the first-level cache 32 bytes a cycle, from memory as the bus has lines.
  CHECK(cycles(8192, 3) - cycles(64, 3) == Approx((8192 - 64) / 32).margin(20));
  const double line = static_cast<double>(cycles(uint64_t{16} << 20, 1)) / (uint64_t{1} << 18);
  CHECK(line == Approx(core.dram_line_cycles).margin(1));
}

TEST_CASE("the TLBs reach as far as they have entries", "[memory][microbenchmark]") {
  // A line further in every page, so that the data stay in the first-level cache.
  const double few = chase(48 * 4160, 4160, Bench::kSmallPages);
  const double second = chase(500 * 4160, 4160, Bench::kSmallPages);
  const double walked = chase(6000 * 4160, 4160, Bench::kSmallPages);
  CHECK(few == Approx(4).margin(0.1));
  CHECK(second == Approx(5 + 9).margin(1));
  CHECK(walked > 14 + 9);
  CHECK(walked < 60);
}

TEST_CASE("a branch that cannot be predicted costs its refill half the time",
          "[memory][microbenchmark]") {
  // rdx = rdx * 6364136223846793005 + 1442695040888963407; bt rdx, bit; jc over a nop
  const auto cycles = [](uint8_t bit) {
    Bench bench;
    bench.reg(arch::rdx) = 1;
    bench.reg(arch::rbx) = 6364136223846793005;
    bench.reg(arch::rsi) = 1442695040888963407;
    bench.place_loop({0x48, 0x0F, 0xAF, 0xD3, 0x48, 0x01, 0xF2, 0x48, 0x0F, 0xBA, 0xE2, bit, 0x72,
                      0x00});
    return bench.round(6, 2000, 10000);
  };
  // The lowest bit alternates; the highest is as good as random.
  const double lost = cycles(63) - cycles(0);
  CHECK(lost > 16 / 2 - 2);
  CHECK(lost < 16 / 2 + 5);
}

TEST_CASE("a store forwards to a load it covers, and not to a wider one",
          "[memory][microbenchmark]") {
  const auto cycles = [](const Code& body) {
    Bench bench(false);
    bench.reg(arch::rbx) = Bench::kData;
    bench.place_loop(body);
    return bench.round(4, 2000, 4000);
  };
  CHECK(cycles({0x48, 0x89, 0x03, 0x48, 0x8B, 0x03}) == Approx(4).margin(0.2));
  const double failed = cycles({0x88, 0x03, 0x48, 0x8B, 0x03});
  CHECK(failed >= 12);
  CHECK(failed <= 15);
}

TEST_CASE("a prefix that changes the length costs the decoders", "[memory][microbenchmark]") {
  const auto cycles = [](const Code& one) {
    Bench bench(false);
    Code code;
    for (unsigned i = 0; i < 2000; ++i) code.insert(code.end(), one.begin(), one.end());
    bench.place(code);
    bench.run(500);
    return static_cast<double>(bench.run(1000)) / 1000;
  };
  const double with = cycles({0x66, 0x81, 0xFB, 0x34, 0x12});           // cmp bx, 1234H
  const double without = cycles({0x81, 0xFB, 0x34, 0x12, 0x00, 0x00});  // cmp ebx, 1234H
  CHECK(with == Approx(3.3).margin(0.3));
  CHECK(without < 0.6);
}

TEST_CASE("a VMCALL's round trip is exit, handler and entry", "[memory][microbenchmark]") {
  vmx::Guest guest;
  guest.cpu.use_core_timing(timing::skylake_core(), true);
  guest.put(vmx::kGuestCode, {0x0F, 0x01, 0xC1, 0x0F, 0x01, 0xC1, 0x0F, 0x01, 0xC1});
  guest.put_resuming_host();
  const auto clock = [&] { return guest.cpu.state.clock.value; };
  const auto until = [&](bool nonroot) {
    const uint64_t before = clock();
    do {
      guest.cpu.run({.max_retired = guest.cpu.state.retired + 1});
    } while (guest.cpu.vmx.nonroot != nonroot);
    return clock() - before;
  };
  until(true);
  uint64_t exit = 0, back = 0;
  for (unsigned trip = 0; trip < 2; ++trip) {
    const uint64_t start = clock();
    // The boundary behind an exit is its own: what retires first is the host's.
    exit = until(false);
    back = until(true);
    CHECK(clock() - start == exit + back);
  }
  CHECK(exit >= timing::kEventCosts.vm_exit);
  CHECK(back >= timing::kEventCosts.vm_entry);
  CHECK(exit + back < timing::kEventCosts.vm_exit + timing::kEventCosts.vm_entry + 700);
}

TEST_CASE("walks in two dimensions cost more than in one", "[memory][microbenchmark]") {
  const auto cycles = [](bool ept) {
    vmx::Guest guest;
    guest.cpu.use_core_timing(timing::skylake_core(), true);
    // Tables of the guest at 60000H: pages of 4 KiB over the first 2 MiB.
    guest.poke<uint64_t>(0x60000, 0x61007);
    guest.poke<uint64_t>(0x61000, 0x62007);
    guest.poke<uint64_t>(0x62000, 0x63007);
    for (uint64_t i = 0; i < 512; ++i) guest.poke<uint64_t>(0x63000 + i * 8, i << 12 | 7);
    guest.set(vmx::Field::guest_cr3, 0x60000);
    if (ept) guest.use_ept();
    // mov rax, [rbx]; add rbx, 1000H; ... : a page never seen with each load
    uint64_t at = vmx::kGuestCode;
    for (unsigned i = 0; i < 64; ++i) {
      guest.put(at, {0x48, 0x8B, 0x03, 0x48, 0x81, 0xC3, 0x00, 0x10, 0x00, 0x00, 0x48, 0x01, 0xC3});
      at += 13;
    }
    guest.put(at, {0x0F, 0x01, 0xC1});
    guest.cpu.state.regs[arch::rbx] = 0x100000;
    guest.run_to_exit();
    return guest.cpu.state.clock.value;
  };
  CHECK(cycles(true) > cycles(false) + 64 * 4);
}
