// Reads multiboot2's boot information.
#include "hv/image/boot_information.h"

#include "hv/image/console.h"

namespace vitrine::hv {
namespace {

constexpr std::uint32_t kMultiboot2Loader = 0x36D76289;

// Multiboot2 "Boot information format", tag types.
enum class Tag : std::uint32_t {
  end = 0,
  command_line = 1,
  module = 3,
  memory_map = 6,
  acpi_old = 14,
  acpi_new = 15,
};

template <typename T>
T read(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof(T));
  return value;
}

void copy_text(Text& text, std::uint64_t address) {
  const char* const source = reinterpret_cast<const char*>(address);
  while (source[text.size] != 0 && text.size + 1 < text.characters.size()) {
    text.characters[text.size] = source[text.size];
    ++text.size;
  }
}

void read_memory_map(BootInformation& information, std::uint64_t tag, std::uint32_t size) {
  const auto stride = read<std::uint32_t>(tag + 8);
  if (stride == 0) return;
  for (std::uint64_t entry = tag + 16; entry + stride <= tag + size; entry += stride) {
    if (information.range_count == BootInformation::kMaximumRanges) return;
    information.ranges[information.range_count++] = {
        read<std::uint64_t>(entry), read<std::uint64_t>(entry + 8),
        static_cast<MemoryType>(read<std::uint32_t>(entry + 16))};
  }
}

void read_module(BootInformation& information, std::uint64_t tag) {
  if (information.module_count == BootInformation::kMaximumModules) return;
  Module& module = information.modules[information.module_count++];
  module.base = read<std::uint32_t>(tag + 8);
  module.size = read<std::uint32_t>(tag + 12) - module.base;
  copy_text(module.command_line, tag + 16);
}

}  // namespace

bool BootInformation::option(std::string_view word) const {
  std::string_view rest = command_line.view();
  while (!rest.empty()) {
    const std::size_t blank = rest.find(' ');
    if (rest.substr(0, blank) == word) return true;
    if (blank == std::string_view::npos) return false;
    rest.remove_prefix(blank + 1);
  }
  return false;
}

BootInformation read_boot_information(std::uint32_t magic, std::uint64_t address) {
  if (magic != kMultiboot2Loader) stop("not started by a multiboot2 loader, magic", magic);
  BootInformation information;
  const std::uint64_t end = address + read<std::uint32_t>(address);
  for (std::uint64_t tag = address + 8; tag + 8 <= end;) {
    const auto type = static_cast<Tag>(read<std::uint32_t>(tag));
    const auto size = read<std::uint32_t>(tag + 4);
    if (type == Tag::end || size < 8) break;
    if (type == Tag::command_line) copy_text(information.command_line, tag + 8);
    if (type == Tag::module) read_module(information, tag);
    if (type == Tag::memory_map) read_memory_map(information, tag, size);
    if (type == Tag::acpi_new || (type == Tag::acpi_old && information.acpi_root_size == 0)) {
      const std::size_t room = information.acpi_root.size();
      information.acpi_root_size = size - 8 < room ? size - 8 : room;
      __builtin_memcpy(information.acpi_root.data(), reinterpret_cast<const void*>(tag + 8),
                       information.acpi_root_size);
    }
    tag += (size + 7U) & ~7U;
  }
  return information;
}

std::uint64_t end_of_ram(const BootInformation& information) {
  std::uint64_t end = 0;
  for (const BootRange& range : information.memory()) {
    if (range.type == MemoryType::ram && range.end() > end) end = range.end();
  }
  return end;
}

}  // namespace vitrine::hv
