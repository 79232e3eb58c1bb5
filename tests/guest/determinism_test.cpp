// Nothing that we do between or around instructions changes what the guest does or what it costs.
#include "tests/guest/guest.h"

#include <random>

using namespace vitrine;

namespace {

constexpr emu::Cycle kEnd{20'000'000'000};

struct Outcome {
  uint64_t hash = 0, cycles = 0, instructions = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome(ui::Session& session) {
  emu::Machine& m = session.machine();
  return {m.state_hash(), m.now().value, m.instructions()};
}

std::string print(const Outcome& o) {
  return std::to_string(o.hash) + " " + std::to_string(o.cycles) + " " +
         std::to_string(o.instructions);
}

/// The tour at a timing level.
ui::RunOptions tour_at(const std::string& level) {
  ui::RunOptions options = test::options_for("tour");
  options.machine.timing = level;
  return options;
}

Outcome free_run(const std::string& level) {
  ui::Session session(tour_at(level));
  REQUIRE(session.machine().run({.until = kEnd}) == emu::StopReason::guest_exit);
  return outcome(session);
}

bool have_tour() { return test::have_image("tour") && test::have_image("vitrine-hv"); }

}  // namespace

TEST_CASE("two runs of the tour are one run", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = GENERATE("count", "core", "memory");
  const Outcome first = free_run(level);
  const Outcome second = free_run(level);
  INFO(print(first) << " / " << print(second));
  CHECK(first == second);
}

TEST_CASE("cutting a run by cycles and by instructions changes nothing", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = GENERATE("count", "core", "memory");
  const Outcome whole = free_run(level);
  ui::Session session(tour_at(level));
  std::mt19937_64 random(7);
  emu::Machine& m = session.machine();
  for (;;) {
    const bool by_cycle = random() % 2 == 0;
    const uint64_t length = random() % 20000 + 1;
    const emu::RunRequest request = by_cycle
                                        ? emu::RunRequest{.until = m.now() + length}
                                        : emu::RunRequest{.max_instructions = m.instructions() + length};
    const auto reason = m.run(request);
    if (reason == emu::StopReason::guest_exit) break;
    REQUIRE((reason == emu::StopReason::cycle_limit ||
             reason == emu::StopReason::instruction_limit));
  }
  INFO(print(whole) << " / " << print(outcome(session)));
  CHECK(outcome(session) == whole);
}

TEST_CASE("watching every instruction changes nothing", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = GENERATE("count", "core", "memory");
  const Outcome whole = free_run(level);
  ui::Session session(tour_at(level));
  ui::Recorder recorder(session.machine(), session.plan());
  recorder.watch_every_instruction();
  REQUIRE(session.machine().run({.until = kEnd}) == emu::StopReason::guest_exit);
  INFO(print(whole) << " / " << print(outcome(session)));
  CHECK(outcome(session) == whole);
}

TEST_CASE("dropping every cache at random moments changes nothing", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = GENERATE("count", "core", "memory");
  const Outcome whole = free_run(level);
  ui::Session session(tour_at(level));
  emu::Machine& m = session.machine();
  std::mt19937_64 random(11);
  while (m.run({.max_instructions = m.instructions() + random() % 50000 + 1}) ==
         emu::StopReason::instruction_limit) {
    for (uint32_t i = 0; i < m.processors(); ++i) m.cpu(i).mmu.drop_all();
    if (random() % 4 == 0) m.blocks().clear();
  }
  INFO(print(whole) << " / " << print(outcome(session)));
  CHECK(outcome(session) == whole);
}

TEST_CASE("a snapshot continues like the machine it was taken from", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = GENERATE("count", "core", "memory");
  const Outcome whole = free_run(level);
  std::mt19937_64 random(13);
  for (int i = 0; i < 4; ++i) {
    ui::Session session(tour_at(level));
    const uint64_t at = random() % whole.instructions;
    REQUIRE(session.machine().run({.max_instructions = at}) ==
            emu::StopReason::instruction_limit);
    const auto snapshot = session.machine().save();
    ui::Session other(tour_at(level));
    REQUIRE(other.machine().load(snapshot));
    CHECK(other.machine().state_hash() == session.machine().state_hash());
    REQUIRE(other.machine().run({.until = kEnd}) == emu::StopReason::guest_exit);
    INFO("snapshot at instruction " << at << ": " << print(whole) << " / "
                                    << print(outcome(other)));
    CHECK(outcome(other) == whole);
  }
}

TEST_CASE("two machines in one process do not notice each other", "[guest][determinism]") {
  if (!have_tour()) return;
  const std::string level = "count";
  const Outcome whole = free_run(level);
  ui::Session a(tour_at(level));
  ui::Session b(tour_at(level));
  bool a_runs = true, b_runs = true;
  while (a_runs || b_runs) {
    if (a_runs) {
      const emu::Cycle until = a.machine().now() + 100'000;
      a_runs = a.machine().run({.until = until}) == emu::StopReason::cycle_limit;
    }
    if (b_runs) {
      const emu::Cycle until = b.machine().now() + 77'777;
      b_runs = b.machine().run({.until = until}) == emu::StopReason::cycle_limit;
    }
  }
  CHECK(outcome(a) == whole);
  CHECK(outcome(b) == whole);
}
