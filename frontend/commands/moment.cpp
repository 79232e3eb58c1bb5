// Moment: running to a condition without output.
#include "frontend/commands/moment.h"

#include <cstdio>

namespace vitrine::ui {

namespace {

RunOptions silent(RunOptions options) {
  options.serial = "null";
  if (!options.console.empty()) options.console = "null";
  return options;
}

}  // namespace

Moment::Moment(RunOptions options)
    : session_(silent(std::move(options))), recorder_(session_.machine(), session_.plan()) {}

ExitCode Moment::run() {
  const RunOptions& options = session_.options();
  if (!options.until.empty()) return run_to(options.until);
  session_.run(options.max_cycles ? emu::Cycle{*options.max_cycles} : emu::kNever);
  return ExitCode::success;
}

ExitCode Moment::run_to(const std::string& text) {
  const RunOptions& options = session_.options();
  StopCondition condition(text, session_, recorder_);
  const emu::StopReason reason =
      condition.run(options.max_cycles ? emu::Cycle{*options.max_cycles} : emu::kNever);
  if (condition.reached()) return ExitCode::success;
  std::fprintf(stderr, "vitrine: '%s' never held; this is the end of the run (%s)\n", text.c_str(),
               std::string(stop_reason_name(reason)).c_str());
  return reason == emu::StopReason::cycle_limit ? ExitCode::budget_exceeded
                                                : ExitCode::assertion_failed;
}

}  // namespace vitrine::ui
