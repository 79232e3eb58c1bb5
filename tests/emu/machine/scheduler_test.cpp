// The scheduler: the smallest clock runs, one quantum ahead of the next.
#include "emu/machine/scheduler.h"

#include <catch2/catch.hpp>

#include <array>

using namespace vitrine::emu;

TEST_CASE("the processor with the smallest clock runs one quantum ahead of the next", "[scheduler]") {
  const std::array<ProcessorTime, 3> times = {{{Cycle{500}}, {Cycle{100}}, {Cycle{300}}}};
  const Turn turn = next_turn(times, 2000);
  CHECK(turn.any);
  CHECK(turn.processor == 1);
  CHECK(turn.until == Cycle{2300});
}

TEST_CASE("equal clocks go by index", "[scheduler]") {
  const std::array<ProcessorTime, 2> times = {{{Cycle{7}}, {Cycle{7}}}};
  CHECK(next_turn(times, 10).processor == 0);
}

TEST_CASE("idle processors neither run nor hold the others back", "[scheduler]") {
  const std::array<ProcessorTime, 2> times = {{{Cycle{0}, true}, {Cycle{900}}}};
  const Turn turn = next_turn(times, 2000);
  CHECK(turn.processor == 1);
  CHECK(turn.until == kNever);
  CHECK(machine_time(times) == Cycle{900});
}

TEST_CASE("when all idle there is no turn and no machine time", "[scheduler]") {
  const std::array<ProcessorTime, 2> times = {{{Cycle{5}, true}, {Cycle{9}, true}}};
  CHECK_FALSE(next_turn(times, 2000).any);
  CHECK(machine_time(times) == kNever);
}
