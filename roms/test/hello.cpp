// The smallest payload: reaches long mode, says so on the serial line, and leaves.
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/serial.h"

using namespace vitrine::kit;

std::uint32_t payload_main() {
  constexpr std::uint32_t kEfer = 0xC0000080;
  constexpr std::uint64_t kLongModeActive = 1U << 10;
  const auto& boot = boot_information();
  print_line("hello from long mode");
  print_line("efer ", Hex{read_msr(kEfer)});
  print_line("command line '", boot.command_line, "'");
  for (std::uint32_t i = 0; i < boot.ram_count; ++i) {
    print_line("ram ", Hex{boot.ram[i].base}, " + ", Hex{boot.ram[i].size});
  }
  const bool good = boot.protocol != Protocol::unknown && (read_msr(kEfer) & kLongModeActive) != 0;
  print_line(good ? "HELLO PASS" : "HELLO FAIL");
  return good ? 0 : 1;
}
