// `vitrine explain cycles`: a stretch of a run taken apart into what the core waited for.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "frontend/commands/commands.h"
#include "frontend/commands/moment.h"
#include "frontend/commands/usage.h"
#include "frontend/inspect/cycles_view.h"
#include "frontend/record/timeline.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;

Json causes_json(const CauseTicks& ticks) {
  Json out = Json::object();
  for (size_t i = 0; i < kCauses; ++i) {
    if (ticks[i] != 0) out[std::string(emu::timing::kCauseNames[i])] = cycles_text(ticks[i]);
  }
  return out;
}

Json json_of(const CyclesView& view) {
  Json rows = Json::array();
  for (const CyclesRow& row : view.rows) {
    rows.push_back({{"place", row.place}, {"cycles", cycles_text(row.total)},
                    {"causes", causes_json(row.ticks)}});
  }
  return {{"cycles", cycles_text(view.total)}, {"causes", causes_json(view.causes)},
          {"places", rows}};
}

}  // namespace

void add_explain_cycles(CLI::App& command, CommandLine& line) {
  add_run_options(command, line.run);
  command.add_option("--from", line.at, "where the stretch begins, an expression; default: reset");
  command.add_option("--by", line.kind_of_row, "rows: symbol or instruction");
  command.add_option("--most", line.most, "rows to print")->check(count_error);
}

ExitCode explain_cycles(CommandLine& line) {
  // The levels that know; what was asked for stays.
  if (line.run.machine.timing == "count") line.run.machine.timing = "memory";
  if (line.kind_of_row != "symbol" && line.kind_of_row != "instruction") {
    throw UsageError("--by is symbol or instruction, not '" + line.kind_of_row + "'");
  }
  finish_options(line.run);
  Moment moment(line.run);
  CycleCollector collector(moment.session().machine(), moment.session().plan());
  if (!line.at.empty()) {
    if (const ExitCode code = moment.run_to(line.at); code != ExitCode::success) return code;
  }
  const emu::Cycle first = moment.session().machine().now();
  collector.start();
  const ExitCode code = moment.run();
  collector.stop();
  const emu::Cycle last = moment.session().machine().now();
  const auto by = line.kind_of_row == "symbol" ? CyclesBy::symbol : CyclesBy::instruction;
  const CyclesView view = collector.view(by);
  const emu::MachineConfig& timing = line.run.machine;
  if (line.run.json) {
    Json out = {{"schema", kSchema}, {"timing", timing.timing}, {"profile", timing.core},
                {"from", first.value}, {"until", last.value}};
    out.update(json_of(view));
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("cycle %s to %s at --timing %s, %s\n", grouped(first.value).c_str(),
                grouped(last.value).c_str(), timing.timing.c_str(), timing.core.c_str());
    std::fputs(text(view, line.most).c_str(), stdout);
  }
  return code;
}

}  // namespace vitrine::ui
