// The machine's event queue: what is due when, in one order that does not depend on the host.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "emu/arch/types.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// Receives its own due events. `kind` and `data` mean what the target says they mean.
class EventTarget {
 public:
  virtual ~EventTarget() = default;
  virtual void fire(uint32_t kind, uint64_t data, Cycle now) = 0;
};

/// Identifies an event target across snapshots: its index of registration, fixed by the machine.
using EventTargetId = uint32_t;

struct Event {
  Cycle when;
  uint64_t sequence = 0;  ///< ties break first in, first out
  EventTargetId target = 0;
  uint32_t kind = 0;
  uint64_t data = 0;
};

class EventQueue {
 public:
  EventTargetId add_target(EventTarget& target);

  void schedule(Cycle when, EventTargetId target, uint32_t kind, uint64_t data = 0);
  /// Removes every pending event of this target and kind.
  void cancel(EventTargetId target, uint32_t kind);

  /// When the next event is due; kNever when there is none.
  Cycle next() const { return events_.empty() ? kNever : events_.front().when; }
  /// Fires, in order, every event due at or before `now`; each sees its own due time as `now`.
  void run_until(Cycle now);
  /// The last time run_until() heard of. For peeks only: it depends on how a run is cut.
  Cycle seen() const { return seen_; }

  /// While set, `*horizon` (the running processor's deadline) is lowered to whatever is scheduled to
  /// happen before it, so that a timer armed in this slice of time still fires on its cycle.
  void set_horizon(Cycle* horizon) { horizon_ = horizon; }

  void visit(StateVisitor& v);

 private:
  std::vector<Event> events_;  // ascending by (when, sequence)
  std::vector<EventTarget*> targets_;
  uint64_t next_sequence_ = 0;
  Cycle seen_;
  Cycle* horizon_ = nullptr;
};

}  // namespace vitrine::emu
