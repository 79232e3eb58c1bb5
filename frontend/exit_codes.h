// What the program's exit code says.
#pragma once

namespace vitrine::ui {

enum class ExitCode : int {
  success = 0,
  assertion_failed = 1,  ///< the guest's own verdict was a failure
  usage = 2,             ///< bad command line, configuration or file
  guest_crash = 3,       ///< triple fault, or every processor waits for good
  budget_exceeded = 4,   ///< --max-cycles passed before the end
  emulator_disagrees = 5,
};

constexpr int number(ExitCode code) { return static_cast<int>(code); }

}  // namespace vitrine::ui
