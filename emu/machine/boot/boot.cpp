// Recognising images by their bytes, and naming what cannot be booted.
#include "emu/machine/boot/boot.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "emu/machine/boot/elf_file.h"
#include "emu/machine/boot/loader.h"

namespace vitrine::emu {

namespace {

bool has(std::span<const std::byte> image, size_t offset, std::string_view magic) {
  return image.size() >= offset + magic.size() &&
         std::memcmp(image.data() + offset, magic.data(), magic.size()) == 0;
}

struct Refusal {
  size_t offset;
  std::string_view magic;
  std::string_view sentence;
};

// clang-format off
constexpr std::array<Refusal, 8> kRefusals = {{
    {0, "MZ", "is a PE/EFI application; give the kernel's bzImage, multiboot or ELF file instead"},
    {0x8001, "CD001", "is an ISO image; give the kernel file that is on it instead"},
    {0x28, "_FVH", "is a firmware volume; give a kernel, multiboot or ELF image instead"},
    {0, "\x1F\x8B", "is gzip data; uncompress it first, or pass it as --initrd"},
    {0, "\xFD" "7zXZ", "is xz data; uncompress it first"},
    {0, "070701", "is a cpio archive; pass it as --initrd"},
    {0, "QFI\xFB", "is a qcow2 disk; give a raw disk with --disk and a kernel to boot"},
    {0, "#!", "is a script, not a machine image"},
}};
// clang-format on

std::string quoted(std::string_view name) { return "'" + std::string(name) + "' "; }

void refuse_by_name(std::span<const std::byte> image, const std::string& file) {
  for (const Refusal& refusal : kRefusals) {
    if (has(image, refusal.offset, refusal.magic)) {
      throw BootError(file + std::string(refusal.sentence));
    }
  }
}

}  // namespace

std::string_view image_kind_name(ImageKind kind) {
  constexpr std::array<std::string_view, 5> kNames = {"bzImage", "multiboot2", "multiboot", "PVH",
                                                      "ELF64"};
  return kNames[static_cast<size_t>(kind)];
}

void check_firmware(std::span<const std::byte> image, std::string_view name) {
  constexpr size_t kVector = 16;  // bytes behind the address of the first instruction
  const std::string file = quoted(name);
  const bool kernel = has(image, 0, "\x7F" "ELF") || has(image, 0x202, "HdrS");
  if (kernel) throw BootError(file + "is an image to boot; give it without --firmware");
  refuse_by_name(image, file);
  if (image.size() < kVector) throw BootError(file + "is too short for a reset vector");
  const auto vector = image.last(kVector);
  const auto blank = [&](uint8_t value) {
    return std::all_of(vector.begin(), vector.end(),
                       [value](std::byte b) { return b == std::byte{value}; });
  };
  if (blank(0) || blank(0xFF)) {
    throw BootError(file + "is no firmware: there is no instruction at its reset vector, 16 bytes "
                           "before its end");
  }
}

ImageKind recognise(std::span<const std::byte> image, std::string_view name) {
  const std::string file = quoted(name);
  if (image.empty()) throw BootError(file + "is empty");
  if (has(image, 0x202, "HdrS") && has(image, 0x1FE, "\x55\xAA")) return ImageKind::bzimage;
  if (has(image, 0, "\x7F" "ELF")) {
    std::string why;
    const auto elf = ElfFile::parse(image, why);
    if (!elf) throw BootError(file + "cannot be booted: " + why);
    if (find_multiboot2(image) != kNoHeader) return ImageKind::multiboot2;
    if (find_multiboot1(image) != kNoHeader) return ImageKind::multiboot1;
    if (elf->pvh_entry()) return ImageKind::pvh;
    if (elf->is64()) return ImageKind::elf64;
    throw BootError(file + "is a 32-bit ELF file without a multiboot header or PVH note");
  }
  refuse_by_name(image, file);
  if (find_multiboot2(image) != kNoHeader) return ImageKind::multiboot2;
  if (find_multiboot1(image) != kNoHeader) return ImageKind::multiboot1;
  throw BootError(file +
                  "is no image this machine can boot; give a bzImage, multiboot, PVH or ELF64 file");
}

BootResult boot(const BootRequest& request, Bus& bus, const std::vector<MemoryRegion>& map,
                Hpa rsdp, Cpu& cpu) {
  BootResult result;
  result.kind = recognise(request.image, request.name);
  Loader loader(bus, map, rsdp, cpu, request.name);
  switch (result.kind) {
    case ImageKind::bzimage: boot_linux(loader, request, result); break;
    case ImageKind::multiboot2: boot_multiboot2(loader, request, result); break;
    case ImageKind::multiboot1: boot_multiboot1(loader, request, result); break;
    case ImageKind::pvh: boot_pvh(loader, request, result); break;
    case ImageKind::elf64: boot_elf64(loader, request, result); break;
  }
  return result;
}

}  // namespace vitrine::emu
