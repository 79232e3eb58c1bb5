// Lines of a trace file.
#include "frontend/trace/trace_format.h"

namespace vitrine::ui {

namespace {

bool plain(std::string_view value) {
  return !value.empty() && value.find_first_of(" \"\\\n") == std::string_view::npos;
}

std::string quoted(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

}  // namespace

std::string_view TraceEvent::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

std::string trace_fields(const TraceFields& fields) {
  std::string out;
  for (const auto& [key, value] : fields) {
    out += " " + key + "=" + (plain(value) ? value : quoted(value));
  }
  return out;
}

std::string trace_line(const TraceEvent& event) {
  return std::to_string(event.cycle) + " " + std::to_string(event.processor) + " " + event.kind +
         trace_fields(event.fields);
}

}  // namespace vitrine::ui
