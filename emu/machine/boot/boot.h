// Booting: recognises an image by its bytes, loads it with its modules, and sets the first processor up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "emu/arch/types.h"
#include "emu/cpu/cpu.h"
#include "emu/machine/memory_map.h"

namespace vitrine::emu {

/// A file that cannot be booted: one sentence that says why and what to give instead.
class BootError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct BootModule {
  std::vector<std::byte> bytes;
  std::string command_line;
};

struct BootRequest {
  std::vector<std::byte> image;
  std::string name;          ///< for messages
  std::string command_line;
  std::vector<std::byte> initrd;      ///< bzImage; PVH: passed as the first module
  std::vector<BootModule> modules;    ///< multiboot and PVH
};

enum class ImageKind : uint8_t { bzimage, multiboot2, multiboot1, pvh, elf64 };
std::string_view image_kind_name(ImageKind kind);

/// Throws BootError for anything that is not one of the kinds, naming what it looks like.
ImageKind recognise(std::span<const std::byte> image, std::string_view name);

/// Throws BootError for bytes that cannot be reset into: a firmware image ends with the reset vector.
void check_firmware(std::span<const std::byte> image, std::string_view name);

/// Where things went, for symbols and messages.
struct BootResult {
  ImageKind kind{};
  uint64_t entry = 0;
};

/// Loads and prepares `cpu` (already reset) to execute the image's first instruction.
/// Throws BootError when it does not fit.
BootResult boot(const BootRequest& request, Bus& bus, const std::vector<MemoryRegion>& map,
                Hpa rsdp, Cpu& cpu);

}  // namespace vitrine::emu
