// Round trips through a hypervisor for speed figures: CPUID exits, and hypercalls that are refused at once.
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"

using namespace vitrine::kit;

std::uint32_t payload_main() {
  const std::uint64_t cpuids = option_number("cpuid=", 1000);
  const std::uint64_t calls = option_number("calls=", 0);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < cpuids; ++i) sum += cpuid(0).eax;
  if (calls != 0 && !enable_hypercalls()) {
    print_line("FAIL: there is no hypervisor to call");
    return 1;
  }
  // No such call: the shortest way through the dispatcher.
  constexpr auto kNone = static_cast<tlfs::Call>(0x7FFE);
  for (std::uint64_t i = 0; i < calls; ++i) {
    sum += static_cast<std::uint64_t>(fast_call(kNone).status());
  }
  print_line("EXITS cpuid ", cpuids, " calls ", calls, " sum ", sum);
  return 0;
}
