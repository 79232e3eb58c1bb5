// CallView: what a hypercall is on the wire, who may make it, and how it is refused.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::ui {

struct CallFieldView {
  uint32_t offset = 0, size = 0;
  std::string_view name;
};
/// Input, output, or an element of their lists.
struct CallPartView {
  std::string_view name;
  uint32_t size = 0;
  std::vector<CallFieldView> fields;
};
struct CallStatusView {
  uint16_t code = 0;
  std::string_view name, when;
};

struct CallView {
  uint16_t code = 0;
  std::string_view name, call_class, privilege;
  bool rep = false, implemented = false, documented_fast = false;
  std::vector<CallPartView> parts;       ///< implemented calls: those that are not empty
  std::vector<CallStatusView> statuses;  ///< documented for this call, success first
  std::vector<CallStatusView> common;    ///< how the engine refuses any call, in order
  std::vector<CallStatusView> refusals;  ///< how this call refuses, in order; where it is placed
};

/// None for a code that nobody has named.
std::optional<CallView> view_call(uint16_t code);
/// By number, or by name with or without "Hv" and "HvCall"; none if unknown.
std::optional<uint16_t> find_call_code(const std::string& subject);

std::string text(const CallView& view);
nlohmann::ordered_json json(const CallView& view);

}  // namespace vitrine::ui
