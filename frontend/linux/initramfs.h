// Initramfs: a small root file system for a kernel, as the archive that kernels unpack at boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::ui {

/// Linux "initramfs buffer format", the "newc" archive: headers of 8-digit hexadecimal fields, names and
/// contents aligned to 4. Owner, time and numbers are fixed, so that the same content gives the same bytes.
class CpioWriter {
 public:
  void folder(std::string_view name);
  void file(std::string_view name, std::span<const std::byte> bytes, bool executable);
  void character_device(std::string_view name, uint32_t major, uint32_t minor);
  /// Ends the archive.
  std::vector<std::byte> take();

 private:
  struct Entry {
    uint32_t mode = 0, links = 1, major = 0, minor = 0;
  };
  void add(std::string_view name, const Entry& entry, std::span<const std::byte> bytes);
  void text(std::string_view text);
  void align();

  std::vector<std::byte> out_;
  uint32_t next_inode_ = 1;
};

/// busybox, and an /init that ends in a shell on the serial line; leaving the shell powers off.
std::vector<std::byte> make_initramfs(std::span<const std::byte> busybox);

}  // namespace vitrine::ui
