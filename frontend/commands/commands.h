// The subcommands of the program: one table for parsing, help, completion and the reference.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "frontend/exit_codes.h"
#include "frontend/options.h"

namespace vitrine::ui {

/// Of every JSON result; changes when a field changes its meaning.
inline constexpr int kSchema = 1;

/// What the command line said, whichever command it named.
struct CommandLine {
  RunOptions run;     ///< run, show, explain entry
  std::string panel;  ///< show PANEL
  std::string at;     ///< show: linear address, default RIP; explain cycles --from
  std::string level = "core";  ///< time-blocks --timing
  std::string syntax = "intel";
  std::optional<uint32_t> processor;
  std::string subject;  ///< explain call|status|exit SUBJECT; help SUBJECT; completion SHELL
  std::string kind;     ///< explain KIND; trace VERB; new KIND
  std::string file;     ///< trace FILE, new DIR
  std::string pattern;  ///< trace grep PATTERN
  std::string kind_of_row = "symbol";  ///< explain cycles --by
  uint64_t most = 25;                  ///< explain cycles --most
  bool json = false;
  bool tlfs = false;    ///< doctor --tlfs
  bool timing = false;  ///< doctor --timing
};

struct CommandRow {
  std::string_view name;
  std::string_view meaning;
  std::string_view example;
  void (*add)(CLI::App& command, CommandLine& line);
  ExitCode (*run)(CommandLine& line);
};

std::span<const CommandRow> commands();
/// One subcommand per row.
void add_commands(CLI::App& app, CommandLine& line);

ExitCode run_command(const RunOptions& options);
ExitCode verify_command(const RunOptions& options);

void add_show(CLI::App& command, CommandLine& line);
ExitCode show_command(CommandLine& line);
void add_explain(CLI::App& command, CommandLine& line);
ExitCode explain_command(CommandLine& line);
void add_explain_cycles(CLI::App& command, CommandLine& line);
ExitCode explain_cycles(CommandLine& line);
void add_time_blocks(CLI::App& command, CommandLine& line);
ExitCode time_blocks_command(CommandLine& line);
void add_trace(CLI::App& command, CommandLine& line);
ExitCode trace_command(CommandLine& line);
void add_doctor(CLI::App& command, CommandLine& line);
ExitCode doctor_command(CommandLine& line);
void print_timing(bool as_json);
void add_new(CLI::App& command, CommandLine& line);
ExitCode new_command(CommandLine& line);
void add_help(CLI::App& command, CommandLine& line);
ExitCode help_command(CommandLine& line);
void add_completion(CLI::App& command, CommandLine& line);
ExitCode completion_command(CommandLine& line);

}  // namespace vitrine::ui
