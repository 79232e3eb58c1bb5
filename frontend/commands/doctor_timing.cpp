// `vitrine doctor --timing`: every parameter of the modelled cores with its source, and what is assumed.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <set>

#include "emu/cpu/instruction_table.h"
#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/level.h"
#include "frontend/commands/commands.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;
namespace timing = emu::timing;

/// Instructions of ours without a line in the core's class tables: they cost what seems plausible.
std::vector<std::string> assumed_forms(const timing::CoreParameters& core) {
  std::set<std::string> names;
  for (const emu::Row& row : emu::instruction_table()) {
    if (!core.uops().knows(row.mnemonic)) names.emplace(row.mnemonic);
  }
  return {names.begin(), names.end()};
}

struct NamedCost {
  std::string_view event;
  uint32_t cycles;
};

/// Costs on top of the instruction, at every level; SDM and data sheets give none of them.
constexpr std::array kEvents = {
    NamedCost{"exception", timing::kEventCosts.exception},
    NamedCost{"external interrupt", timing::kEventCosts.external_interrupt},
    NamedCost{"task switch", timing::kEventCosts.task_switch},
    NamedCost{"VM exit", timing::kEventCosts.vm_exit},
    NamedCost{"VM entry", timing::kEventCosts.vm_entry},
    NamedCost{"inter-processor interrupt", timing::kEventCosts.ipi_latency},
};

std::string wrapped(const std::vector<std::string>& words) {
  constexpr size_t kWidth = 92;
  std::string out = "   ";
  size_t column = 0;
  for (const std::string& word : words) {
    if (column + word.size() + 1 > kWidth) {
      out += "\n   ";
      column = 0;
    }
    out += ' ' + word;
    column += word.size() + 1;
  }
  return out + '\n';
}

void print_core(const timing::CoreParameters& core) {
  std::printf("\nprofile %s:\n", std::string(core.name).c_str());
  Columns table;
  for (const timing::ParameterRow& row : timing::parameter_rows(core)) {
    table.row({std::string(row.name), std::to_string(row.value), std::string(row.unit),
               std::string(to_string(row.evidence)), std::string(row.source)});
  }
  std::fputs(table.text("    ").c_str(), stdout);
  const auto assumed = assumed_forms(core);
  std::printf("  %zu instructions without a measured line, at an assumed cost:\n%s", assumed.size(),
              wrapped(assumed).c_str());
}

Json core_json(const timing::CoreParameters& core) {
  Json rows = Json::array();
  for (const timing::ParameterRow& row : timing::parameter_rows(core)) {
    rows.push_back({{"name", row.name}, {"value", row.value}, {"unit", row.unit},
                    {"evidence", to_string(row.evidence)}, {"source", row.source}});
  }
  return {{"parameters", rows}, {"assumed_instructions", assumed_forms(core)}};
}

}  // namespace

void print_timing(bool as_json) {
  const auto cores = {&timing::skylake_core(), &timing::zen4_core()};
  if (as_json) {
    Json out = {{"schema", kSchema}};
    for (const timing::Level& level : timing::kLevels) {
      out["levels"][std::string(level.name)] = level.version;
    }
    for (const NamedCost& cost : kEvents) {
      out["events"][std::string(cost.event)] = {{"cycles", cost.cycles}, {"evidence", "assumed"}};
    }
    for (const auto* core : cores) out["profiles"][std::string(core->name)] = core_json(*core);
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("levels:\n");
  Columns levels;
  for (const timing::Level& level : timing::kLevels) {
    levels.row({std::string(level.name), "version " + std::to_string(level.version),
                std::string(level.meaning)});
  }
  std::printf("%sevents, in cycles:\n", levels.text("    ").c_str());
  Columns events;
  for (const NamedCost& cost : kEvents) {
    events.row({std::string(cost.event), std::to_string(cost.cycles), "assumed"});
  }
  std::fputs(events.text("    ").c_str(), stdout);
  for (const auto* core : cores) print_core(*core);
}

}  // namespace vitrine::ui
