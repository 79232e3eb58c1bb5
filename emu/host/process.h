// Other programs of the host: whether they are there, and running them. Nothing a guest sees depends on it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::emu::host {

struct ProcessResult {
  int exit_code = 0;   ///< 128 + signal when a signal ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// The program's path, as a shell would find it.
std::optional<std::filesystem::path> find_program(std::string_view name);
/// Runs `arguments[0]` in `folder` (empty: here) with empty standard input, and waits.
/// Throws HostError when it cannot be started.
ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::filesystem::path& folder = {});
/// Whether this program itself runs on an x86-64 processor.
bool is_x86_64();

}  // namespace vitrine::emu::host
