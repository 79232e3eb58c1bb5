// The subcommands of the program, each returning its exit code.
#pragma once

#include "frontend/exit_codes.h"
#include "frontend/options.h"

namespace vitrine::ui {

ExitCode run_command(const RunOptions& options);

}  // namespace vitrine::ui
