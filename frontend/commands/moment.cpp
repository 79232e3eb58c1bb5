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
  const emu::Cycle end = options.max_cycles ? emu::Cycle{*options.max_cycles} : emu::kNever;
  if (options.until.empty()) {
    session_.run(end);
    return ExitCode::success;
  }
  StopCondition condition(options.until, session_, recorder_);
  const emu::StopReason reason = condition.run(end);
  if (condition.reached()) return ExitCode::success;
  std::fprintf(stderr, "vitrine: '%s' never held; this is the end of the run (%s)\n",
               options.until.c_str(), std::string(stop_reason_name(reason)).c_str());
  return reason == emu::StopReason::cycle_limit ? ExitCode::budget_exceeded
                                                : ExitCode::assertion_failed;
}

}  // namespace vitrine::ui
