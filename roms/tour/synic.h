// The root's synthetic interrupt controller: the message page, SINT0, and the timer the tour uses.
#pragma once

#include <cstdint>

#include "hv/tlfs/message_types.h"
#include "hv/tlfs/synic.h"

namespace vitrine::tour {

namespace tlfs = hv::tlfs;

constexpr std::uint8_t kTimerVector = 0x40;
constexpr std::uint8_t kMessageVector = 0x50;

// Turns the SynIC on, SINT0 on kMessageVector, and the local APIC's timer on kTimerVector.
void start_synic();

// Waits for a message of the hypervisor in the slot of SINT0, takes it out and makes room for the
// next; type none if there was none within a second.
tlfs::Message wait_for_message();

// How often the message interrupt has come.
std::uint64_t message_interrupts();

// A timer interrupt every `interval` TSC ticks, from now until stop_ticking().
struct Ticks {
  std::uint64_t all{};
  std::uint64_t on_vmcall{};  // with the interrupted RIP on the VMCALL of the hypercall page
};
void start_ticking(std::uint64_t interval);
Ticks stop_ticking();
Ticks ticks();

std::uint64_t tsc_frequency();

}  // namespace vitrine::tour
