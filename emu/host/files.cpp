// Whole files in and out through the standard streams.
#include "emu/host/files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>

namespace vitrine::emu::host {

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const std::string shown = "'" + path.string() + "'";
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw HostError(shown + " is a folder, not a file");
  }
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw HostError("cannot read " + shown + ": " + std::strerror(errno));
  const auto size = static_cast<std::streamoff>(in.tellg());
  if (size < 0) throw HostError("cannot read " + shown + ": it has no size");
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!in) throw HostError("cannot read all of " + shown);
  return bytes;
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::string shown = "'" + path.string() + "'";
  std::filesystem::path temporary = path;
  temporary += ".part";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) throw HostError("cannot write " + shown + ": " + std::strerror(errno));
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.flush();
    if (!out) throw HostError("cannot write all of " + shown);
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) throw HostError("cannot write " + shown + ": " + error.message());
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span{text.data(), text.size()}));
}

std::filesystem::path program_folder() {
#ifdef _WIN32
  return std::filesystem::current_path();
#else
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : program.parent_path();
#endif
}

std::filesystem::path cache_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != 0) return std::filesystem::path(cache) / "vitrine";
  const char* const home = std::getenv("HOME");
  if (home == nullptr || *home == 0) return {};
  return std::filesystem::path(home) / ".cache" / "vitrine";
}

}  // namespace vitrine::emu::host
