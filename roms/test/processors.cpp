// Wakes every processor; all count into one number, and their time-stamp counters must agree.
#include "roms/kit/processors.h"

#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/serial.h"

namespace {

using namespace vitrine::kit;

constexpr std::uint64_t kCounts = 10'000;

volatile std::uint64_t arrived;
volatile std::uint64_t go;
volatile std::uint64_t finished;
volatile std::uint64_t counter;
volatile std::uint64_t exchanged_tsc;

void add(volatile std::uint64_t& number, std::uint64_t value) {
  __atomic_fetch_add(&number, value, __ATOMIC_SEQ_CST);
}

void count(std::uint32_t) {
  add(arrived, 1);
  while (go == 0) pause();
  for (std::uint64_t i = 0; i < kCounts; ++i) add(counter, 1);
  exchanged_tsc = read_tsc();
  add(finished, 1);
}

}  // namespace

std::uint32_t payload_main() {
  constexpr std::uint64_t kPatience = 50'000'000;
  start_other_processors(count);
  const std::uint64_t start = read_tsc();
  while (read_tsc() - start < kPatience / 10) pause();
  const std::uint64_t others = arrived;
  const std::uint64_t before = read_tsc();
  go = 1;
  for (std::uint64_t i = 0; i < kCounts; ++i) add(counter, 1);
  while (finished < others && read_tsc() - start < kPatience) pause();
  const std::uint64_t after = read_tsc();

  print_line("processors ", others + 1);
  print_line("counted ", std::uint64_t{counter});
  const bool counted = finished == others && counter == (others + 1) * kCounts;
  const bool one_time = others == 0 || (exchanged_tsc > before && exchanged_tsc < after);
  print_line(one_time ? "time agrees" : "time differs");
  print_line(counted && one_time ? "PROCESSORS PASS" : "PROCESSORS FAIL");
  return counted && one_time ? 0 : 1;
}
