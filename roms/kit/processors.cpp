// The payload's other processors.
#include "roms/kit/processors.h"

#include "roms/kit/cpu.h"

extern "C" const char trampoline[], trampoline_end[];

namespace vitrine::kit {
namespace {

constexpr std::uint64_t kTrampoline = 0x8000;
constexpr std::uint32_t kApicBase = 0x1B;
constexpr std::uint32_t kInterruptCommand = 0x830;
constexpr std::uint64_t kX2apicEnabled = 3U << 10;
constexpr std::uint64_t kAllOthers = 3U << 18;
constexpr std::uint64_t kAssert = 1U << 14;
constexpr std::uint64_t kInit = 5U << 8;
constexpr std::uint64_t kStartup = 6U << 8;

ProcessorMain processor_main;

void wait(std::uint64_t ticks) {
  const std::uint64_t start = read_tsc();
  while (read_tsc() - start < ticks) pause();
}

// SDM "Interrupt Command Register": an MSR in x2APIC mode, a word of the APIC's page otherwise.
void command(std::uint64_t value) {
  constexpr std::uint32_t kX2apicBit = 1U << 21;
  constexpr std::uint64_t kCommandWord = 0xFEE00300;
  if ((cpuid(1).ecx & kX2apicBit) != 0) {
    write_msr(kApicBase, read_msr(kApicBase) | kX2apicEnabled);
    write_msr(kInterruptCommand, value);
  } else {
    *reinterpret_cast<volatile std::uint32_t*>(kCommandWord) = static_cast<std::uint32_t>(value);
  }
}

}  // namespace

extern "C" void processor_arrived(std::uint32_t index) { processor_main(index); }

void start_other_processors(ProcessorMain main) {
  constexpr std::uint64_t kPauseAfterInit = 1'000'000;
  constexpr std::uint64_t kPauseAfterStartup = 200'000;
  processor_main = main;
  __builtin_memcpy(reinterpret_cast<void*>(kTrampoline), trampoline,
                   static_cast<std::size_t>(trampoline_end - trampoline));
  command(kAllOthers | kAssert | kInit);
  wait(kPauseAfterInit);
  for (int i = 0; i < 2; ++i) {
    command(kAllOthers | kAssert | kStartup | (kTrampoline >> 12));
    wait(kPauseAfterStartup);
  }
}

}  // namespace vitrine::kit
