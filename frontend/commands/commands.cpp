// The table of subcommands, and help and completion made from it.
#include "frontend/commands/commands.h"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>

#include "frontend/expression/expression.h"
#include "frontend/inspect/panels.h"

namespace vitrine::ui {

namespace {

void add_run(CLI::App& command, CommandLine& line) { add_run_options(command, line.run); }
ExitCode run_run(CommandLine& line) {
  finish_options(line.run);
  return line.run.verify ? verify_command(line.run) : run_command(line.run);
}

// clang-format off
constexpr auto kCommands = std::to_array<CommandRow>({
  {"run",        "boot an image and run it",                             "vitrine run tour",                                                 add_run,        run_run},
  {"show",       "run to a moment and print a panel",                    "vitrine show eventlog tour --until 'hypercall(0x68).enter'",       add_show,       show_command},
  {"explain",    "say what a hypercall, status, VM exit or VM entry means", "vitrine explain call 0x42",                                     add_explain,    explain_command},
  {"time-blocks", "cycles of each block of a list, by the modelled core", "vitrine time-blocks --profile skylake-sp blocks.csv",                  add_time_blocks, time_blocks_command},
  {"trace",      "read the events of a run that wrote --trace",          "vitrine trace grep finalizing tour.vtr",                           add_trace,      trace_command},
  {"doctor",     "say what this build has and whether its images are the reference", "vitrine doctor --tlfs",                                add_doctor,     doctor_command},
  {"new",        "write a payload of your own to start from",            "vitrine new payload my-payload",                                   add_new,        new_command},
  {"help",       "explain a command, or the expressions",                "vitrine help expressions",                                         add_help,       help_command},
  {"completion", "print the completion script of a shell",               "source <(vitrine completion bash)",                                add_completion, completion_command},
});
// clang-format on

std::string words_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  return words;
}

/// What may stand in the first place behind a command.
std::string first_words(std::string_view command) {
  if (command == "run") return "tour hello linux";
  if (command == "explain") return "call status exit entry";
  if (command == "trace") return "ls grep stat";
  if (command == "new") return "payload";
  if (command == "completion") return "bash";
  std::string words;
  if (command == "show") {
    for (const PanelRow& row : panels()) words += std::string(row.name) + " ";
  }
  if (command == "help") {
    words = "expressions ";
    for (const CommandRow& row : kCommands) words += std::string(row.name) + " ";
  }
  return words;
}

}  // namespace

std::span<const CommandRow> commands() { return kCommands; }

void add_commands(CLI::App& app, CommandLine& line) {
  // At most one: the word behind 'help' is its subject.
  app.require_subcommand(0, 1);
  for (const CommandRow& row : kCommands) {
    CLI::App* const command = app.add_subcommand(std::string(row.name), std::string(row.meaning));
    command->footer("example: " + std::string(row.example));
    row.add(*command, line);
  }
}

void add_help(CLI::App& command, CommandLine& line) {
  command.add_option("subject", line.subject, "a command, or 'expressions'");
}

ExitCode help_command(CommandLine& line) {
  if (line.subject == "expressions") {
    std::fputs(expression_reference().c_str(), stdout);
    return ExitCode::success;
  }
  CLI::App app{"A deterministic x86-64 machine with VMX, and a hypervisor to watch in it",
               "vitrine"};
  CommandLine unused;
  add_commands(app, unused);
  if (line.subject.empty()) {
    std::fputs(app.help().c_str(), stdout);
    return ExitCode::success;
  }
  std::vector<std::string> known = {"expressions"};
  for (const CommandRow& row : kCommands) {
    if (row.name == line.subject) {
      std::fputs(app.get_subcommand(line.subject)->help("vitrine").c_str(), stdout);
      return ExitCode::success;
    }
    known.emplace_back(row.name);
  }
  const std::string near = nearest(line.subject, known);
  throw UsageError("there is no help on '" + line.subject + "'" +
                   (near.empty() ? "; try 'vitrine help'" : "; did you mean '" + near + "'?"));
}

void add_completion(CLI::App& command, CommandLine& line) {
  command.add_option("shell", line.subject, "bash")->required();
}

ExitCode completion_command(CommandLine& line) {
  if (line.subject != "bash") {
    throw UsageError("there is a completion for bash only, not for '" + line.subject + "'");
  }
  CLI::App app{"", "vitrine"};
  CommandLine unused;
  add_commands(app, unused);
  std::string names;
  std::string cases;
  for (const CommandRow& row : kCommands) {
    const std::string name(row.name);
    names += name + " ";
    cases += "    " + name + ") first='" + first_words(row.name) + "'; options='" +
             words_of(*app.get_subcommand(name)) + "' ;;\n";
  }
  std::printf(
      "# bash completion for vitrine\n"
      "_vitrine() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} first='' options=''\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '%s' -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n%s  esac\n"
      "  [ \"$COMP_CWORD\" -eq 2 ] || first=''\n"
      "  COMPREPLY=($(compgen -W \"$first $options\" -- \"$word\") $(compgen -f -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _vitrine vitrine\n",
      names.c_str(), cases.c_str());
  return ExitCode::success;
}

}  // namespace vitrine::ui
