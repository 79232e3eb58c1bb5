// vitrine: the command line.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

#include "emu/cpu/timing/level.h"
#include "emu/host/files.h"
#include "emu/machine/boot/boot.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/usage.h"
#include "frontend/expression/expression.h"

namespace {

using vitrine::ui::ExitCode;

int say(ExitCode code, const std::string& sentence) {
  std::fprintf(stderr, "vitrine: %s\n", sentence.c_str());
  return vitrine::ui::number(code);
}

/// The program's version, and those of the timing levels, which cycle numbers are quoted with.
std::string version_text() {
  std::string text = "vitrine " VITRINE_VERSION;
  for (const auto& level : vitrine::emu::timing::kLevels) {
    text += "\n  --timing " + std::string(level.name) + ": version " + std::to_string(level.version);
  }
  return text;
}

int run_program(int argc, char** argv) {
  CLI::App app{"A deterministic x86-64 machine with VMX, and a hypervisor to watch in it"};
  vitrine::ui::CommandLine line;
  vitrine::ui::add_commands(app, line);
  app.set_version_flag("--version", version_text());
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("command");
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return say(ExitCode::usage, vitrine::ui::usage_sentence(app, error));
  }
  for (const vitrine::ui::CommandRow& row : vitrine::ui::commands()) {
    if (app.got_subcommand(std::string(row.name))) return vitrine::ui::number(row.run(line));
  }
  return vitrine::ui::number(ExitCode::usage);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const vitrine::ui::UsageError& error) {
    return say(ExitCode::usage, error.what());
  } catch (const vitrine::ui::ExpressionError& error) {
    return say(ExitCode::usage, error.what());
  } catch (const vitrine::emu::BootError& error) {
    return say(ExitCode::usage, error.what());
  } catch (const vitrine::emu::host::HostError& error) {
    return say(ExitCode::usage, error.what());
  } catch (const std::bad_alloc&) {
    return say(ExitCode::usage, "the host has not enough memory for this machine");
  }
}
