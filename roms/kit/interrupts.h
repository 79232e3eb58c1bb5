// Interrupts in a payload: the descriptor table, handlers by vector, and the local APIC in x2APIC
// mode.
#pragma once

#include <cstdint>

namespace vitrine::kit {

// What a handler may look at and change.
struct InterruptFrame {
  std::uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
  std::uint64_t vector, error_code;
  std::uint64_t rip, cs, rflags, rsp, ss;
};

using InterruptHandler = void (*)(InterruptFrame&);

// Loads the descriptor table. A vector without a handler reports itself and leaves the machine.
void start_interrupts();
void set_handler(std::uint8_t vector, InterruptHandler handler);

// Runs `instruction`, which may fault: the vector of the exception it raised, or 0xFF for none.
// An exception inside ends it at once; nothing that it constructed is destroyed.
std::uint8_t exception_of(void (*instruction)());

// The local APIC, in x2APIC mode, with its timer in TSC-deadline mode.
void start_local_apic(std::uint8_t timer_vector);
void set_timer(std::uint64_t tsc_deadline);  // 0 stops it
void end_of_interrupt();

}  // namespace vitrine::kit
