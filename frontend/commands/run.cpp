// `vitrine run`: boots an image, shows what it does, and ends with the result.
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>

#include "emu/host/files.h"
#include "frontend/commands/commands.h"
#include "frontend/expression/expression.h"
#include "frontend/session.h"

namespace vitrine::ui {

namespace {

constexpr int kSchema = 1;

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%016llx", static_cast<unsigned long long>(value));
  return text;
}

nlohmann::ordered_json result_json(Session& session, emu::StopReason reason) {
  emu::Machine& machine = session.machine();
  nlohmann::ordered_json out;
  out["schema"] = kSchema;
  for (const LoadedImage& image : session.plan().images) {
    out["image"].push_back({{"role", image.role}, {"name", image.name}, {"sha256", image.sha256}});
  }
  out["engine"] = "interpreter";
  out["timing"] = session.options().timing;
  out["instructions"] = machine.instructions();
  out["cycles"] = machine.now().value;
  out["state_hash"] = hex(machine.state_hash());
  out["exit"] = {{"reason", std::string(emu::stop_reason_name(reason))},
                 {"guest_code", machine.exit_code()}};
  return out;
}

}  // namespace

ExitCode run_command(const RunOptions& options) {
  Session session(options);
  std::ofstream serial_file;
  if (options.serial != "stdio" && options.serial != "null") {
    serial_file.open(options.serial, std::ios::binary | std::ios::trunc);
    if (!serial_file) throw UsageError("cannot write the serial file '" + options.serial + "'");
  }
  session.serial().on_text = [&](std::string_view text, emu::Cycle) {
    if (serial_file.is_open()) {
      serial_file << text << std::flush;
    } else if (options.serial == "stdio" && !options.json) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    }
  };
  const emu::Cycle until = options.max_cycles ? emu::Cycle{*options.max_cycles} : emu::kNever;
  const emu::StopReason reason = session.run(until);
  if (!options.record.empty()) {
    emu::host::write_file(options.record, session.machine().input_log().text());
  }
  const auto result = result_json(session, reason);
  if (options.json) {
    std::printf("%s\n", result.dump(2).c_str());
  } else if (!options.quiet) {
    std::fprintf(stderr, "%s after %llu instructions, %llu cycles; state_hash %s\n",
                 std::string(emu::stop_reason_name(reason)).c_str(),
                 static_cast<unsigned long long>(session.machine().instructions()),
                 static_cast<unsigned long long>(session.machine().now().value),
                 result["state_hash"].get<std::string>().c_str());
  }
  return exit_code_of(reason, session.machine().exit_code(), !options.until.empty());
}

}  // namespace vitrine::ui
