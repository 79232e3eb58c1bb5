// Device interrupts in the tour: the serial line, edge and level, and a synthetic interrupt on top.
#include "roms/tour/device_interrupts.h"

#include <cstdint>

#include "hv/tlfs/msrs.h"
#include "hv/tlfs/synic.h"
#include "roms/kit/cpu.h"
#include "roms/kit/interrupts.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

namespace vitrine::tour {
namespace {

using kit::InterruptFrame;
using tlfs::Msr;

constexpr std::uint8_t kSerialVector = 0x60;
constexpr std::uint8_t kSintVector = 0x70;

// 16550: interrupt enable, identification, modem control.
constexpr std::uint16_t kInterruptEnable = 0x3F9;
constexpr std::uint16_t kIdentification = 0x3FA;
constexpr std::uint16_t kModemControl = 0x3FC;
constexpr std::uint8_t kTransmitterEmpty = 2;
constexpr std::uint8_t kLineOpen = 0x0B;  // DTR, RTS, OUT2

// 82093AA I/O APIC: register select and window; two words per pin from register 10H on.
constexpr std::uint64_t kIoApic = 0xFEC00000;
constexpr std::uint32_t kFirstPin = 0x10;
constexpr std::uint32_t kSerialPin = 4;
constexpr std::uint32_t kLevel = 1U << 15;
constexpr std::uint32_t kMasked = 1U << 16;

// x2APIC: in-service and request registers, one MSR for 32 vectors.
constexpr std::uint32_t kInService = 0x810;
constexpr std::uint32_t kRequested = 0x820;

struct State {
  volatile std::uint64_t serial{};
  volatile bool nest{};       // the handler is to raise a SINT
  volatile bool waits{};      // … and sees it requested, itself in service
  volatile bool both{};       // both in service in the nested handler
  volatile bool one_again{};  // the serial vector alone behind it
};
State state;

void write_pin(std::uint32_t low) {
  auto* const select = reinterpret_cast<volatile std::uint32_t*>(kIoApic);
  auto* const window = reinterpret_cast<volatile std::uint32_t*>(kIoApic + 0x10);
  *select = kFirstPin + 2 * kSerialPin + 1;
  *window = 0;  // to the first processor
  *select = kFirstPin + 2 * kSerialPin;
  *window = low;
}

bool vector_in(std::uint32_t first_register, std::uint8_t vector) {
  return (kit::read_msr(first_register + vector / 32) >> (vector % 32) & 1) != 0;
}

void write(Msr msr, std::uint32_t index, std::uint64_t value) {
  kit::write_msr(static_cast<std::uint32_t>(msr) + index, value);
}

// A timer in direct mode, due at once: the quickest synthetic interrupt there is.
void raise_sint() {
  constexpr std::uint64_t kAutoEnableDirect = (1U << 3) | (1U << 12);
  write(Msr::stimer0_config, 0, kAutoEnableDirect | (std::uint64_t{kSintVector} << 4));
  write(Msr::stimer0_config, 1, 1);  // the count: a time long past
}

void on_serial(InterruptFrame&) {
  state.serial = state.serial + 1;
  kit::in8(kIdentification);  // takes the line back
  if (state.nest) {
    state.nest = false;
    raise_sint();
    state.waits = vector_in(kInService, kSerialVector) && vector_in(kRequested, kSintVector);
    kit::enable_interrupts();
    kit::pause();
    kit::disable_interrupts();
    state.one_again = vector_in(kInService, kSerialVector) && !vector_in(kInService, kSintVector);
  }
  kit::end_of_interrupt();
}

void on_sint(InterruptFrame&) {
  state.both = vector_in(kInService, kSerialVector) && vector_in(kInService, kSintVector);
  kit::end_of_interrupt();
}

// The transmitter is empty: enabling its interrupt asserts the line. True if exactly one comes of
// it.
bool one_interrupt() {
  const std::uint64_t before = state.serial;
  const std::uint64_t give_up = kit::read_tsc() + tsc_frequency() / 100;
  kit::out8(kInterruptEnable, kTransmitterEmpty);
  while (state.serial == before && kit::read_tsc() < give_up) kit::pause();
  kit::out8(kInterruptEnable, 0);
  const std::uint64_t settle = kit::read_tsc() + tsc_frequency() / 10'000;
  while (kit::read_tsc() < settle) kit::pause();
  return state.serial == before + 1;
}

// The same with the root asleep, so that the child has the processor when the line rises.
bool wakes_root() {
  const std::uint64_t before = state.serial;
  kit::disable_interrupts();
  kit::out8(kInterruptEnable, kTransmitterEmpty);
  asm volatile("sti; hlt" : : : "memory");
  kit::out8(kInterruptEnable, 0);
  return state.serial == before + 1;
}

}  // namespace

void tour_device_interrupts() {
  constexpr int kTimes = 10;
  kit::set_handler(kSerialVector, on_serial);
  kit::set_handler(kSintVector, on_sint);
  kit::out8(kModemControl, kLineOpen);
  start_ticking(tsc_frequency() / 1000);  // HLT ends in any case

  write_pin(kSerialVector);
  for (int i = 0; i < kTimes; ++i) judge(Rule::serial_interrupt, one_interrupt() && wakes_root());
  write_pin(kSerialVector | kLevel);
  for (int i = 0; i < kTimes; ++i) judge(Rule::level_interrupt, one_interrupt() && wakes_root());
  state.nest = true;
  const bool came = one_interrupt();
  judge(Rule::sint_nested, came && state.waits && state.both && state.one_again);
  judge(Rule::sint_nested, !vector_in(kInService, kSerialVector));

  write_pin(kMasked);
  stop_ticking();
}

}  // namespace vitrine::tour
