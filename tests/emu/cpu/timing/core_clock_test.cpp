// CoreClock: known answers: chains, ports, forwarding, locks, the reorder buffer, drains.
#include <catch2/catch.hpp>

#include <functional>
#include <utility>
#include <vector>

#include "emu/cpu/timing/core_clock.h"

using namespace vitrine::emu;
using namespace vitrine::emu::timing;

namespace {

using Accesses = std::pair<Access, Access>;
using AccessOf = std::function<Accesses(uint32_t k, uint32_t repetition)>;

CodePlace place_at(uint64_t address) { return {Gva{address}, Hpa{address}, Hpa{0}, 1}; }

uint32_t instructions(const std::vector<uint8_t>& code) {
  uint32_t count = 0;
  for (auto rest = std::as_bytes(std::span{code}); !rest.empty(); ++count) {
    DataFlow flow;
    REQUIRE(analyse(rest, 8, flow));
    rest = rest.subspan(flow.length);
  }
  return count;
}

/// Cycles per repetition of a loop over `code` once everything is warm; every repetition is a block.
double steady(const std::vector<uint8_t>& code, const AccessOf& access = {},
              const CoreParameters& core = skylake_core()) {
  constexpr uint32_t kWarm = 2000, kRuns = 4000;
  const uint32_t count = instructions(code);
  const auto block = time_block(std::as_bytes(std::span{code}), Gva{0x1000}, 8, count, core);
  CoreClock clock(core, nullptr);
  Ticks start = 0;
  for (uint32_t n = 0; n < kWarm + kRuns; ++n) {
    if (n == kWarm) start = clock.now();
    clock.enter(block, place_at(0x1000));
    for (uint32_t k = 0; k < count; ++k) {
      const auto [load, store] = access ? access(k, n) : Accesses{};
      clock.retire(block, k, load, store);
    }
    clock.leave(block, place_at(0x1000), false, 0);
  }
  return static_cast<double>(clock.now() - start) / kTicksPerCycle / kRuns;
}

Access access_at(uint64_t address, uint32_t size) { return {address, address, size}; }
Accesses load_at(uint64_t address, uint32_t size = 8) { return {access_at(address, size), {}}; }
Accesses store_at(uint64_t address, uint32_t size = 8) { return {{}, access_at(address, size)}; }

}  // namespace

TEST_CASE("a chain takes the sum of its latencies", "[core]") {
  CHECK(steady({0x48, 0x01, 0xD8}) == Approx(1.0));                          // add rax, rbx
  CHECK(steady({0x48, 0x0F, 0xAF, 0xC3}) == Approx(3.0));                    // imul rax, rbx
  CHECK(steady({0xF2, 0x0F, 0x58, 0xC1}) == Approx(4.0));                    // addsd xmm0, xmm1
  CHECK(steady({0x48, 0x01, 0xD8, 0x48, 0x0F, 0xAF, 0xC3}) == Approx(4.0));  // add; imul
}

TEST_CASE("independent instructions take their ports' or slots' time", "[core]") {
  CHECK(steady({0x48, 0x8D, 0x43, 0x01, 0x48, 0x8D, 0x4B, 0x01}) == Approx(1.0));  // two lea: p15
  CHECK(steady({0x90, 0x90, 0x90, 0x90, 0x90, 0x90}) == Approx(1.5));              // six nops
  CHECK(steady({0x48, 0x6B, 0xC3, 0x07, 0x48, 0x6B, 0xCB, 0x07}) == Approx(2.0));  // imul: p1
}

TEST_CASE("a pointer chase takes four cycles, an indexed one five", "[core]") {
  const AccessOf chase = [](uint32_t, uint32_t) { return load_at(0x8000); };
  CHECK(steady({0x48, 0x8B, 0x00}, chase) == Approx(4.0));        // mov rax, [rax]
  CHECK(steady({0x48, 0x8B, 0x04, 0x08}, chase) == Approx(5.0));  // mov rax, [rax+rcx]
}

TEST_CASE("a load behind its store takes the data from it", "[core]") {
  // mov [rbx], rax; mov rax, [rbx]
  const std::vector<uint8_t> code = {0x48, 0x89, 0x03, 0x48, 0x8B, 0x03};
  const AccessOf same = [](uint32_t k, uint32_t) {
    return k == 0 ? store_at(0x8000) : load_at(0x8000);
  };
  CHECK(steady(code, same) == Approx(4.0));
  const AccessOf apart = [](uint32_t k, uint32_t) {
    return k == 0 ? store_at(0x8000) : load_at(0x9000);
  };
  CHECK(steady(code, apart) < 1.1);
}

