// Interrupts in a payload.
#include "roms/kit/interrupts.h"

#include <array>

#include "roms/kit/cpu.h"
#include "roms/kit/serial.h"

extern "C" {
extern char interrupt_stubs[], trial_over[];
void run_trial(void (*instruction)(), std::uint64_t* rsp);
}

namespace vitrine::kit {
namespace {

constexpr std::uint64_t kCodeSelector = 0x08;
constexpr std::uint64_t kInterruptGate = 0x8E00;
constexpr std::uint64_t kStubSize = 16;
constexpr std::uint8_t kNoException = 0xFF;
constexpr std::uint8_t kExceptions = 32;

constexpr std::uint16_t kFirstPicMask = 0x21;
constexpr std::uint16_t kSecondPicMask = 0xA1;

constexpr std::uint32_t kApicBase = 0x1B;
constexpr std::uint32_t kTscDeadline = 0x6E0;
constexpr std::uint32_t kApicEoi = 0x80B;
constexpr std::uint32_t kApicSpurious = 0x80F;
constexpr std::uint32_t kApicTimer = 0x832;

struct Gate {
  std::uint64_t low{}, high{};
};
alignas(16) std::array<Gate, 256> gates;
std::array<InterruptHandler, 256> handlers;

// The instruction under trial: whether it still runs, what it raised, the stack to go back to.
struct Trial {
  bool active;
  std::uint8_t vector;
  std::uint64_t rsp;
};
Trial trial;

struct [[gnu::packed]] TableRegister {
  std::uint16_t limit;
  std::uint64_t base;
};

}  // namespace

void start_interrupts() {
  const auto stubs = reinterpret_cast<std::uint64_t>(interrupt_stubs);
  for (std::uint64_t i = 0; i < gates.size(); ++i) {
    const std::uint64_t target = stubs + i * kStubSize;
    gates[i] = {(target & 0xFFFF) | (kCodeSelector << 16) | (kInterruptGate << 32) |
                    ((target & 0xFFFF0000) << 32),
                target >> 32};
  }
  const TableRegister idtr{sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates.data())};
  asm volatile("lidt %0" : : "m"(idtr));
  // The firmware left the 8259s open on vectors that are exceptions: close them.
  out8(kFirstPicMask, 0xFF);
  out8(kSecondPicMask, 0xFF);
}

void set_handler(std::uint8_t vector, InterruptHandler handler) { handlers[vector] = handler; }

extern "C" void interrupt_arrived(InterruptFrame* frame) {
  const auto vector = static_cast<std::uint8_t>(frame->vector);
  if (handlers[vector] != nullptr) return handlers[vector](*frame);
  if (trial.active && vector < kExceptions) {
    trial.active = false;
    trial.vector = vector;
    frame->rip = reinterpret_cast<std::uint64_t>(trial_over);
    frame->rsp = trial.rsp;
    return;
  }
  print_line("unexpected interrupt ", std::uint64_t{vector}, " error ", Hex{frame->error_code},
             " rip ", Hex{frame->rip});
  leave(3);
}

std::uint8_t exception_of(void (*instruction)()) {
  trial = {true, kNoException, 0};
  run_trial(instruction, &trial.rsp);
  trial.active = false;
  return trial.vector;
}

void start_local_apic(std::uint8_t timer_vector) {
  constexpr std::uint64_t kEnableX2apic = 3U << 10;
  constexpr std::uint64_t kDeadlineMode = 2U << 17;
  constexpr std::uint64_t kEnabled = 1U << 8;
  const std::uint64_t base = read_msr(kApicBase);
  if ((base & kEnableX2apic) != kEnableX2apic) write_msr(kApicBase, base | kEnableX2apic);
  write_msr(kApicSpurious, kEnabled | 0xFF);
  write_msr(kApicTimer, kDeadlineMode | timer_vector);
}

void set_timer(std::uint64_t tsc_deadline) { write_msr(kTscDeadline, tsc_deadline); }

void end_of_interrupt() { write_msr(kApicEoi, 0); }

}  // namespace vitrine::kit
