// Reads the boot information of multiboot2 or PVH and calls payload_main().
#include "roms/kit/boot.h"

#include "roms/kit/serial.h"

namespace vitrine::kit {
namespace {

BootInformation information;

constexpr std::uint32_t kMultiboot2Loader = 0x36D76289;
constexpr std::uint32_t kPvhMagic = 0x336EC578;
constexpr std::uint32_t kUsableRam = 1;  // in E820, multiboot2 and PVH alike

template <typename T>
T read(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof(T));
  return value;
}

std::string_view text_at(std::uint64_t address) {
  if (address == 0) return {};
  const char* const text = reinterpret_cast<const char*>(address);
  std::size_t size = 0;
  while (text[size] != 0) ++size;
  return {text, size};
}

void add_ram(std::uint64_t base, std::uint64_t size, std::uint32_t type) {
  if (type != kUsableRam || information.ram_count == information.ram.size()) return;
  information.ram[information.ram_count++] = {base, size};
}

// Multiboot2 "Boot information": total size, reserved, then tags {type, size, …} on 8-byte
// boundaries.
void read_multiboot2(std::uint64_t start) {
  const std::uint64_t end = start + read<std::uint32_t>(start);
  for (std::uint64_t tag = start + 8; tag + 8 <= end;) {
    const auto type = read<std::uint32_t>(tag);
    const auto size = read<std::uint32_t>(tag + 4);
    if (type == 0 || size < 8) break;
    if (type == 1) information.command_line = text_at(tag + 8);
    if (type == 6) {
      const auto stride = read<std::uint32_t>(tag + 8);
      for (std::uint64_t entry = tag + 16; stride != 0 && entry + stride <= tag + size;
           entry += stride) {
        add_ram(read<std::uint64_t>(entry), read<std::uint64_t>(entry + 8),
                read<std::uint32_t>(entry + 16));
      }
    }
    tag += (size + 7U) & ~7U;
  }
}

// Xen "x86/HVM direct boot ABI", struct hvm_start_info version 1.
void read_pvh(std::uint64_t start) {
  information.command_line = text_at(read<std::uint64_t>(start + 24));
  const auto table = read<std::uint64_t>(start + 40);
  const auto count = read<std::uint32_t>(start + 48);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t entry = table + std::uint64_t{i} * 24;
    add_ram(read<std::uint64_t>(entry), read<std::uint64_t>(entry + 8),
            read<std::uint32_t>(entry + 16));
  }
}

}  // namespace

const BootInformation& boot_information() { return information; }

extern "C" [[noreturn]] void payload_start(std::uint32_t magic, std::uint32_t address) {
  serial_start();
  if (magic == kMultiboot2Loader) {
    information.protocol = Protocol::multiboot2;
    read_multiboot2(address);
  } else if (read<std::uint32_t>(address) == kPvhMagic) {
    information.protocol = Protocol::pvh;
    read_pvh(address);
  }
  leave(payload_main());
}

std::uint64_t option_number(std::string_view key, std::uint64_t otherwise) {
  const std::string_view line = information.command_line;
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return otherwise;
  std::uint64_t value = 0;
  for (std::size_t i = at + key.size(); i < line.size() && line[i] >= '0' && line[i] <= '9'; ++i) {
    value = value * 10 + static_cast<std::uint64_t>(line[i] - '0');
  }
  return value;
}

}  // namespace vitrine::kit
