// Any text where the program reads text: expressions, recordings, traces and their filters.
#include <string>

#include "emu/arch/require.h"
#include "emu/machine/input_log.h"
#include "frontend/expression/expression.h"
#include "frontend/options.h"
#include "frontend/trace/trace_filter.h"
#include "frontend/trace/trace_reader.h"
#include "tests/fuzz/input.h"

namespace {

using namespace vitrine;
using emu::require;

/// Terms are worth whatever was asked of them last.
class Echo final : public ui::TermSource {
 public:
  uint64_t value(ui::Term term, const ui::TermArguments& arguments) override {
    last_ = last_ * 31 + static_cast<uint64_t>(term) + arguments.numbers[0];
    return last_ % 5;
  }

 private:
  uint64_t last_ = 0;
};

void expression(std::string_view text) {
  try {
    ui::Expression parsed = ui::Expression::parse(text);
    Echo source;
    for (int i = 0; i < 3; ++i) static_cast<void>(parsed.holds(source));
    static_cast<void>(parsed.cycle_limit());
  } catch (const ui::ExpressionError& error) {
    require(std::string_view(error.what()).find('^') != std::string_view::npos,
            "a mistake is pointed at");
  }
}

void recording(std::string_view text) {
  std::string why;
  const auto log = emu::InputLog::parse(text, why);
  require(log.has_value() == why.empty(), "a refusal says why");
  if (!log) return;
  const auto again = emu::InputLog::parse(log->text(), why);
  require(again && again->events() == log->events(), "a recording survives its text form");
}

void trace(std::string_view text, std::string_view pattern) {
  try {
    const ui::TraceFile file = ui::parse_trace(text, "fuzzed");
    ui::TraceFilter filter{std::string(pattern)};
    for (const ui::TraceEvent& event : file.events) static_cast<void>(filter.matches(event));
  } catch (const ui::UsageError& error) {
    require(!std::string(error.what()).empty(), "a refusal says why");
  } catch (const ui::ExpressionError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  test::Input in(data, bytes);
  const auto what = in.take<char>();
  std::string_view text = in.text();
  switch (what) {
    case 'e': expression(text); break;
    case 'r': recording(text); break;
    case 't': {
      const std::string_view pattern = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), pattern.size() + 1));
      trace(text, pattern);
      break;
    }
    default: break;
  }
  return 0;
}
