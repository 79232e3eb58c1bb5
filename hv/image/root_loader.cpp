// Loads the root kernel from its ELF64 module and builds its PVH start information.
#include "hv/image/root_loader.h"

#include <array>

#include "hv/image/console.h"
#include "hv/image/linux_loader.h"
#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

// System V ABI "ELF Header" and "Program Header", 64-bit forms.
struct ElfHeader {
  std::array<std::uint8_t, 16> identification;
  std::uint16_t type, machine;
  std::uint32_t version;
  std::uint64_t entry, program_headers, section_headers;
  std::uint32_t flags;
  std::uint16_t header_size, program_header_size, program_header_count;
  std::uint16_t section_header_size, section_header_count, section_names;
};
static_assert(sizeof(ElfHeader) == 64);

struct ProgramHeader {
  std::uint32_t type, flags;
  std::uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

constexpr std::uint32_t kLoad = 1;
constexpr std::uint32_t kNote = 4;
constexpr std::uint32_t kPhys32Entry = 18;  // XEN_ELFNOTE_PHYS32_ENTRY

// Xen "x86/HVM direct boot ABI": hvm_start_info version 1 and what it points to.
struct StartInformation {
  std::uint32_t magic = 0x336EC578;
  std::uint32_t version = 1;
  std::uint32_t flags{};
  std::uint32_t module_count{};
  std::uint64_t modules{};
  std::uint64_t command_line{};
  std::uint64_t acpi_root{};
  std::uint64_t memory_map{};
  std::uint32_t memory_map_entries{};
  std::uint32_t reserved{};
};
static_assert(sizeof(StartInformation) == 56);

struct ModuleEntry {
  std::uint64_t base{}, size{}, command_line{}, reserved{};
};
struct MemoryMapEntry {
  std::uint64_t base{}, size{};
  std::uint32_t type{}, reserved{};
};
static_assert(sizeof(MemoryMapEntry) == 24);

// One page of low memory that every PC has free, handed to the root inside its own RAM.
struct StartPage {
  StartInformation start;
  ModuleEntry module;
  std::array<std::uint8_t, 40> acpi_root{};
  std::array<MemoryMapEntry, BootInformation::kMaximumRanges> memory_map{};
  std::array<char, 1024> command_line{};
};
static_assert(sizeof(StartPage) <= kPageSize);
constexpr std::uint64_t kStartPage = 0x7000;

struct File {
  std::uint64_t base, size;
};

template <typename T>
T read(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, at<void>(address), sizeof(T));
  return value;
}

// The 32-bit entry point in a note segment, 0 if there is none.
std::uint32_t pvh_entry(std::uint64_t notes, std::uint64_t size) {
  const std::uint64_t end = notes + size;
  for (std::uint64_t note = notes; note + 12 <= end;) {
    const auto name_size = read<std::uint32_t>(note);
    const auto content_size = read<std::uint32_t>(note + 4);
    const auto type = read<std::uint32_t>(note + 8);
    const std::uint64_t content = note + 12 + ((std::uint64_t{name_size} + 3) & ~3ULL);
    constexpr std::uint32_t kXen = 0x006E6558;  // "Xen"
    if (type == kPhys32Entry && name_size == 4 && read<std::uint32_t>(note + 12) == kXen &&
        content + 4 <= end) {
      return read<std::uint32_t>(content);
    }
    note = content + ((std::uint64_t{content_size} + 3) & ~3ULL);
  }
  return 0;
}

