// RandomFile on the standard streams.
#include "emu/host/random_file.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace vitrine::emu::host {

RandomFile::RandomFile(const std::filesystem::path& path, bool writable) : path_(path) {
  const std::string shown = "'" + path.string() + "'";
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw HostError(shown + " is a folder, not a file");
  }
  const auto reading = std::ios::binary | std::ios::in;
  stream_.open(path, writable ? reading | std::ios::out : reading);
  if (!stream_) {
    throw HostError((writable ? "cannot open for writing " : "cannot read ") + shown + ": " +
                    std::strerror(errno));
  }
  stream_.seekg(0, std::ios::end);
  const auto size = static_cast<std::streamoff>(stream_.tellg());
  if (!stream_ || size < 0) throw HostError("cannot read " + shown + ": it has no size");
  bytes_ = static_cast<uint64_t>(size);
}

void RandomFile::read(uint64_t offset, std::span<std::byte> out) {
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(offset));
  stream_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
  if (!stream_) throw HostError("cannot read all of '" + path_.string() + "'");
}

void RandomFile::write(uint64_t offset, std::span<const std::byte> in) {
  stream_.clear();
  stream_.seekp(static_cast<std::streamoff>(offset));
  stream_.write(reinterpret_cast<const char*>(in.data()), static_cast<std::streamsize>(in.size()));
  if (!stream_) throw HostError("cannot write all of '" + path_.string() + "'");
}

void RandomFile::flush() {
  stream_.flush();
  if (!stream_) throw HostError("cannot write all of '" + path_.string() + "'");
}

}  // namespace vitrine::emu::host
