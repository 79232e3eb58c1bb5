// Random programs through both engines, stopped at random moments: the same state at each.
#include "tests/lockstep/program.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "emu/cpu/jit/vector_forms.h"
#include "emu/machine/lockstep.h"
#include "tests/skip.h"

using namespace vitrine;
using emu::Cycle;
using emu::EngineKind;
using emu::Machine;
using emu::MachineConfig;

namespace {

constexpr unsigned kChunks = 24;
constexpr uint64_t kEnd = 3'000'000;

MachineConfig config(EngineKind engine, uint64_t cache = uint64_t{16} << 20) {
  MachineConfig c;
  c.memory_bytes = uint64_t{8} << 20;
  c.engine = engine;
  c.jit_cache_bytes = cache;
  return c;
}

bool have_jit() {
  const Machine machine(config(EngineKind::jit));
  if (machine.engine() != nullptr) return true;
  test::skip(test::SkipReason::no_x86_host, "a JIT");
  return false;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

struct Totals {
  uint64_t instructions = 0, faults = 0, compiled = 0, flushes = 0;
};

/// Both machines at so many random moments; false at the first difference.
bool agrees(uint64_t seed, unsigned moments, uint64_t cache, Totals& totals, bool vectors = false) {
  const test::Program program = test::make_program(seed, vectors ? 8 : kChunks, vectors);
  Machine jit(config(EngineKind::jit, cache));
  Machine reference(config(EngineKind::interpreter));
  test::load_program(jit, program);
  test::load_program(reference, program);
  test::Random random(seed ^ 0x5EED);
  Cycle until{};
  for (unsigned i = 0; i <= moments; ++i) {
    until = i == moments ? Cycle{kEnd} : until + (1 + random.below(kEnd / 100 / (moments + 1)));
    const auto reason = jit.run({.until = until});
    const auto expected = reference.run({.until = until});
    if (reason != expected || jit.state_hash() != reference.state_hash()) {
      UNSCOPED_INFO("seed " << seed << ", until " << until.value << "\n"
                            << joined(emu::differing_fields(jit, reference, 12)));
      return false;
    }
  }
  totals.instructions += reference.instructions();
  uint64_t faults = 0;
  std::memcpy(&faults, reference.memory().host(test::Places::kFaults), sizeof(faults));
  totals.faults += faults;
  totals.compiled += jit.engine()->blocks_compiled();
  totals.flushes += jit.engine()->flushes();
  return true;
}

}  // namespace

TEST_CASE("both engines agree on random programs at every random deadline", "[lockstep]") {
  if (!have_jit()) return;
  Totals totals;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const bool same = agrees(seed, 12, uint64_t{16} << 20, totals);
    REQUIRE(same);
  }
  WARN(totals.instructions << " instructions, " << totals.faults << " faults, " << totals.compiled
                           << " blocks compiled");
  CHECK(totals.faults > 1000);
  CHECK(totals.compiled > 4000);
}

TEST_CASE("both engines agree on random vector programs under every MXCSR", "[lockstep][vector]") {
  if (!have_jit()) return;
  Totals totals;
  for (uint64_t seed = 10'001; seed <= 12'000; ++seed) {
    const bool same = agrees(seed, 1, uint64_t{1} << 20, totals, true);
    REQUIRE(same);
  }
  WARN(totals.instructions << " instructions, " << totals.faults << " faults, " << totals.compiled
                           << " blocks compiled");
  CHECK(totals.faults > 500);
  CHECK(totals.compiled > 5000);
}

TEST_CASE("estimates that hosts differ in are left to their handlers", "[lockstep][vector]") {
  size_t forms = 0, estimates = 0;
  emu::jit::for_vector_forms([&](emu::Handler, const emu::jit::VectorForm& form) {
    ++forms;
    if (form.name.starts_with("vrcp") || form.name.starts_with("vrsqrt")) ++estimates;
  });
  WARN(forms << " vector forms");
  CHECK(forms > 500);
  CHECK(estimates == 0);
}

TEST_CASE("a code cache that is full starts again, and nothing changes", "[lockstep]") {
  if (!have_jit()) return;
  Totals totals;
  for (uint64_t seed = 1001; seed <= 1060; ++seed) {
    const bool same = agrees(seed, 4, uint64_t{67} << 10, totals);
    REQUIRE(same);
  }
  CHECK(totals.flushes > 20);
}

TEST_CASE("a limit on instructions is met exactly by both engines", "[lockstep]") {
  if (!have_jit()) return;
  for (uint64_t seed = 2001; seed <= 2020; ++seed) {
    const test::Program program = test::make_program(seed, kChunks);
    Machine jit(config(EngineKind::jit));
    Machine reference(config(EngineKind::interpreter));
    test::load_program(jit, program);
    test::load_program(reference, program);
    for (uint64_t limit = 777; limit < 20'000; limit += 1234) {
      const emu::RunRequest request{.until = Cycle{kEnd}, .max_instructions = limit};
      const auto reason = jit.run(request);
      REQUIRE(reason == reference.run(request));
      REQUIRE(jit.instructions() == reference.instructions());
      REQUIRE(jit.state_hash() == reference.state_hash());
    }
  }
}

TEST_CASE("a seeded difference is found, and narrowed down to its cycle", "[lockstep]") {
  if (!have_jit()) return;
  const test::Program program = test::make_program(5, kChunks);
  Machine jit(config(EngineKind::jit));
  Machine reference(config(EngineKind::interpreter));
  test::load_program(jit, program);
  test::load_program(reference, program);
  jit.cpu(0).state.regs[emu::arch::r14] ^= 1;
  emu::Lockstep lockstep(jit, reference);
  const auto difference = lockstep.run(Cycle{kEnd}, 1000);
  REQUIRE(difference);
  CHECK_FALSE(difference->lines.empty());
}
