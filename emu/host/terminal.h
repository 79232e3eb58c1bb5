// The terminal: raw keyboard input while a guest's serial line is in front, restored at the end.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace vitrine::emu::host {

/// While it lives, standard input delivers single bytes without echo if it is a terminal.
/// Restores the terminal when destroyed.
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  /// Bytes that have arrived; waits at most `wait_ms`. `ended()` turns true at end of input.
  std::vector<uint8_t> poll(int wait_ms);
  bool ended() const { return ended_; }

 private:
  bool raw_ = false;
  bool ended_ = false;
};

bool stdin_is_terminal();
bool stdout_is_terminal();
/// Seconds of a monotonic host clock, for progress lines only.
double host_seconds();

}  // namespace vitrine::emu::host
