// VM exits and hypercalls: round trips through the hypervisor image, with its handlers as they are.
#include <benchmark/benchmark.h>

#include "emu/cpu/observer.h"
#include "frontend/session.h"

namespace {

using namespace vitrine;

/// Stops the machine after a number of VM exits.
class ExitCounter final : public emu::CpuObserver {
 public:
  explicit ExitCounter(emu::Machine& machine) : machine_(machine) {
    machine.cpu(0).set_observer(this, false);
  }
  ~ExitCounter() override { machine_.cpu(0).set_observer(nullptr, false); }
  void vm_exit(const emu::Cpu&, uint32_t, uint64_t) override {
    if (--left_ == 0) machine_.stop();
  }
  void run(uint64_t exits) {
    left_ = exits;
    machine_.run({.until = emu::kNever});
  }

 private:
  emu::Machine& machine_;
  uint64_t left_ = 0;
};

void round_trips(benchmark::State& state, const char* line) {
  ui::RunOptions options;
  options.image = "exits";
  options.append = line;
  options.hypervisor = "builtin";
  options.serial = "null";
  ui::finish_options(options);
  ui::Session session(options);
  ExitCounter counter(session.machine());
  constexpr uint64_t kWarm = 3000, kExits = 2000;
  counter.run(kWarm);
  for (auto _ : state) counter.run(kExits);
  state.SetItemsProcessed(state.iterations() * int64_t{kExits});
}
BENCHMARK_CAPTURE(round_trips, cpuid, "cpuid=1000000000")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(round_trips, hypercall, "cpuid=0 calls=1000000000")
    ->Unit(benchmark::kMicrosecond);

}  // namespace
