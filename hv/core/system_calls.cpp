// Calls on the whole machine: its processors, how it is put to sleep, and putting it to sleep.
#include "hv/core/handlers.h"
#include "hv/core/time.h"

namespace vitrine::hv {
namespace {

using tlfs::SleepState;

constexpr std::uint8_t kLastSleepType = 7;  // SLP_TYP has three bits

bool is_root(const Caller& caller) { return caller.partition.parent == 0; }

}  // namespace

// TLFS HvGetLogicalProcessorRunTime. A root of today asks it whether a processor has been started.
// Decided: a processor that sleeps in a halted virtual processor counts as running it.
Outcome<tlfs::RunTimeOutput> get_logical_processor_run_time(Caller& caller,
                                                            const tlfs::ProcessorInput& in) {
  const Hypervisor& hv = caller.hv;
  if (in.processor >= hv.processors) return Status::invalid_lp_index;
  const std::uint64_t global = system_time(hv);
  const std::uint64_t local = hv.processor(in.processor).run_time;
  return tlfs::RunTimeOutput{
      .global = global, .local = local, .hypervisor = global > local ? global - local : 0};
}

// TLFS HvSetSystemProperty.
// Decided: the call is the root's whatever its privileges; property, reserved field, lock and values
// are judged in this order. Of the sleep states only S5 is offered, as the hypervisor keeps nothing that
// a resumption from another one would need; registering S5 again replaces its values.
Done set_system_property(Caller& caller, const tlfs::SetSystemPropertyInput& in) {
  if (!is_root(caller)) return Status::access_denied;
  if (in.property != tlfs::SystemProperty::sleep_state) return Status::unknown_property;
  PowerOff& power_off = caller.hv.power_off;
  if (in.reserved != 0) return Status::invalid_parameter;
  if (power_off.locked != 0) return Status::operation_denied;
  if (in.state == SleepState::lock) {
    power_off.locked = 1;
    return kDone;
  }
  const bool legal = in.state == SleepState::s5 && in.pm1a_type <= kLastSleepType &&
                     in.pm1b_type <= kLastSleepType;
  if (!legal) return Status::invalid_parameter;
  power_off.pm1a_type = in.pm1a_type;
  power_off.pm1b_type = in.pm1b_type;
  power_off.registered = 1;
  return kDone;
}

// HvEnterSleepState, which comes back only where the machine stays on.
// Decided: a state that was never registered is operation_denied, one that cannot be invalid_parameter.
Done enter_sleep_state(Caller& caller, const tlfs::EnterSleepStateInput& in) {
  if (!is_root(caller)) return Status::access_denied;
  if (in.state != SleepState::s5) return Status::invalid_parameter;
  const PowerOff& power_off = caller.hv.power_off;
  if (power_off.registered == 0) return Status::operation_denied;
  const Platform& platform = *caller.hv.platform;
  platform.power_off(platform.context, power_off.pm1a_type, power_off.pm1b_type);
  return kDone;
}

}  // namespace vitrine::hv
