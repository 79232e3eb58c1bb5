// Loader: what the boot protocols share: placing bytes in free RAM and the entry states they promise.
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "emu/arch/require.h"
#include "emu/machine/boot/boot.h"
#include "emu/machine/boot/elf_file.h"

namespace vitrine::emu {

class Loader {
 public:
  Loader(Bus& bus, const std::vector<MemoryRegion>& map, Hpa rsdp, Cpu& cpu,
         std::string_view name);

  /// Copies to a fixed place; throws BootError when that is not usable RAM.
  void place_at(Hpa address, std::span<const std::byte> bytes, uint64_t memory_size);
  /// Copies behind everything placed so far, page aligned.
  Hpa place(std::span<const std::byte> bytes);
  /// Loads all segments of an executable.
  void place_elf(const ElfFile& elf);
  /// Reserves `bytes` in low memory (below 640 KiB) for protocol structures, 16-byte aligned.
  Hpa place_low(std::span<const std::byte> bytes);

  /// 32-bit protected mode without paging, flat segments, interrupts off: multiboot and PVH.
  void enter_protected(uint64_t entry);
  /// 64-bit mode with the first 512 GiB identity-mapped by 1 GiB pages: the Linux 64-bit protocol.
  void enter_long(uint64_t entry);

  Bus& bus;
  const std::vector<MemoryRegion>& map;
  Hpa rsdp;
  Cpu& cpu;

 private:
  // What boot code that comes from BIOS days looks up in the BIOS data area: the serial port, the
  // extended area at the end of conventional memory, and the size of what is below it.
  void place_bios_data();

  std::string name_;
  uint64_t next_free_ = 0x100000;
  uint64_t next_low_ = 0x8000;
};

/// Appends little-endian structures to a growing byte image.
class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    const size_t at = data.size();
    data.resize(at + sizeof(T));
    set(at, value);
  }
  void text(std::string_view s) {
    for (const char c : s) put(c);
    put('\0');
  }
  void align(size_t alignment) {
    while (data.size() % alignment != 0) put(uint8_t{0});
  }
  template <class T>
  void set(size_t offset, T value) {
    require(offset + sizeof(T) <= data.size(), "set() overwrites what was put");
    std::memcpy(data.data() + offset, &value, sizeof(T));
  }

  std::vector<std::byte> data;
};

void boot_multiboot2(Loader& loader, const BootRequest& request, BootResult& result);
void boot_multiboot1(Loader& loader, const BootRequest& request, BootResult& result);
void boot_pvh(Loader& loader, const BootRequest& request, BootResult& result);
void boot_linux(Loader& loader, const BootRequest& request, BootResult& result);
void boot_elf64(Loader& loader, const BootRequest& request, BootResult& result);

/// Offset of the multiboot header in the image, or npos.
inline constexpr size_t kNoHeader = ~size_t{0};
size_t find_multiboot1(std::span<const std::byte> image);
size_t find_multiboot2(std::span<const std::byte> image);

}  // namespace vitrine::emu
