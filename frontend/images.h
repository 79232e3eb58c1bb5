// Images: the files a run boots, by name (those we ship) or by path, with their hashes and symbols.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "emu/machine/boot/boot.h"
#include "frontend/options.h"
#include "frontend/symbols.h"

namespace vitrine::ui {

/// Which image an address belongs to, as expressions and timelines name it.
struct LoadedImage {
  std::string role;  ///< "hv", "root" or "child"
  std::string name;  ///< file name
  std::string sha256;
  SymbolTable symbols;
};

/// What to boot, and what is known about it.
struct BootPlan {
  emu::BootRequest request;
  std::vector<LoadedImage> images;

  const LoadedImage* image(std::string_view role) const;
};

/// Folder of the images we ship: beside the program, in images/.
std::filesystem::path image_folder();
/// Throws UsageError or HostError, naming what is missing.
BootPlan plan_boot(const RunOptions& options);

/// SHA-256 as 64 hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

}  // namespace vitrine::ui
