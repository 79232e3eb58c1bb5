// The run loop of a processor: who runs next, entering it, and handling its exit.
#include "hv/image/run.h"

#include "emu/arch/msr.h"
#include "hv/core/intercepts.h"
#include "hv/image/console.h"
#include "hv/image/exits.h"
#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/interrupts.h"
#include "hv/image/kick.h"
#include "hv/image/processor.h"

extern "C" bool enter_guest(vitrine::hv::GuestRegisters* registers, bool launched);

namespace vitrine::hv {
namespace {

// Another processor has asked for its state and may come for it.
bool held(const VpContext& vp) { return vp.held_until != 0 && read_tsc() < vp.held_until; }

bool awake(const VpContext& vp) {
  if (vp.startup == Startup::wait_for_sipi || held(vp)) return false;
  return !vp.halted || vp.startup != Startup::running || has_wake_event(vp);
}

// The next child in turn that has something to do, null for none.
VpContext* next_child(const Processor& processor) {
  const VirtualProcessor* after = nullptr;
  if (processor.last_child != nullptr) after = processor.last_child->core;
  const VirtualProcessor* first = nullptr;
  for (;;) {
    VirtualProcessor* const vp = next_child_vp(hypervisor, processor.index, after);
    if (vp == nullptr && after == nullptr) return nullptr;
    if (vp == nullptr) {  // behind the last one: from the beginning
      after = nullptr;
      continue;
    }
    if (vp == first) return nullptr;
    if (first == nullptr) first = vp;
    if (awake(context_of(*vp))) return &context_of(*vp);
    after = vp;
  }
}

// The root first whenever an interrupt waits for it; otherwise turns of equal length. With nobody
// awake the root is chosen, to sleep in it; null if another processor has it.
VpContext* choose(const Processor& processor) {
  VpContext& root = *processor.root;
  VpContext* const current = processor.current;
  const bool turn_over = read_tsc() >= processor.slice_end;
  if (current != nullptr && current != &root) {
    if (has_wake_event(root) && awake(root)) return &root;
    if (!turn_over && runnable(hypervisor, *current->core) && awake(*current)) return current;
    if (awake(root)) return &root;
  } else if (awake(root) && !turn_over) {
    return &root;
  }
  VpContext* const child = next_child(processor);
  if (child != nullptr) return child;
  return held(root) ? nullptr : &root;
}

void switch_to(VpContext& next) {
  Processor& processor = this_processor();
  const bool new_turn = processor.current != &next || read_tsc() >= processor.slice_end;
  if (new_turn) processor.slice_end = read_tsc() + hypervisor.tsc_frequency / kSlicesPerSecond;
  if (processor.current == &next) return;
  if (processor.current != nullptr) save_swapped_state(*processor.current);
  processor.current = &next;
  next.active_on = processor.index + 1;
  next.held_until = 0;
  if (!next.is_root) processor.last_child = &next;
  load_vmcs(next.vmcs);
  load_swapped_state(next);
}

// The preemption timer ends a turn that somebody else waits for (SDM "VMX-Preemption Timer": it
// counts the TSC, shifted).
void set_preemption_timer(VpContext& vp, const Processor& processor) {
  const bool contended = !vp.is_root || next_child(processor) != nullptr;
  const std::uint32_t pin =
      contended ? vp.pin | arch::pin::preemption_timer : vp.pin & ~arch::pin::preemption_timer;
  if (pin != vp.pin) {
    vp.pin = pin;
    write_vmcs(Field::pin_controls, pin);
  }
  if (!contended) return;
  const unsigned shift = read_msr(arch::msr::ia32_vmx_misc) & 0x1F;
  // Not past the next timer either: Bochs 2.7 holds interrupts back from a guest entered with IF=0.
  std::uint64_t end = processor.slice_end;
  if (processor.armed != 0 && processor.armed < end) end = processor.armed;
  const std::uint64_t now = read_tsc();
  write_vmcs(Field::preemption_timer_value, end > now ? ((end - now) >> shift) + 1 : 0);
}

// The exceptions whose intercept the parent has installed.
void update_exception_bitmap(VpContext& vp) {
  const Partition& partition = partition_of(hypervisor, *vp.core);
  if (vp.intercepts_seen == partition.intercept_count) return;
  vp.intercepts_seen = partition.intercept_count;
  std::uint32_t bitmap = 0;
  for (std::uint32_t vector = 0; vector < 32; ++vector) {
    if (wants_intercept(hypervisor, partition, tlfs::InterceptType::exception, vector,
                        tlfs::InterceptAccess::execute)) {
      bitmap |= 1U << vector;
    }
  }
  write_vmcs(Field::exception_bitmap, bitmap);
}

// INIT, SIPI and the end of GUEST_IDLE take effect.
void begin(VpContext& vp) {
  if (vp.startup == Startup::init_pending) enter_init_state(vp);
  if (vp.startup == Startup::sipi_pending) enter_startup_state(vp);
  if (vp.idle && has_wake_event(vp)) vp.halted = vp.idle = false;
}

// A halted root waits in the HLT activity state, and so does one without its SIPI: the processor
// sleeps in the guest, and whatever interrupt comes causes an exit, so the hypervisor itself never
// opens interrupts.
void prepare(VpContext& vp) {
  const bool waits = vp.startup == Startup::wait_for_sipi;
  if (!vp.is_root) update_exception_bitmap(vp);
  if (waits) {
    prepare_wait(vp);
  } else {
    prepare_entry(vp);
  }
  set_preemption_timer(vp, this_processor());
  const auto activity = vp.halted || waits ? arch::Activity::hlt : arch::Activity::active;
  write_vmcs(Field::guest_activity, static_cast<std::uint64_t>(activity));
}

// All of its state is in memory then, where another processor can reach it.
void release_vp(VpContext& vp) {
  Processor& processor = this_processor();
  vp.park_wanted = false;
  if (vp.active_on != processor.index + 1) return;
  if (processor.current == &vp) {
    save_swapped_state(vp);
    processor.current = nullptr;
  }
  clear_vmcs(vp.vmcs);
  vp.launched = false;
  vp.active_on = 0;
}

void release_wanted(Processor& processor) {
  if (!processor.park_wanted) return;
  processor.park_wanted = false;
  for (VpContext* vp = processor.first; vp != nullptr; vp = vp->next) {
    if (vp->park_wanted) release_vp(*vp);
  }
}

// Who is entered next, everything set up for it; the processor counts as in a guest from here on.
VpContext* next_to_enter(Processor& processor) {
  for (;;) {
    release_wanted(processor);
    run_timers();
    VpContext* const vp = choose(processor);
    if (vp == nullptr) return nullptr;
    switch_to(*vp);
    begin(*vp);
    // An INIT has put a child to sleep, and there is somebody else.
    if (!vp->is_root && vp->startup == Startup::wait_for_sipi) continue;
    prepare(*vp);
    image_state.translations.enter_guest(processor.index);
    return vp;
  }
}

// The lock is free while the guest runs. The translations are looked at behind enter_guest(), as
// whoever announces a change there may be waiting for this processor.
std::uint64_t run_guest(const Processor& processor, VpContext& vp) {
  catch_up();
  const std::uint64_t start = read_tsc();
  if (!enter_guest(&vp.registers, vp.launched)) {
    stop("VM entry failed, instruction error", read_vmcs(Field::vm_instruction_error));
  }
  image_state.translations.leave_guest(processor.index);
  return read_tsc() - start;
}

void finish_exit(VpContext& vp, std::uint64_t ticks) {
  account_run_time(hypervisor, *vp.core, ticks);
  const bool refused = (read_vmcs(Field::exit_reason) & arch::kEntryFailure) != 0;
  vp.launched = vp.launched || !refused;
  handle_exit(vp);
}

}  // namespace

void run_processor() {
  Processor& processor = this_processor();
  VpContext* vp = nullptr;
  std::uint64_t ticks = 0;
  for (;;) {
    {
      const Guard guard(hypervisor, processor.index, hypervisor.image_lock);
      if (vp != nullptr) finish_exit(*vp, ticks);
      vp = next_to_enter(processor);
    }
    if (vp == nullptr) {
      pause();  // until the other processor has done with the root's state
    } else {
      ticks = run_guest(processor, *vp);
    }
  }
}

}  // namespace vitrine::hv
