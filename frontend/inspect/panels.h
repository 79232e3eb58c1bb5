// The panels: what `vitrine show` can print, each from one view model as text or JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "frontend/record/recorder.h"
#include "frontend/session.h"

namespace vitrine::ui {

/// What a panel looks at: a stopped machine, and how the reader wants it.
struct PanelInput {
  Session& session;
  const Recorder& recorder;
  std::optional<uint64_t> at;  ///< linear address; none: RIP
  bool att_syntax = false;
  std::optional<uint32_t> processor;  ///< whose panel; none: the one whose turn it is

  emu::Machine& machine() const { return session.machine(); }
  emu::Cpu& cpu() const {
    return machine().cpu(processor ? *processor : machine().current_processor());
  }
};

struct PanelRow {
  std::string_view name;
  std::string_view meaning;
  std::string (*text)(const PanelInput&);
  nlohmann::ordered_json (*json)(const PanelInput&);
  bool shows_hypervisor = false;  ///< needs the objects of a hypervisor whose layout is known
};

std::span<const PanelRow> panels();
/// Null when there is no such panel.
const PanelRow* find_panel(std::string_view name);

}  // namespace vitrine::ui
