// Repeated string instructions: many iterations at once end as the same iterations one at a time.
#include <catch2/catch.hpp>

#include <cstring>

#include "emu/machine/lockstep.h"
#include "tests/lockstep/encoder.h"

using namespace vitrine;
using test::Places;

namespace {

struct Case {
  unsigned size = 1;
  bool moves = true;
  uint64_t source = 0, target = 0, count = 0;
};

test::Program program_of(const Case& c) {
  test::Encoder e(1);
  const auto load = [&](unsigned reg, uint64_t value) {
    e.bytes({0x48, 0xC7, 0xC0 | reg});
    e.number(value, 4);
  };
  e.bytes({0x48, 0xC7, 0x04, 0x25});
  e.number(Places::kNext, 4);
  const size_t next = e.code.size();
  e.number(0, 4);
  load(0, 0x11223344);
  load(1, c.count);
  load(6, c.source);
  load(7, c.target);
  e.bytes({0xF3});
  if (c.size == 2) e.bytes({0x66});
  if (c.size == 8) e.bytes({0x48});
  e.bytes({(c.moves ? 0xA4u : 0xAAu) | (c.size == 1 ? 0u : 1u)});
  const uint64_t here = e.here();
  std::memcpy(&e.code[next], &here, 4);
  e.bytes({0xFA, 0xF4});
  return {std::move(e.code), 1};
}

/// Runs the program to its end in stretches of so many cycles.
uint64_t outcome(const Case& c, uint64_t stretch) {
  emu::MachineConfig config;
  config.memory_bytes = uint64_t{4} << 20;
  config.engine = emu::EngineKind::interpreter;
  emu::Machine machine(config);
  test::load_program(machine, program_of(c));
  constexpr uint64_t kEnd = 60'000;
  for (uint64_t until = stretch; until < kEnd; until += stretch) {
    machine.run({.until = emu::Cycle{until}});
    if (machine.cpu(0).state.activity == emu::Activity::hlt) break;
  }
  machine.run({.until = emu::Cycle{kEnd}});
  return machine.state_hash();
}

}  // namespace

TEST_CASE("many iterations at once end as iterations one at a time", "[lockstep][strings]") {
  test::Random random(7);
  constexpr uint64_t kBase = Places::kMoving;
  for (unsigned i = 0; i < 60; ++i) {
    Case c;
    c.size = 1u << random.below(4);
    c.moves = !random.one_in(3);
    // Pages 5, 9 and 14 are absent and 6 is read-only: some runs end in a fault.
    c.source = kBase + random.below(4 * 4096);
    const uint64_t near_by = c.source + random.below(40) - 20;
    c.target = random.one_in(2) ? near_by : kBase + random.below(6 * 4096);
    c.count = random.below(3000);
    INFO("case " << i << ": size " << c.size << ", from " << c.source << " to " << c.target);
    const auto whole = outcome(c, 50'000);
    CHECK(whole == outcome(c, 3));
    CHECK(whole == outcome(c, 977));
  }
}
