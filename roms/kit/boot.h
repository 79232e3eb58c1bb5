// What the loader told the payload, whichever protocol it spoke.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vitrine::kit {

enum class Protocol : std::uint8_t { unknown, multiboot2, pvh };

struct MemoryRange {
  std::uint64_t base, size;
};

struct BootInformation {
  Protocol protocol{};
  std::string_view command_line;
  std::array<MemoryRange, 32> ram{};  // usable ranges, in the loader's order
  std::uint32_t ram_count{};
};

const BootInformation& boot_information();
/// The decimal number behind `key` ("rounds=") on the command line.
std::uint64_t option_number(std::string_view key, std::uint64_t otherwise);

}  // namespace vitrine::kit

// Every payload defines this; returning from it leaves with the value as exit code.
std::uint32_t payload_main();
