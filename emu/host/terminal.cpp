// The terminal on POSIX; elsewhere standard input is read as it comes.
#include "emu/host/terminal.h"

#include <chrono>

#ifdef _WIN32
#include <io.h>
#else
#include <poll.h>
#include <termios.h>
#include <unistd.h>
#endif

namespace vitrine::emu::host {

#ifdef _WIN32
RawTerminal::RawTerminal() = default;
RawTerminal::~RawTerminal() = default;
std::vector<uint8_t> RawTerminal::poll(int) { return {}; }
bool stdin_is_terminal() { return _isatty(0) != 0; }
bool stdout_is_terminal() { return _isatty(1) != 0; }
#else
namespace {

// Kept outside the class so that the header needs no POSIX types.
termios& saved_settings() {
  static termios settings{};
  return settings;
}

}  // namespace

RawTerminal::RawTerminal() {
  if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &saved_settings()) != 0) return;
  termios raw = saved_settings();
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
  raw_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (raw_) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings());
}

std::vector<uint8_t> RawTerminal::poll(int wait_ms) {
  std::vector<uint8_t> bytes;
  if (ended_) return bytes;
  pollfd in{STDIN_FILENO, POLLIN, 0};
  if (::poll(&in, 1, wait_ms) <= 0) return bytes;
  bytes.resize(256);
  const auto count = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (count <= 0) {
    ended_ = true;
    bytes.clear();
  } else {
    bytes.resize(static_cast<size_t>(count));
  }
  return bytes;
}

bool stdin_is_terminal() { return isatty(STDIN_FILENO) != 0; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }
#endif

double host_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace vitrine::emu::host
