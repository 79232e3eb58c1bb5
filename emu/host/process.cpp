// Other programs by POSIX; elsewhere none is found.
#include "emu/host/process.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "emu/host/files.h"

#ifndef _WIN32
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#endif

namespace vitrine::emu::host {

bool is_x86_64() {
#if defined(__x86_64__) || defined(_M_X64)
  return true;
#else
  return false;
#endif
}

#ifdef _WIN32

std::optional<std::filesystem::path> find_program(std::string_view) { return std::nullopt; }

ProcessResult run_process(const std::vector<std::string>& arguments, const std::filesystem::path&) {
  throw HostError("cannot run " + arguments.front() + " on this system");
}

#else

std::optional<std::filesystem::path> find_program(std::string_view name) {
  const char* const found = std::getenv("PATH");
  std::string_view folders = found == nullptr ? "/usr/bin:/bin" : found;
  while (!folders.empty()) {
    const size_t end = std::min(folders.find(':'), folders.size());
    const std::filesystem::path path = std::filesystem::path(folders.substr(0, end)) / name;
    if (access(path.c_str(), X_OK) == 0) return path;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return std::nullopt;
}

namespace {

struct Pipe {
  Pipe() {
    if (pipe(ends.data()) != 0) throw HostError("cannot make a pipe");
  }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void shut(size_t which) {
    close(ends[which]);
    ends[which] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& folder,
                         const Pipe& out, const Pipe& errors) {
  constexpr int kCannotStart = 127;
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out.ends[1], STDOUT_FILENO);
  dup2(errors.ends[1], STDERR_FILENO);
  for (const Pipe* p : {&out, &errors}) {
    close(p->ends[0]);
    close(p->ends[1]);
  }
  if (!folder.empty() && chdir(folder.c_str()) != 0) _exit(kCannotStart);
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(kCannotStart);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::filesystem::path& folder) {
  Pipe out;
  Pipe errors;
  const std::string where = folder.string();
  const pid_t child = fork();
  if (child < 0) throw HostError("cannot start " + arguments.front());
  if (child == 0) become(arguments, where, out, errors);
  out.shut(1);
  errors.shut(1);
  ProcessResult result;
  std::array<pollfd, 2> open_ends = {pollfd{out.ends[0], POLLIN, 0},
                                     pollfd{errors.ends[0], POLLIN, 0}};
  const std::array<std::string*, 2> texts = {&result.output, &result.errors};
  while (open_ends[0].fd >= 0 || open_ends[1].fd >= 0) {
    if (poll(open_ends.data(), open_ends.size(), -1) < 0 && errno != EINTR) break;
    for (size_t i = 0; i < open_ends.size(); ++i) {
      if (open_ends[i].fd < 0 || open_ends[i].revents == 0) continue;
      std::array<char, 4096> bytes;
      const ssize_t count = read(open_ends[i].fd, bytes.data(), bytes.size());
      if (count > 0) {
        texts[i]->append(bytes.data(), static_cast<size_t>(count));
      } else if (count == 0 || errno != EINTR) {
        open_ends[i].fd = -1;
      }
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

#endif

}  // namespace vitrine::emu::host
