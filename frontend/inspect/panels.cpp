// The table of panels: each makes its view model and renders it.
#include "frontend/inspect/panels.h"

#include <nlohmann/json.hpp>

#include <array>

#include "frontend/inspect/disassembly.h"
#include "frontend/inspect/event_json.h"
#include "frontend/inspect/eventlog_view.h"
#include "frontend/inspect/partitions_view.h"
#include "frontend/inspect/registers_view.h"
#include "frontend/inspect/translation_view.h"
#include "frontend/inspect/vmcs_view.h"
#include "frontend/record/timeline.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;

/// Symbols of what the processor is executing: the hypervisor, the root, or nothing for a child.
CodeNames names_of(const PanelInput& in) {
  const Lane lane = in.recorder.lane_of(in.cpu());
  const bool root_mode = !in.cpu().vmx.nonroot;
  const BootPlan& plan = in.session.plan();
  const bool hypervisor = root_mode && plan.image("hv") != nullptr;
  const LoadedImage* const image = plan.image(hypervisor ? "hv" : "root");
  if (lane == Lane::child || image == nullptr) {
    return {[](uint64_t) { return std::string(); }, [](uint64_t) { return uint64_t{0}; }};
  }
  return {[image](uint64_t at) { return image->role + ": " + image->symbols.describe(at); },
          [image](uint64_t at) {
            const auto* const symbol = image->symbols.find(at);
            return symbol != nullptr && symbol->function ? symbol->address : 0;
          }};
}

DisassemblyView disassembly(const PanelInput& in) {
  const uint64_t at = in.at.value_or(in.cpu().executing_rip());
  return view_disassembly(in.cpu(), in.machine().bus(), at, names_of(in), in.att_syntax);
}

TranslationView translation(const PanelInput& in) {
  const emu::CpuState& state = in.cpu().state;
  const uint64_t base = state.code64() ? 0 : state.segments[emu::arch::cs].base;
  const uint64_t at = in.at.value_or(base + in.cpu().executing_rip());
  return view_translation(in.cpu(), in.machine().bus(), at);
}

EventLogView event_log(const PanelInput& in) {
  return view_event_log(in.machine().bus(), in.recorder.view());
}

std::string hypercalls_text(const PanelInput& in) {
  std::string out;
  for (const HypercallEvent& call : in.recorder.hypercalls()) out += hypercall_line(call) + "\n";
  return out.empty() ? "no hypercall has been made\n" : out;
}
Json hypercalls_json(const PanelInput& in) {
  Json out;
  out["hypercalls"] = Json::array();
  for (const HypercallEvent& call : in.recorder.hypercalls())
    out["hypercalls"].push_back(json(call));
  return out;
}

std::string devices_text(const PanelInput& in) {
  std::string out;
  for (const emu::Device* chip : in.machine().board().chips()) {
    out += std::string(chip->name()) + "\n";
    const std::string facts = chip->inspect();
    for (size_t at = 0; at < facts.size();) {
      const size_t end = std::min(facts.find('\n', at), facts.size());
      out += "  " + facts.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }
  return out;
}
Json devices_json(const PanelInput& in) {
  Json out;
  out["devices"] = Json::array();
  for (const emu::Device* chip : in.machine().board().chips()) {
    Json facts = Json::object();
    const std::string lines = chip->inspect();
    for (size_t at = 0; at < lines.size();) {
      const size_t end = std::min(lines.find('\n', at), lines.size());
      const std::string line = lines.substr(at, end - at);
      const size_t space = std::min(line.find(' '), line.size());
      facts[line.substr(0, space)] = space < line.size() ? line.substr(space + 1) : "";
      at = end + 1;
    }
    out["devices"].push_back({{"name", chip->name()}, {"facts", facts}});
  }
  return out;
}

// clang-format off
constexpr auto kPanels = std::to_array<PanelRow>({
  {"partitions",  "partitions with their states, objects and memory pools",
   [](const PanelInput& in) { return text(in.recorder.view().partitions); },
   [](const PanelInput& in) { return json(in.recorder.view().partitions); },
   true},
  {"eventlog",    "event-log groups, buffers and decoded entries",
   [](const PanelInput& in) { return text(event_log(in)); },
   [](const PanelInput& in) { return json(event_log(in)); },
   true},
  {"hypercalls",  "every hypercall so far", hypercalls_text, hypercalls_json},
  {"vmcs",        "the current VMCS with its controls spelled",
   [](const PanelInput& in) { return text(view_vmcs(in.cpu())); },
   [](const PanelInput& in) { return json(view_vmcs(in.cpu())); }},
  {"registers",   "the processor's registers with flags spelled",
   [](const PanelInput& in) { return text(view_registers(in.cpu())); },
   [](const PanelInput& in) { return json(view_registers(in.cpu())); }},
  {"translation", "the walk of a linear address through guest tables and EPT",
   [](const PanelInput& in) { return text(translation(in)); },
   [](const PanelInput& in) { return json(translation(in)); }},
  {"disassembly", "the instructions around RIP",
   [](const PanelInput& in) { return text(disassembly(in)); },
   [](const PanelInput& in) { return json(disassembly(in)); }},
  {"devices",     "every chip of the board", devices_text, devices_json},
});
// clang-format on

}  // namespace

std::span<const PanelRow> panels() { return kPanels; }

const PanelRow* find_panel(std::string_view name) {
  for (const PanelRow& row : kPanels) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace vitrine::ui
