// Several processors: all of them start, time is one, and slices, steps and host threads change nothing.
#include <catch2/catch.hpp>

#include <random>
#include <thread>

#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

constexpr emu::Cycle kEnd{1'000'000'000};

struct Outcome {
  emu::StopReason reason{};
  uint32_t code = 0;
  uint64_t hash = 0, cycles = 0, instructions = 0;
  std::string text;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

ui::RunOptions options(uint32_t processors, uint64_t quantum = 2000) {
  ui::RunOptions options;
  options.image = "processors";
  options.serial = "null";
  options.machine.processors = processors;
  options.machine.quantum = quantum;
  ui::finish_options(options);
  return options;
}

Outcome outcome(ui::Session& session, emu::StopReason reason) {
  emu::Machine& m = session.machine();
  return {reason, m.exit_code(), m.state_hash(), m.now().value, m.instructions(),
          session.serial().text()};
}

Outcome whole(const ui::RunOptions& options) {
  ui::Session session(options);
  return outcome(session, session.machine().run({.until = kEnd}));
}

}  // namespace

TEST_CASE("one to eight processors start, count together and have one time", "[guest][smp]") {
  if (!test::have_image("processors")) return;
  for (const uint32_t processors : {1u, 2u, 3u, 4u, 8u}) {
    const Outcome out = whole(options(processors));
    INFO(out.text);
    CHECK(out.reason == emu::StopReason::guest_exit);
    CHECK(out.code == 1);
    CHECK(out.text.find("PROCESSORS PASS") != std::string::npos);
    // All of them run at once: seven more processors do not take seven times as long.
    CHECK(out.cycles < 20'000'000);
  }
}

TEST_CASE("cutting a run of four processors anywhere changes nothing", "[guest][smp]") {
  if (!test::have_image("processors")) return;
  const Outcome once = whole(options(4));
  ui::Session session(options(4));
  emu::Machine& m = session.machine();
  std::mt19937_64 random(17);
  for (;;) {
    const bool by_cycle = random() % 2 == 0;
    const uint64_t length = random() % 3000 + 1;
    const emu::RunRequest request =
        by_cycle ? emu::RunRequest{.until = m.now() + length}
                 : emu::RunRequest{.max_instructions = m.instructions() + length};
    const auto reason = m.run(request);
    if (reason != emu::StopReason::cycle_limit && reason != emu::StopReason::instruction_limit) {
      CHECK(outcome(session, reason) == once);
      break;
    }
  }
}

TEST_CASE("snapshots of four processors continue the same", "[guest][smp]") {
  if (!test::have_image("processors")) return;
  const Outcome once = whole(options(4));
  for (const uint64_t part : {3u, 10u, 17u}) {
    ui::Session first(options(4));
    const uint64_t at = once.instructions * part / 20;
    REQUIRE(first.machine().run({.max_instructions = at}) ==
            emu::StopReason::instruction_limit);
    ui::Session second(options(4));
    REQUIRE(second.machine().load(first.machine().save()));
    const auto reason = second.machine().run({.until = kEnd});
    CHECK(reason == once.reason);
    CHECK(second.machine().state_hash() == once.hash);
    CHECK(second.machine().instructions() == once.instructions);
  }
}

TEST_CASE("the quantum is part of the configuration: another one is another run", "[guest][smp]") {
  if (!test::have_image("processors")) return;
  const Outcome coarse = whole(options(2));
  const Outcome fine = whole(options(2, 100));
  CHECK(fine.text.find("PROCESSORS PASS") != std::string::npos);
  CHECK(fine.hash != coarse.hash);
  CHECK(whole(options(2, 100)) == fine);
}

TEST_CASE("two machines on two host threads are the runs they are alone", "[guest][smp]") {
  if (!test::have_image("processors")) return;
  const Outcome two = whole(options(2));
  const Outcome four = whole(options(4));
  Outcome a, b;
  std::thread first([&a] { a = whole(options(2)); });
  std::thread second([&b] { b = whole(options(4)); });
  first.join();
  second.join();
  CHECK(a == two);
  CHECK(b == four);
}
