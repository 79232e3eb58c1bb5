// `vitrine time-blocks`: cycles per repetition of each block of a list, as the machine's clock counts.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "frontend/commands/commands.h"
#include "frontend/text.h"
#include "frontend/timing/accuracy.h"

namespace vitrine::ui {

namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  size_t at = 0;
  for (size_t comma; (comma = line.find(',', at)) != std::string::npos; at = comma + 1) {
    fields.push_back(line.substr(at, comma - at));
  }
  fields.push_back(line.substr(at));
  return fields;
}

}  // namespace

void add_time_blocks(CLI::App& command, CommandLine& line) {
  command.add_option("file", line.file, "CSV with the columns uarch,hex,…")->required();
  command.add_option("--profile", line.run.machine.core, "core to model: skylake-sp or zen4-core");
  command.add_option("--timing", line.level, "timing level: core or memory");
}

ExitCode time_blocks_command(CommandLine& line) {
  const emu::MachineConfig& config = line.run.machine;
  if (const std::string why = emu::config_error(config); !why.empty()) throw UsageError(why);
  if (line.level != "core" && line.level != "memory") {
    throw UsageError("blocks are timed at --timing core or memory");
  }
  std::ifstream file(line.file);
  if (!file) throw UsageError("cannot read '" + line.file + "'");
  const BlockRunner runner(*emu::timing::find_core(config.core), line.level == "memory");
  std::printf("hex,predicted_cycles_per_iteration\n");
  size_t hex_column = 1;
  bool first = true;
  for (std::string text; std::getline(file, text);) {
    while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.pop_back();
    if (text.empty()) continue;
    const auto fields = fields_of(text);
    if (std::exchange(first, false)) {
      const auto named = std::find(fields.begin(), fields.end(), "hex");
      if (named != fields.end()) {
        hex_column = static_cast<size_t>(named - fields.begin());
        continue;
      }
    }
    const std::string hex = hex_column < fields.size() ? fields[hex_column] : std::string();
    const auto bytes = parse_hex(hex);
    const BlockTime time =
        bytes.empty() ? BlockTime{0, "not hexadecimal bytes"} : runner.run(bytes);
    if (time.error.empty()) {
      std::printf("%s,%.4f\n", hex.c_str(), time.cycles);
    } else {
      std::printf("%s,error: %s\n", hex.c_str(), time.error.c_str());
    }
  }
  return ExitCode::success;
}

}  // namespace vitrine::ui
