// `vitrine trace`: lists, filters and counts the events of a trace file.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <map>

#include "frontend/commands/commands.h"
#include "frontend/record/timeline.h"
#include "frontend/text.h"
#include "frontend/trace/trace_filter.h"
#include "frontend/trace/trace_reader.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;

std::string event_text(const TraceEvent& event) {
  constexpr size_t kCycleWidth = 15;
  constexpr size_t kKindWidth = 16;
  return pad_left(grouped(event.cycle), kCycleWidth) + "  cpu" + std::to_string(event.processor) +
         "  " + pad_right(event.kind, kKindWidth) + trace_fields(event.fields);
}

Json fields_json(const TraceFields& fields) {
  Json out = Json::object();
  for (const auto& [key, value] : fields) out[key] = value;
  return out;
}

Json event_json(const TraceEvent& event) {
  Json out = {{"cycle", event.cycle}, {"processor", event.processor}, {"kind", event.kind}};
  out.update(fields_json(event.fields));
  return out;
}

/// Events that the filter lets through, all without one.
ExitCode list(const CommandLine& line, const TraceFile& file, TraceFilter* filter) {
  Json events = Json::array();
  size_t found = 0;
  for (const TraceEvent& event : file.events) {
    if (filter != nullptr && !filter->matches(event)) continue;
    ++found;
    if (line.json) {
      events.push_back(event_json(event));
    } else {
      std::printf("%s\n", event_text(event).c_str());
    }
  }
  if (line.json) {
    const Json out = {{"schema", kSchema}, {"truncated", file.truncated}, {"events", events}};
    std::printf("%s\n", out.dump(2).c_str());
  }
  return filter != nullptr && found == 0 ? ExitCode::assertion_failed : ExitCode::success;
}

/// How many events of each sort: a kind, with the exit's reason or the call's name.
std::map<std::string, uint64_t> counts_of(const TraceFile& file) {
  std::map<std::string, uint64_t> counts;
  for (const TraceEvent& event : file.events) {
    std::string sort = event.kind;
    for (const std::string_view detail : {"reason", "name", "vector"}) {
      const std::string_view value = event.field(detail);
      if (!value.empty()) sort += " " + std::string(value);
    }
    ++counts[sort];
  }
  return counts;
}

void stat(const CommandLine& line, const TraceFile& file) {
  uint64_t last = 0;
  uint64_t first = file.events.empty() ? 0 : file.events.front().cycle;
  for (const TraceEvent& event : file.events) {
    first = std::min(first, event.cycle);
    last = std::max(last, event.cycle);
  }
  const auto counts = counts_of(file);
  if (line.json) {
    Json out = {{"schema", kSchema},
                {"truncated", file.truncated},
                {"config", fields_json(file.config)},
                {"images", Json::array()},
                {"events", file.events.size()},
                {"first_cycle", first},
                {"last_cycle", last}};
    for (const TraceFields& image : file.images) out["images"].push_back(fields_json(image));
    out["counts"] = counts;
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("config%s\n", trace_fields(file.config).c_str());
  for (const TraceFields& image : file.images)
    std::printf("image%s\n", trace_fields(image).c_str());
  std::printf("%zu events, cycles %s to %s%s\n", file.events.size(), grouped(first).c_str(),
              grouped(last).c_str(), file.truncated ? ", cut short" : "");
  Columns columns;
  for (const auto& [sort, count] : counts) columns.row({sort, grouped(count)});
  std::fputs(columns.text("  ").c_str(), stdout);
}

}  // namespace

void add_trace(CLI::App& command, CommandLine& line) {
  command.require_subcommand(1);
  const auto add = [&](const char* verb, const char* meaning) {
    CLI::App* const sub = command.add_subcommand(verb, meaning);
    sub->callback([&line, verb] { line.kind = verb; });
    sub->add_flag("--json", line.json, "print JSON");
    return sub;
  };
  add("ls", "every event")->add_option("file", line.file, "trace file")->required();
  CLI::App* const grep =
      add("grep", "events for which an expression holds, or that contain a text");
  grep->add_option("pattern", line.pattern, "expression or text")->required();
  grep->add_option("file", line.file, "trace file")->required();
  add("stat", "how many events of each sort")
      ->add_option("file", line.file, "trace file")
      ->required();
}

ExitCode trace_command(CommandLine& line) {
  const TraceFile file = read_trace(line.file);
  if (file.truncated && !line.json) {
    std::fprintf(stderr, "vitrine: the last line of '%s' is cut short and left out\n",
                 line.file.c_str());
  }
  if (line.kind == "stat") {
    stat(line, file);
    return ExitCode::success;
  }
  if (line.kind == "ls") return list(line, file, nullptr);
  TraceFilter filter(line.pattern);
  return list(line, file, &filter);
}

}  // namespace vitrine::ui
