// The run loop of a processor.
#include "hv/image/run.h"

#include "hv/image/console.h"
#include "hv/image/exits.h"
#include "hv/image/interrupts.h"
#include "hv/image/processor.h"
#include "hv/image/vp_context.h"

extern "C" bool enter_guest(vitrine::hv::GuestRegisters* registers, bool launched);

namespace vitrine::hv {
namespace {

void switch_to(VpContext& next) {
  Processor& processor = this_processor();
  if (processor.current == &next) return;
  if (processor.current != nullptr) save_swapped_state(*processor.current);
  processor.current = &next;
  load_vmcs(next.vmcs);
  load_swapped_state(next);
}

// A halted virtual processor waits in the HLT activity state: the processor sleeps in the guest,
// and whatever interrupt comes causes an exit, so the hypervisor itself never opens interrupts.
void enter(VpContext& vp) {
  prepare_entry(vp);
  if (vp.halted) {
    write_vmcs(Field::guest_activity, static_cast<std::uint64_t>(arch::Activity::hlt));
  }
  if (!enter_guest(&vp.registers, vp.launched)) {
    stop("VM entry failed, instruction error", read_vmcs(Field::vm_instruction_error));
  }
  vp.launched = true;
}

}  // namespace

void run_processor() {
  Processor& processor = this_processor();
  for (;;) {
    switch_to(*processor.root);
    run_timers();
    VpContext& vp = *processor.current;
    enter(vp);
    handle_exit(vp);
  }
}

}  // namespace vitrine::hv
