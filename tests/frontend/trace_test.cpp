// Trace files: what is written reads back, what is broken is refused in one sentence, and filters.
#include <catch2/catch.hpp>

#include "frontend/options.h"
#include "frontend/trace/trace_filter.h"
#include "frontend/trace/trace_reader.h"

using namespace vitrine::ui;

namespace {

constexpr const char* kHead = "vitrine-trace 1\nconfig memory=4194304 processors=1\n";

TraceFile parse(const std::string& text) { return parse_trace(text, "x.vtr"); }

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TraceEvent state_event(uint64_t cycle, const std::string& from, const std::string& to) {
  return {cycle, 0, "partition", {{"id", "2"}, {"from", from}, {"to", to}, {"pool", "7"}}};
}

}  // namespace

TEST_CASE("an event reads back as it was written, whatever its values hold", "[trace]") {
  const TraceEvent event{12,
                         3,
                         "partition",
                         {{"id", "2"}, {"symbol", "hv: a \"b\" \\ c"}, {"none", ""}, {"x", "a=b"}}};
  const TraceFile file = parse(kHead + trace_line(event) + "\n");
  REQUIRE(file.events.size() == 1);
  CHECK(file.events[0].cycle == 12);
  CHECK(file.events[0].processor == 3);
  CHECK(file.events[0].kind == "partition");
  CHECK(file.events[0].fields == event.fields);
  CHECK(file.config == TraceFields{{"memory", "4194304"}, {"processors", "1"}});
  CHECK_FALSE(file.truncated);
}

TEST_CASE("a last line without its end is left out and reported", "[trace]") {
  const TraceFile file = parse(std::string(kHead) + "1 0 end\n2 0 exi");
  CHECK(file.truncated);
  CHECK(file.events.size() == 1);
}

TEST_CASE("anything else that is not a trace is refused with its line", "[trace]") {
  CHECK(refusal("") == "'x.vtr' is not a trace: line 0: it has no complete line");
  CHECK(refusal("ELF\n") ==
        "'x.vtr' is not a trace: line 1: it does not begin with 'vitrine-trace'");
  CHECK(refusal("vitrine-trace 9\n") ==
        "'x.vtr' is not a trace: line 1: version '9' is not the one known here, 1");
  CHECK(refusal(std::string(kHead) + "one 0 end\n") ==
        "'x.vtr' is not a trace: line 3: 'one 0 end' is not an event");
  CHECK(refusal(std::string(kHead) + "1 0 end x\n") != "accepted");
  CHECK(refusal(std::string(kHead) + "1 0 end x=\"open\n") != "accepted");
  CHECK(refusal(std::string(kHead) + "1 0 end =y\n") != "accepted");
  CHECK(refusal(std::string(kHead) + "\n") != "accepted");
}

TEST_CASE("a filter is an expression that follows states, or else a text", "[trace]") {
  const TraceEvent begins = state_event(10, "active", "finalizing");
  const TraceEvent other{20, 0, "exit", {{"reason", "ept_violation"}}};
  const TraceEvent ends = state_event(30, "finalizing", "finalized");
  const auto found = [&](const std::string& pattern) {
    TraceFilter filter(pattern);
    std::string hits;
    for (const TraceEvent* e : {&begins, &other, &ends}) hits += filter.matches(*e) ? 'x' : '.';
    return hits;
  };
  CHECK(found("partition(2).state == finalizing") == "xx.");
  CHECK(found("partition(2).state -> finalized") == "..x");
  CHECK(found("partition(3).state == finalizing") == "...");
  CHECK(found("exit(ept_violation)") == ".x.");
  CHECK(found("cycle >= 20 && cycle < 30") == ".x.");
  CHECK(found("finalizing") == "x.x");
  CHECK(found("no such text (") == "...");
}