std::uint32_t load_elf(const BootInformation& information, File file) {
  constexpr std::uint32_t kElfMagic = 0x464C457F;
  constexpr std::uint8_t k64Bit = 2;
  if (file.size < sizeof(ElfHeader) || read<std::uint32_t>(file.base) != kElfMagic) {
    stop("the first module is neither an ELF kernel nor a Linux bzImage");
  }
  const auto header = read<ElfHeader>(file.base);
  const std::uint64_t table_size =
      std::uint64_t{header.program_header_count} * sizeof(ProgramHeader);
  if (header.identification[4] != k64Bit || header.program_header_size != sizeof(ProgramHeader) ||
      header.program_headers > file.size || table_size > file.size - header.program_headers) {
    stop("the first module is not a 64-bit ELF kernel");
  }
  std::uint32_t entry = 0;
  for (std::uint64_t i = 0; i < header.program_header_count; ++i) {
    const auto program =
        read<ProgramHeader>(file.base + header.program_headers + i * sizeof(ProgramHeader));
    if (program.offset > file.size || program.file_size > file.size - program.offset) {
      stop("the root kernel's file is cut short");
    }
    if (program.type == kNote && entry == 0) {
      entry = pvh_entry(file.base + program.offset, program.file_size);
    }
    if (program.type != kLoad || program.memory_size == 0) continue;
    const std::uint64_t target = program.physical_address;
    if (program.file_size > program.memory_size ||
        !is_root_ram(information, target, program.memory_size)) {
      stop("the root kernel wants memory that is not there, at", target);
    }
    if (target < file.base + file.size && file.base < target + program.memory_size) {
      stop("the root kernel does not fit below its own file");
    }
    __builtin_memcpy(at<void>(target), at<const void>(file.base + program.offset),
                     program.file_size);
    __builtin_memset(at<void>(target + program.file_size), 0,
                     program.memory_size - program.file_size);
  }
  if (entry == 0) stop("the root kernel has no PVH entry note");
  return entry;
}

}  // namespace

bool is_root_ram(const BootInformation& information, std::uint64_t base, std::uint64_t size) {
  for (const BootRange& range : information.memory()) {
    if (range.type == MemoryType::ram && range.base <= base && size <= range.size &&
        base - range.base <= range.size - size) {
      return true;
    }
  }
  return false;
}

StagedModules stage_modules(const BootInformation& information) {
  constexpr std::uint64_t k4GiB = 0x1'0000'0000;
  std::uint64_t top = 0;
  for (const BootRange& range : information.memory()) {
    if (range.type == MemoryType::ram && range.end() <= k4GiB && range.end() > top)
      top = range.end();
  }
  StagedModules staged;
  for (std::size_t i = 0; i < information.module_count; ++i) {
    const Module& module = information.modules[i];
    top = (top - module.size) & ~(kPageSize - 1);
    if (top < hypervisor_end()) stop("not enough memory above the hypervisor for the modules");
    for (std::size_t later = i + 1; later < information.module_count; ++later) {
      const Module& other = information.modules[later];
      if (other.base < top + module.size && top < other.base + other.size) {
        stop("the modules lie too high in memory to be moved");
      }
    }
    __builtin_memmove(at<void>(top), at<const void>(module.base), module.size);
    staged.base[i] = top;
  }
  return staged;
}

RootEntry load_root(const BootInformation& information, const StagedModules& staged) {
  if (information.module_count == 0) stop("no root kernel: give one as the first module");
  if (is_linux(staged.base[0], information.modules[0].size)) return load_linux(information, staged);
  const std::uint32_t rip = load_elf(information, {staged.base[0], information.modules[0].size});

  StartPage& page = *at<StartPage>(kStartPage);
  page = StartPage{};
  page.command_line = information.modules[0].command_line.characters;
  page.start.command_line = reinterpret_cast<std::uint64_t>(page.command_line.data());
  if (information.module_count > 1) {
    page.module.base = staged.base[1];
    page.module.size = information.modules[1].size;
    page.start.module_count = 1;
    page.start.modules = reinterpret_cast<std::uint64_t>(&page.module);
  }
  if (information.acpi_root_size != 0) {
    __builtin_memcpy(page.acpi_root.data(), information.acpi_root.data(),
                     information.acpi_root_size);
    page.start.acpi_root = reinterpret_cast<std::uint64_t>(page.acpi_root.data());
  }
  for (std::size_t i = 0; i < information.range_count; ++i) {
    const BootRange& range = information.ranges[i];
    page.memory_map[i] = {range.base, range.size, static_cast<std::uint32_t>(range.type), 0};
  }
  page.start.memory_map = reinterpret_cast<std::uint64_t>(page.memory_map.data());
  page.start.memory_map_entries = static_cast<std::uint32_t>(information.range_count);
  return {
      .mode = RootEntry::Mode::protected_mode, .rip = rip, .rbx = kStartPage, .rsi = 0, .cr3 = 0};
}

}  // namespace vitrine::hv
