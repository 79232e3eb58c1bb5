// `vitrine show`: runs an image to a moment and prints one panel of what is there.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "frontend/commands/commands.h"
#include "frontend/commands/moment.h"
#include "frontend/expression/expression.h"
#include "frontend/inspect/panels.h"
#include "frontend/text.h"

namespace vitrine::ui {

void add_show(CLI::App& command, CommandLine& line) {
  std::string names;
  for (const PanelRow& row : panels()) names += (names.empty() ? "" : ", ") + std::string(row.name);
  command.add_option("panel", line.panel, names)->required();
  add_run_options(command, line.run);
  command.add_option("--at", line.at, "linear address for translation and disassembly; else RIP");
  command.add_option("--processor", line.processor,
                     "whose registers, VMCS, translation or code; else of the one whose turn it is");
  command.add_option("--syntax", line.syntax, "of the disassembly: intel or att");
}

ExitCode show_command(CommandLine& line) {
  const PanelRow* const panel = find_panel(line.panel);
  if (panel == nullptr) {
    std::vector<std::string> known;
    for (const PanelRow& row : panels()) known.emplace_back(row.name);
    const std::string near = nearest(line.panel, known);
    throw UsageError(
        "there is no panel '" + line.panel + "'" +
        (near.empty() ? "; see 'vitrine help show'" : "; did you mean '" + near + "'?"));
  }
  if (line.syntax != "intel" && line.syntax != "att") {
    throw UsageError("--syntax is intel or att, not '" + line.syntax + "'");
  }
  const auto at = line.at.empty() ? std::optional<uint64_t>() : parse_number(line.at);
  if (!line.at.empty() && !at) {
    throw UsageError("--at takes an address like 0x100000, not '" + line.at + "'");
  }
  finish_options(line.run);
  if (line.processor && *line.processor >= line.run.machine.processors) {
    throw UsageError("--processor is below the machine's " +
                     std::to_string(line.run.machine.processors) + ", not " +
                     std::to_string(*line.processor));
  }
  Moment moment(line.run);
  const std::string why = moment.recorder().why_unknown();
  if (panel->shows_hypervisor && !why.empty()) throw UsageError(why);
  const ExitCode code = moment.run();
  const PanelInput in{moment.session(), moment.recorder(), at, line.syntax == "att",
                      line.processor};
  if (line.run.json) {
    nlohmann::ordered_json out;
    out["schema"] = kSchema;
    out["panel"] = panel->name;
    out["cycle"] = in.machine().now().value;
    out.update(panel->json(in));
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::fputs(panel->text(in).c_str(), stdout);
  }
  return code;
}

}  // namespace vitrine::ui
