// RandomFile: a file read and written at any place, for disk images too large to hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>

#include "emu/host/files.h"

namespace vitrine::emu::host {

/// Every function throws HostError, naming the file.
class RandomFile {
 public:
  RandomFile(const std::filesystem::path& path, bool writable);

  const std::filesystem::path& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }
  /// The range must lie inside.
  void read(uint64_t offset, std::span<std::byte> out);
  void write(uint64_t offset, std::span<const std::byte> in);
  void flush();

 private:
  std::filesystem::path path_;
  std::fstream stream_;
  uint64_t bytes_ = 0;
};

}  // namespace vitrine::emu::host
