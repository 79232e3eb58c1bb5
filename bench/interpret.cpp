// Interpreting: guest instructions per second on our images, and the cost of a hypercall's round trip.
#include <benchmark/benchmark.h>

#include "frontend/session.h"

namespace {

using namespace vitrine;

ui::RunOptions options_for(const std::string& image, const std::string& line) {
  ui::RunOptions options;
  options.image = image;
  options.append = line;
  options.serial = "null";
  ui::finish_options(options);
  return options;
}

/// Steady state only: the machine is built and the first instructions run outside the timed part.
void interpret_mixed(benchmark::State& state) {
  ui::Session session(options_for("mixed", "rounds=1000000"));
  emu::Machine& machine = session.machine();
  machine.run({.max_instructions = 5'000'000});
  constexpr uint64_t kStep = 2'000'000;
  for (auto _ : state) machine.run({.max_instructions = machine.instructions() + kStep});
  state.SetItemsProcessed(state.iterations() * int64_t{kStep});
}
BENCHMARK(interpret_mixed)->Unit(benchmark::kMillisecond);

void whole_tour(benchmark::State& state) {
  int64_t instructions = 0;
  for (auto _ : state) {
    ui::Session session(options_for("tour", ""));
    session.machine().run({.until = emu::Cycle{20'000'000'000}});
    instructions += static_cast<int64_t>(session.machine().instructions());
  }
  state.SetItemsProcessed(instructions);
}
BENCHMARK(whole_tour)->Unit(benchmark::kMillisecond);

}  // namespace
