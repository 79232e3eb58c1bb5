// The local APIC's timer: one-shot, periodic and TSC-deadline (SDM "APIC Timer").
#include "emu/devices/local_apic.h"

#include <algorithm>

namespace vitrine::emu {

namespace {
constexpr uint32_t kTimer = 0;  // event kind; its data is the tick, unused for deadlines
}

uint64_t LocalApic::divisor() const {
  const unsigned code = (divide_ & 3) | (divide_ >> 1 & 4);
  return code == 7 ? 1 : uint64_t{2} << code;
}

uint32_t LocalApic::current_count(Cycle now) const {
  if (deadline_mode() || start_count_ == 0) return 0;
  const uint64_t tick = wiring_.time.ticks(now, wiring_.timer_hz);
  const uint64_t steps = tick <= start_tick_ ? 0 : (tick - start_tick_) / divisor();
  if (steps < start_count_) return static_cast<uint32_t>(start_count_ - steps);
  if (!periodic_mode() || initial_count_ == 0) return 0;
  return static_cast<uint32_t>(initial_count_ - (steps - start_count_) % initial_count_);
}

void LocalApic::start_timer(uint32_t count, Cycle now) {
  start_count_ = count;
  start_tick_ = wiring_.time.ticks(now, wiring_.timer_hz);
  schedule_timer(now);
}

/// Makes the event agree with the registers.
void LocalApic::schedule_timer(Cycle now) {
  wiring_.events.cancel(id_, kTimer);
  if (deadline_mode()) {
    if (deadline_ == 0) return;
    const Cycle due = wiring_.tsc.when(processor_, deadline_);
    wiring_.events.schedule(std::max(due, now), id_, kTimer);
    return;
  }
  if (start_count_ == 0) return;
  const uint64_t tick = start_tick_ + start_count_ * divisor();
  wiring_.events.schedule(wiring_.time.cycles(tick, wiring_.timer_hz), id_, kTimer, tick);
}

void LocalApic::write_deadline(uint64_t tsc, Cycle now) {
  if (!deadline_mode()) return;  // SDM "TSC-Deadline Mode": ignored in the other modes
  deadline_ = tsc;
  schedule_timer(now);
}

void LocalApic::fire(uint32_t, uint64_t data, Cycle now) {
  if (deadline_mode()) {
    deadline_ = 0;
  } else if (periodic_mode() && initial_count_ != 0) {
    start_count_ = initial_count_;
    start_tick_ = data;  // from tick to tick: no drift
    schedule_timer(now);
  } else {
    start_count_ = 0;
  }
  trigger(timer, now);
}

}  // namespace vitrine::emu
