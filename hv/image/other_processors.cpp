// The machine's other processors: started one by one; each runs its root VP when there is one.
#include "hv/image/other_processors.h"

#include "emu/arch/registers.h"
#include "hv/image/acpi_processors.h"
#include "hv/image/console.h"
#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/local_apic.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"
#include "hv/image/run.h"
#include "hv/image/tsc_frequency.h"
#include "hv/image/vmx.h"

extern "C" {
extern const char trampoline[], trampoline_end[];
// The top of the stack for the processor that starts now.
std::uint32_t next_stack;
}

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kTrampoline = 0x8000;
constexpr std::uint64_t kStackPages = 8;

// How many processors are running; each adds itself.
volatile std::uint32_t running = 1;

void wait(std::uint64_t ticks) {
  const std::uint64_t start = read_tsc();
  while (read_tsc() - start < ticks) pause();
}

// SDM "MP Initialization Protocol": INIT, 10 ms, SIPI, and a second one if need be.
bool start_one(std::uint32_t apic_id, std::uint64_t frequency) {
  const std::uint32_t before = running;
  const std::uint64_t stack = allocate_pages(kStackPages) + kStackPages * kPageSize;
  next_stack = static_cast<std::uint32_t>(stack);
  send_init(apic_id);
  wait(frequency / 100);
  for (int attempt = 0; attempt < 2 && running == before; ++attempt) {
    send_startup(apic_id, static_cast<std::uint8_t>(kTrampoline >> 12));
    const std::uint64_t give_up = read_tsc() + frequency / 100;
    while (running == before && read_tsc() < give_up) pause();
  }
  return running != before;
}

}  // namespace

std::uint32_t start_other_processors(const BootInformation& information) {
  const ProcessorList list = listed_processors(information);
  const std::uint64_t frequency = tsc_frequency();
  __builtin_memcpy(at<void>(kTrampoline), trampoline,
                   static_cast<std::size_t>(trampoline_end - trampoline));
  for (std::size_t i = 0; i < list.count && running < kMaximumProcessors; ++i) {
    const std::uint32_t apic_id = list.apic_ids[i];
    if (apic_id == this_processor().apic_id) continue;
    const bool started = start_one(apic_id, frequency);
    say("processor ", std::uint64_t{apic_id}, started ? " is ready" : " did not start");
  }
  return running;
}

extern "C" [[noreturn]] void other_processor_start_up() {
  Processor& processor = start_processor(running);
  write_cr4(read_cr4() | arch::cr4::osxsave);
  start_local_apic();
  processor.apic_id = physical_apic_id();
  processor.vmx_region = allocate_page();
  vmx_on(processor.vmx_region);
  running = running + 1;
  while (__atomic_load_n(&image_state.open, __ATOMIC_ACQUIRE) == 0) pause();
  run_processor();
}

}  // namespace vitrine::hv
