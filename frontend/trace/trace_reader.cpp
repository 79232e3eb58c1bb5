// TraceFile: parsing, line by line.
#include "frontend/trace/trace_reader.h"

#include <charconv>
#include <optional>

#include "emu/host/files.h"
#include "frontend/options.h"

namespace vitrine::ui {

namespace {

/// Takes text up to the next space; the space is taken too.
std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <class T>
std::optional<T> number(std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<std::string> take_value(std::string_view& line) {
  if (line.empty() || line.front() != '"') return std::string(take_word(line));
  line.remove_prefix(1);
  std::string value;
  while (!line.empty() && line.front() != '"') {
    if (line.front() == '\\') line.remove_prefix(1);
    if (line.empty()) return std::nullopt;
    value += line.front();
    line.remove_prefix(1);
  }
  if (line.empty()) return std::nullopt;
  line.remove_prefix(1);
  if (!line.empty() && line.front() != ' ') return std::nullopt;
  if (!line.empty()) line.remove_prefix(1);
  return value;
}

std::optional<TraceFields> take_fields(std::string_view line) {
  TraceFields fields;
  while (!line.empty()) {
    const size_t equals = line.find_first_of("= \"");
    if (equals == 0 || equals == std::string_view::npos || line[equals] != '=') return std::nullopt;
    std::string key(line.substr(0, equals));
    line.remove_prefix(equals + 1);
    auto value = take_value(line);
    if (!value) return std::nullopt;
    fields.emplace_back(std::move(key), std::move(*value));
  }
  return fields;
}

std::optional<TraceEvent> parse_event(std::string_view line) {
  const auto cycle = number<uint64_t>(take_word(line));
  const auto processor = number<uint32_t>(take_word(line));
  const std::string_view kind = take_word(line);
  if (!cycle || !processor || kind.empty() || kind.find('=') != std::string_view::npos) {
    return std::nullopt;
  }
  auto fields = take_fields(line);
  if (!fields) return std::nullopt;
  return TraceEvent{*cycle, *processor, std::string(kind), std::move(*fields)};
}

class Parser {
 public:
  explicit Parser(const std::string& name) : name_(name) {}

  void line(std::string_view text) {
    ++line_;
    if (line_ == 1) {
      check_magic(text);
    } else if (text.starts_with("config ")) {
      file_.config = header(text, "config ");
    } else if (text.starts_with("image ")) {
      file_.images.push_back(header(text, "image "));
    } else {
      auto event = parse_event(text);
      if (!event) fail("'" + std::string(text.substr(0, 40)) + "' is not an event");
      file_.events.push_back(std::move(*event));
    }
  }
  TraceFile finish(bool truncated) {
    if (line_ == 0) fail("it has no complete line");
    file_.truncated = truncated;
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw UsageError("'" + name_ + "' is not a trace: line " + std::to_string(line_) + ": " + why);
  }
  void check_magic(std::string_view text) const {
    const std::string_view magic = take_word(text);
    if (magic != kTraceMagic) {
      fail("it does not begin with '" + std::string(kTraceMagic) + "'");
    }
    if (number<uint64_t>(text) != kTraceVersion) {
      fail("version '" + std::string(text.substr(0, 20)) + "' is not the one known here, " +
           std::to_string(kTraceVersion));
    }
  }
  TraceFields header(std::string_view text, std::string_view word) const {
    auto fields = take_fields(text.substr(word.size()));
    if (!fields) fail("the header is not 'key=value …'");
    return *fields;
  }

  const std::string& name_;
  size_t line_ = 0;
  TraceFile file_;
};

}  // namespace

TraceFile parse_trace(std::string_view text, const std::string& name) {
  Parser parser(name);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return parser.finish(true);
    parser.line(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return parser.finish(false);
}

TraceFile read_trace(const std::string& path) {
  const auto bytes = emu::host::read_file(path);
  return parse_trace({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace vitrine::ui
