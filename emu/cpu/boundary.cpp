// The instruction boundary: SDM "Prioritization of Concurrent Events", taken in its order.
#include "emu/cpu/cpu.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/virtual_apic.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

void Cpu::enter_sipi(uint8_t vector) {
  SegmentState& cs = state.segments[arch::cs];
  cs.selector = static_cast<uint16_t>(vector << 8);
  cs.base = uint64_t{vector} << 12;
  state.set_rip(0);
  state.activity = Activity::active;
  context_changed();
}

bool Cpu::take_init_or_sipi() {
  if (state.init_pending && !vmx::init_blocked(*this)) {
    state.init_pending = false;
    state.sipi_pending = false;
    if (vmx::exits_on_init(*this)) return true;
    const bool bootstrap = (state.msr.apic_base & 0x100) != 0;
    reset(true);
    if (!bootstrap) state.activity = Activity::wait_for_sipi;
    return true;
  }
  if (state.sipi_pending) {
    state.sipi_pending = false;
    if (state.activity != Activity::wait_for_sipi) return false;
    if (vmx::exits_on_sipi(*this, state.sipi_vector)) return true;
    enter_sipi(state.sipi_vector);
    return true;
  }
  return false;
}

/// TF traps, data breakpoints and whatever else was left pending by the last instruction.
bool Cpu::take_pending_debug() {
  if (state.pending_debug == 0 || state.mov_ss_shadow) return false;
  fault_debug_ = state.pending_debug;
  state.pending_debug = 0;
  deliver_exception(fault(arch::Vector::debug));
  return true;
}

bool Cpu::take_nmi() {
  if (!state.nmi_pending || vmx::nmi_blocked(*this) || state.mov_ss_shadow) return false;
  state.nmi_pending = false;
  // An exit saves the activity state that the event found (SDM "Architectural State Before a VM
  // Exit"); a delivery wakes the processor first.
  if (vmx::exits_on_nmi(*this)) return true;
  state.activity = Activity::active;
  state.nmi_blocked = true;
  constexpr auto kNmi = static_cast<uint8_t>(arch::Vector::nmi);
  vmx::begin_vectoring(*this, uint32_t{kNmi} | 2u << 8 | 1u << 31, 0, 0);
  deliver_event(kNmi, EventType::nmi, false, 0, state.rip());
  return true;
}

bool Cpu::take_interrupt() {
  const bool shadowed = state.sti_shadow || state.mov_ss_shadow;
  const bool enabled = (state.rflags_system & arch::rflags::if_) != 0;
  if (shadowed || (!enabled && !vmx::interrupts_exit(*this))) return false;
  if (!ports_.interrupt_pending(index_, now())) return false;
  if (vmx::exits_on_external_interrupt(*this)) return true;
  const auto vector = ports_.acknowledge_interrupt(index_, now());
  if (!vector) return false;
  state.activity = Activity::active;
  vmx::begin_vectoring(*this, uint32_t{*vector} | 1u << 31, 0, 0);
  deliver_event(*vector, EventType::external, false, 0, state.rip());
  return true;
}

Cycle Cpu::wake_time() const { return idle() ? vmx::preemption_deadline(*this) : kNever; }

bool Cpu::service_attention() {
  // What was taken leaves a new state to look at, before the first instruction of its handler.
  bool taken = true;
  while (taken) {
    attention_ = false;
    vmx.iret_unblocked_nmi = false;
    const bool asleep = state.activity == Activity::wait_for_sipi;
    const bool listens = state.activity == Activity::active || state.activity == Activity::hlt;
    taken = take_init_or_sipi() || (!asleep && vmx::exits_at_boundary(*this)) ||
            (listens && take_pending_debug()) || (!asleep && take_nmi()) ||
            (listens && (vmx::delivers_virtual_interrupt(*this) || take_interrupt()));
    if (taken) settle();
  }
  attention_ = false;
  return state.activity == Activity::active;
}

}  // namespace vitrine::emu
