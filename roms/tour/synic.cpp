// The root's synthetic interrupt controller and timer.
#include "roms/tour/synic.h"

#include "hv/tlfs/msrs.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/interrupts.h"
#include "roms/tour/pages.h"

namespace vitrine::tour {
namespace {

using kit::InterruptFrame;
using tlfs::Msr;

struct State {
  std::uint64_t message_page{};
  volatile std::uint64_t message_interrupts{};
  volatile std::uint64_t interval{};
  volatile std::uint64_t all{};
  volatile std::uint64_t on_vmcall{};
};
State state;

void write(Msr msr, std::uint64_t value) { kit::write_msr(static_cast<std::uint32_t>(msr), value); }

void on_message(InterruptFrame&) {
  state.message_interrupts = state.message_interrupts + 1;
  kit::end_of_interrupt();
}

void on_timer(InterruptFrame& frame) {
  state.all = state.all + 1;
  if (frame.rip == kit::hypercall_rip()) state.on_vmcall = state.on_vmcall + 1;
  if (state.interval != 0) kit::set_timer(kit::read_tsc() + state.interval);
  kit::end_of_interrupt();
}

}  // namespace

void start_synic() {
  kit::start_interrupts();
  kit::set_handler(kTimerVector, on_timer);
  kit::set_handler(kMessageVector, on_message);
  kit::start_local_apic(kTimerVector);
  state.message_page = take_pages(1);
  write(Msr::simp, tlfs::PageRegister::make(state.message_page, true).word);
  write(Msr::sint0, kMessageVector);
  write(Msr::scontrol, 1);
  kit::enable_interrupts();
}

tlfs::Message wait_for_message() {
  auto& slot = *at_page<volatile tlfs::Message>(state.message_page);
  const std::uint64_t give_up = kit::read_tsc() + tsc_frequency();
  while (slot.type == 0) {
    if (kit::read_tsc() > give_up) return {};
    kit::pause();
  }
  tlfs::Message message;
  __builtin_memcpy(&message, at_page<void>(state.message_page), sizeof message);
  // TLFS "SynIC Message Flags": a message waits behind this one, so ask for it once the slot is
  // empty.
  slot.type = 0;
  asm volatile("mfence" : : : "memory");
  if ((slot.flags & tlfs::Message::kPending) != 0) write(Msr::eom, 0);
  return message;
}

std::uint64_t message_interrupts() { return state.message_interrupts; }

void start_ticking(std::uint64_t interval) {
  state.all = 0;
  state.on_vmcall = 0;
  state.interval = interval;
  kit::set_timer(kit::read_tsc() + interval);
}

Ticks ticks() { return {state.all, state.on_vmcall}; }

Ticks stop_ticking() {
  state.interval = 0;
  kit::set_timer(0);
  return ticks();
}

std::uint64_t tsc_frequency() {
  return kit::read_msr(static_cast<std::uint32_t>(Msr::tsc_frequency));
}

}  // namespace vitrine::tour
