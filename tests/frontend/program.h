// Running the built `vitrine` program itself from a test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "emu/host/files.h"
#include "emu/host/process.h"

namespace vitrine::test {

/// The program in the build folder that the test program lies in.
inline std::filesystem::path vitrine_program() {
  for (auto folder = emu::host::program_folder(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (std::filesystem::is_regular_file(folder / "vitrine")) return folder / "vitrine";
  }
  return "vitrine";
}

inline emu::host::ProcessResult run_vitrine(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), vitrine_program().string());
  return emu::host::run_process(arguments);
}

/// A folder of the test's own, empty at first and removed at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(emu::host::program_folder() / (name + ".tmp")) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace vitrine::test
