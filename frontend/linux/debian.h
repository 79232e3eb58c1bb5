// Debian's own kernel and busybox, fetched once into the user's cache.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace vitrine::ui {

struct LinuxFiles {
  std::string name;  ///< of the kernel: "vmlinuz-6.1.0-50-cloud-amd64"
  std::vector<std::byte> kernel;
  std::vector<std::byte> initrd;
};

/// From the cache, or fetched into it by apt without rights. Throws UsageError with one sentence that says
/// which files to give instead.
LinuxFiles linux_files();

/// The versioned package that a metapackage depends on, out of `apt-cache depends`; empty if there is none.
std::string versioned_package(const std::string& depends);

inline constexpr const char* kLinuxCommandLine = "console=ttyS0";

}  // namespace vitrine::ui
