// A program at a terminal of its own, as a person would use it: what it prints is read, what is typed arrives in pieces.
#pragma once

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace vitrine::test {

class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments, uint64_t seed) : random_(seed) {
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    child_ = forkpty(&file_, nullptr, nullptr, nullptr);
    if (child_ == 0) {
      execv(words[0], words.data());
      _exit(127);
    }
  }
  ~Terminal() {
    if (child_ > 0 && !ended_) kill(child_, SIGKILL);
    if (child_ > 0 && !ended_) waitpid(child_, nullptr, 0);
    close(file_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& text() const { return text_; }

  /// Reads until the program has printed `words` behind everything waited for before; false after `seconds`.
  bool wait_for(const std::string& words, int seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!closed_ && std::chrono::steady_clock::now() < end) {
      const size_t found = text_.find(words, seen_);
      if (found != std::string::npos) {
        seen_ = found + words.size();
        return true;
      }
      read_for(50);
    }
    const size_t found = text_.find(words, seen_);
    if (found == std::string::npos) return false;
    seen_ = found + words.size();
    return true;
  }

  /// Types in pieces of random length with random pauses between them.
  void type(const std::string& keys) {
    for (size_t at = 0; at < keys.size();) {
      read_for(static_cast<int>(random_() % 40));
      const size_t count = std::min<size_t>(1 + random_() % 5, keys.size() - at);
      if (write(file_, keys.data() + at, count) < 0) return;
      at += count;
    }
  }

  /// Reads to the program's end; its exit code, or -1 when it does not end in time.
  int exit_code(int seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    int status = 0;
    while (waitpid(child_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > end) return -1;
      read_for(20);
    }
    ended_ = true;
    while (!closed_ && read_for(20)) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  bool read_for(int wait_ms) {
    pollfd in{file_, POLLIN, 0};
    if (::poll(&in, 1, wait_ms) <= 0) return false;
    char bytes[4096];
    const ssize_t count = read(file_, bytes, sizeof bytes);
    if (count <= 0) {
      closed_ = true;
      usleep(1000);
      return false;
    }
    text_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  std::mt19937_64 random_;
  int file_ = -1;
  pid_t child_ = -1;
  bool ended_ = false, closed_ = false;
  std::string text_;
  size_t seen_ = 0;
};

}  // namespace vitrine::test
