// TraceFile: a trace read back, every line checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/trace/trace_format.h"

namespace vitrine::ui {

struct TraceFile {
  TraceFields config;
  std::vector<TraceFields> images;
  std::vector<TraceEvent> events;
  bool truncated = false;  ///< the last line had no end and was left out
};

/// `name` is for the message. Throws UsageError with one sentence for anything that is not a trace;
/// only an unfinished last line is forgiven.
TraceFile parse_trace(std::string_view text, const std::string& name);
TraceFile read_trace(const std::string& path);

}  // namespace vitrine::ui
