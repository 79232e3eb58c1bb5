// The trace file: text, one event per line, under a header that says which run it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitrine::ui {

// vitrine-trace 1
// config memory=536870912 processors=1 …
// image role=hv name=vitrine-hv.elf sha256=…
// 1234567 0 partition id=2 from=active to=finalizing symbol="hv: finalize+0x1c"
//
// The number after the cycle is the processor. A value with spaces, quotes or nothing in it is quoted; `\"`
// and `\\` stand for the characters themselves. The file ends with an event of kind `end`.
inline constexpr std::string_view kTraceMagic = "vitrine-trace";
inline constexpr uint64_t kTraceVersion = 1;

using TraceFields = std::vector<std::pair<std::string, std::string>>;

struct TraceEvent {
  uint64_t cycle = 0;
  uint32_t processor = 0;
  std::string kind;
  TraceFields fields;

  /// Empty when there is no such field.
  std::string_view field(std::string_view name) const;
};

/// One line without its end.
std::string trace_line(const TraceEvent& event);
/// " key=value" for each.
std::string trace_fields(const TraceFields& fields);

}  // namespace vitrine::ui
