// The partitions panel: one line each, and how far a finalization has come.
#include "frontend/inspect/partitions_view.h"

#include <nlohmann/json.hpp>

#include "frontend/text.h"

namespace vitrine::ui {

std::string text(const std::vector<PartitionView>& partitions) {
  if (partitions.empty()) return "the hypervisor has no partitions yet\n";
  Columns columns;
  columns.row({"partition", "parent", "state", "pool", "free", "VPs", "children", "mappings",
               "ports", "connections", "intercepts", "record"});
  for (const PartitionView& p : partitions) {
    columns.row({std::to_string(p.id), std::to_string(p.parent), std::string(state_name(p.state)),
                 std::to_string(p.pool_pages), std::to_string(p.pool_available),
                 std::to_string(p.vps), std::to_string(p.children), std::to_string(p.mappings),
                 std::to_string(p.ports), std::to_string(p.connections),
                 std::to_string(p.intercepts), hex(p.address)});
  }
  std::string out = columns.text();
  for (const PartitionView& p : partitions) {
    if (p.attempts == 0) continue;
    out += "partition " + std::to_string(p.id) + ": finalization at " +
           std::string(stage_name(p.stage)) + ", " + std::to_string(p.attempts) + " attempts, " +
           std::to_string(p.units_done) + " of " + std::to_string(p.units_at_start) +
           " units done\n";
  }
  return out;
}

nlohmann::ordered_json json(const std::vector<PartitionView>& partitions) {
  nlohmann::ordered_json out;
  out["partitions"] = nlohmann::ordered_json::array();
  for (const PartitionView& p : partitions) {
    out["partitions"].push_back({{"id", p.id},
                                 {"parent", p.parent},
                                 {"state", state_name(p.state)},
                                 {"pool_pages", p.pool_pages},
                                 {"pool_available", p.pool_available},
                                 {"vps", p.vps},
                                 {"children", p.children},
                                 {"mappings", p.mappings},
                                 {"ports", p.ports},
                                 {"connections", p.connections},
                                 {"intercepts", p.intercepts},
                                 {"finalization",
                                  {{"stage", stage_name(p.stage)},
                                   {"attempts", p.attempts},
                                   {"units_done", p.units_done},
                                   {"units_at_start", p.units_at_start}}},
                                 {"record", hex(p.address)}});
  }
  return out;
}

}  // namespace vitrine::ui
