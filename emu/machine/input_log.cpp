// InputLog: the text form of a recording.
#include "emu/machine/input_log.h"

#include <array>
#include <charconv>

namespace vitrine::emu {

namespace {

constexpr std::string_view kHeader = "vitrine-input 1";
constexpr std::array<std::string_view, 3> kPorts = {"serial", "keyboard", "console"};
constexpr std::string_view kHex = "0123456789abcdef";

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& line) {
  const size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

std::optional<std::vector<uint8_t>> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kHex.find(text[i]);
    const size_t low = kHex.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return bytes;
}

}  // namespace

std::string InputLog::text() const {
  std::string out(kHeader);
  out += '\n';
  for (const InputEvent& event : events_) {
    out += std::to_string(event.when.value);
    out += ' ';
    out += kPorts[static_cast<size_t>(event.port)];
    out += ' ';
    for (const uint8_t byte : event.bytes) {
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    out += '\n';
  }
  return out;
}

std::optional<InputLog> InputLog::parse(std::string_view text, std::string& why) {
  InputLog log;
  if (take_line(text) != kHeader) {
    why = "it does not begin with '" + std::string(kHeader) + "'";
    return std::nullopt;
  }
  Cycle last{0};
  for (int number = 2; !text.empty(); ++number) {
    std::string_view line = take_line(text);
    if (line.empty()) continue;
    const std::string_view cycle = take_word(line);
    const std::string_view port = take_word(line);
    InputEvent event;
    const auto [end, error] =
        std::from_chars(cycle.data(), cycle.data() + cycle.size(), event.when.value);
    size_t index = 0;
    while (index < kPorts.size() && kPorts[index] != port) ++index;
    const auto bytes = parse_hex(line);
    const bool number_ok = error == std::errc{} && end == cycle.data() + cycle.size();
    if (!number_ok || index == kPorts.size() || !bytes || event.when < last) {
      why = "line " + std::to_string(number) + " is not 'cycle port hex' in ascending order";
      return std::nullopt;
    }
    last = event.when;
    event.port = static_cast<InputPort>(index);
    event.bytes = *bytes;
    log.add(std::move(event));
  }
  return log;
}

}  // namespace vitrine::emu
