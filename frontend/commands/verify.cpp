// `vitrine run --verify`: both engines side by side, and a report of the first moment they differ.
#include <cstdio>

#include "emu/machine/lockstep.h"
#include "frontend/commands/commands.h"
#include "frontend/record/timeline.h"
#include "frontend/session.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

/// Guest cycles between two comparisons of whole states.
constexpr uint64_t kStretch = 50'000'000;
constexpr unsigned kWordDigits = 16;

RunOptions with_engine(const RunOptions& options, emu::EngineKind engine) {
  RunOptions copy = options;
  copy.machine.engine = engine;
  copy.serial = "null";
  copy.console = options.console.empty() ? "" : "null";
  return copy;
}

void print(const emu::Difference& difference) {
  std::printf("the engines differ %s cycle %s\n", difference.exact ? "at" : "before",
              grouped(difference.cycle.value).c_str());
  for (const std::string& line : difference.lines) std::printf("  %s\n", line.c_str());
}

}  // namespace

ExitCode verify_command(const RunOptions& options) {
  Session jit(with_engine(options, emu::EngineKind::jit));
  Session interpreter(with_engine(options, emu::EngineKind::interpreter));
  if (jit.machine().engine() == nullptr) throw UsageError("this host has no JIT to verify");
  if (options.serial == "stdio") {
    jit.serial().on_text = [](std::string_view text, emu::Cycle) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
  }
  emu::Lockstep lockstep(jit.machine(), interpreter.machine());
  const emu::Cycle end = options.max_cycles ? emu::Cycle{*options.max_cycles} : emu::kNever;
  if (const auto difference = lockstep.run(end, kStretch)) {
    print(*difference);
    return ExitCode::emulator_disagrees;
  }
  emu::Machine& machine = interpreter.machine();
  std::fprintf(stderr, "both engines agree: %s at cycle %s, %s instructions\nstate_hash %s\n",
               std::string(stop_reason_name(lockstep.reason())).c_str(),
               grouped(machine.now().value).c_str(), grouped(machine.instructions()).c_str(),
               hex(machine.state_hash(), kWordDigits).c_str());
  return exit_code_of(lockstep.reason(), machine.exit_code());
}

}  // namespace vitrine::ui