TEST_CASE("a wide load behind a narrow store waits for the cache", "[core]") {
  // mov [rbx], al; mov rax, [rbx]
  const std::vector<uint8_t> code = {0x88, 0x03, 0x48, 0x8B, 0x03};
  const AccessOf narrow = [](uint32_t k, uint32_t) {
    return k == 0 ? store_at(0x8000, 1) : load_at(0x8000);
  };
  CHECK(steady(code, narrow) > 11);
  CHECK(steady(code, narrow) < 15);
}

TEST_CASE("a narrow load inside a wide store is forwarded, across granules too", "[core]") {
  // movups [rbx], xmm0; mov rax, [rbx+4]; movq xmm0, rax
  const std::vector<uint8_t> code = {0x0F, 0x11, 0x03, 0x48, 0x8B, 0x43,
                                     0x04, 0x66, 0x48, 0x0F, 0x6E, 0xC0};
  const AccessOf inside = [](uint32_t k, uint32_t) {
    return k == 0 ? store_at(0x8000, 16) : k == 1 ? load_at(0x8004) : Accesses{};
  };
  CHECK(steady(code, inside) < 8);
}

TEST_CASE("locked operations wait for each other", "[core]") {
  const AccessOf locked = [](uint32_t, uint32_t) { return Accesses{access_at(0x8000, 8), access_at(0x8000, 8)}; };
  CHECK(steady({0xF0, 0x48, 0x01, 0x03}, locked) == Approx(18.0).margin(2));
}

TEST_CASE("a division occupies its unit", "[core]") {
  // xor edx, edx; div ecx, with nothing carried from one to the next but the unit
  const double cycles = steady({0x31, 0xD2, 0x31, 0xC0, 0xF7, 0xF1});
  CHECK(cycles >= 6.0);
  CHECK(cycles < 7.5);
}

TEST_CASE("a long latency is hidden until the reorder buffer is full", "[core]") {
  // One pointer chase of a long chain beside 60 independent instructions: the chain is hidden when it
  // is shorter than their issue, and bounds them when it is longer.
  std::vector<uint8_t> code = {0x48, 0x8B, 0x00};
  for (int i = 0; i < 24; ++i) code.insert(code.end(), {0x48, 0x89, 0xD9});  // mov rcx, rbx
  const AccessOf chase = [](uint32_t k, uint32_t) { return k == 0 ? load_at(0x8000) : Accesses{}; };
  CHECK(steady(code, chase) == Approx(25.0 / 4).margin(0.3));
}

TEST_CASE("code not seen before is decoded, code seen comes from its cache", "[core]") {
  // Four BSWAP of two slots: a cycle each in the decoders, two for all from the cache.
  const std::vector<uint8_t> code = {0x48, 0x0F, 0xC8, 0x48, 0x0F, 0xC9,
                                     0x48, 0x0F, 0xCA, 0x48, 0x0F, 0xCB};
  const auto block = time_block(std::as_bytes(std::span{code}), Gva{0x1000}, 8, 4, skylake_core());
  const auto run = [&](bool fresh) {
    CoreClock clock(skylake_core(), nullptr);
    for (uint64_t n = 0; n < 1000; ++n) {
      clock.enter(block, place_at(fresh ? 0x1010 * n : 0x1000));
      for (uint32_t k = 0; k < 4; ++k) clock.retire(block, k, {}, {});
      clock.leave(block, place_at(0x1000), false, 0);
    }
    return clock.now();
  };
  CHECK(run(true) >= run(false) * 3 / 2);
}

TEST_CASE("a drain lets everything complete and carries nothing over", "[core]") {
  const std::vector<uint8_t> code = {0x48, 0x0F, 0xAF, 0xC3};
  const auto block = time_block(std::as_bytes(std::span{code}), Gva{0x1000}, 8, 1, skylake_core());
  CoreClock clock(skylake_core(), nullptr);
  const auto pass = [&] {
    clock.enter(block, place_at(0x1000));
    clock.retire(block, 0, {}, {});
    clock.leave(block, place_at(0x1000), false, 0);
  };
  for (int i = 0; i < 20; ++i) pass();
  const Ticks before = clock.now();
  clock.drain(100);
  CHECK(clock.now() >= before + 100 * kTicksPerCycle + 20 * 2 * kTicksPerCycle);
  const Ticks drained = clock.now();
  pass();
  CHECK(clock.now() == drained + kTicksPerCycle / 4);
}
