// The physical local APIC, owned by the hypervisor, in x2APIC mode.
#pragma once

#include <cstdint>

namespace vitrine::hv {

// Vectors the hypervisor keeps for itself, above those that kernels give to devices.
constexpr std::uint8_t kTimerVector = 0xFD;
constexpr std::uint8_t kKickVector = 0xFC;
constexpr std::uint8_t kSpuriousVector = 0xFF;

// Turns x2APIC mode on and takes the timer over. Stops the machine if x2APIC or the TSC deadline is
// missing.
void start_local_apic();

std::uint32_t physical_apic_id();

// One timer interrupt when the TSC reaches `deadline`; 0 for none.
void arm_physical_timer(std::uint64_t deadline);

// Whether the vector is in service here; an acknowledged vector that is not came from the 8259.
bool in_service(std::uint8_t vector);
// Whether it was accepted as level-triggered.
bool level_triggered(std::uint8_t vector);
// The highest vector in service, 0 for none.
std::uint8_t highest_in_service();
void end_of_interrupt();
// Whether the local APIC holds an undelivered interrupt among the 32 vectors of word `word`, 0 to
// 7.
bool interrupt_requested(std::uint32_t word);

void send_interrupt(std::uint32_t apic_id, std::uint8_t vector);
void send_init(std::uint32_t apic_id);
void send_startup(std::uint32_t apic_id, std::uint8_t page);

// What the root wrote to LINT0, LINT1 and the like goes to the real ones.
void write_local_vector(std::uint32_t register_index, std::uint32_t value);

}  // namespace vitrine::hv
