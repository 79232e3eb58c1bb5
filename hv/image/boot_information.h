// What the boot loader told the hypervisor: memory map, modules, ACPI, in the hypervisor's own
// copy.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace vitrine::hv {

// Multiboot2 "Memory map" types; E820 and PVH use the same numbers.
enum class MemoryType : std::uint32_t { ram = 1, reserved = 2, acpi = 3, nvs = 4, defective = 5 };

struct BootRange {
  std::uint64_t base{};
  std::uint64_t size{};
  MemoryType type{};

  constexpr std::uint64_t end() const { return base + size; }
};

struct Text {
  std::array<char, 1024> characters{};
  std::size_t size{};

  std::string_view view() const { return {characters.data(), size}; }
};

struct Module {
  std::uint64_t base{};
  std::uint64_t size{};
  Text command_line;
};

struct BootInformation {
  static constexpr std::size_t kMaximumRanges = 64;
  static constexpr std::size_t kMaximumModules = 2;

  Text command_line;
  std::array<BootRange, kMaximumRanges> ranges{};
  std::size_t range_count{};
  std::array<Module, kMaximumModules> modules{};
  std::size_t module_count{};
  std::array<std::uint8_t, 36> acpi_root{};  // the RSDP, when the loader gave a copy
  std::size_t acpi_root_size{};

  std::span<const BootRange> memory() const { return {ranges.data(), range_count}; }
  // Whether the word stands in the command line, between blanks.
  bool option(std::string_view word) const;
};

// Reads a multiboot2 information structure; stops the machine if `magic` is not multiboot2's.
BootInformation read_boot_information(std::uint32_t magic, std::uint64_t address);

// The end of the highest RAM range.
std::uint64_t end_of_ram(const BootInformation& information);

}  // namespace vitrine::hv
