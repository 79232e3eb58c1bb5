// The mixed integer workload for speed figures, alone.
#include "roms/bench/works.h"
#include "roms/kit/boot.h"
#include "roms/kit/serial.h"

using namespace vitrine::kit;

std::uint32_t payload_main() {
  const std::uint64_t rounds = option_number("rounds=", 4);
  print_line("MIXED rounds ", rounds, " sum ", Hex{vitrine::bench::mixed(rounds)});
  return 0;
}
