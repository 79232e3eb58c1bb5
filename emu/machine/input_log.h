// InputLog: everything that enters the machine from outside, stamped with the cycle it took effect.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emu/arch/types.h"

namespace vitrine::emu {

/// Where input goes.
enum class InputPort : uint8_t { serial = 0, keyboard = 1, console = 2 };

struct InputEvent {
  Cycle when;
  InputPort port{};
  std::vector<uint8_t> bytes;

  friend bool operator==(const InputEvent&, const InputEvent&) = default;
};

/// Events in the order they took effect. The text form is one line per event, `cycle port hex`, under
/// a version line, so that a recording can be read and edited.
class InputLog {
 public:
  void add(InputEvent event) { events_.push_back(std::move(event)); }
  const std::vector<InputEvent>& events() const { return events_; }

  std::string text() const;
  /// None, with a sentence in `why`, for text that is not a recording.
  static std::optional<InputLog> parse(std::string_view text, std::string& why);

 private:
  std::vector<InputEvent> events_;
};

}  // namespace vitrine::emu
