// What every chip has in common: a name, registers on the bus, events, reset, state and a text view.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "emu/arch/types.h"
#include "emu/devices/event_queue.h"
#include "emu/mmu/bus.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// Receives the level of numbered interrupt wires (an ISA line, an IOAPIC input, a local pin).
class LineTarget {
 public:
  virtual ~LineTarget() = default;
  virtual void set_line(unsigned line, bool level, Cycle now) = 0;
};

/// One end of an interrupt wire. Remembers nothing; the target keeps the level.
struct Line {
  LineTarget* target = nullptr;
  unsigned number = 0;

  void set(bool level, Cycle now) const {
    if (target != nullptr) target->set_line(number, level, now);
  }
  void pulse(Cycle now) const {
    set(true, now);
    set(false, now);
  }
};

/// Guest time: how many core cycles a second has. Device periods are exact rationals of it.
struct TimeBase {
  uint64_t core_hz = 2'000'000'000;

  /// The first cycle at or after `ticks` periods of a clock of `hz`; ticks · core_hz must fit 128 bit.
  Cycle cycles(uint64_t ticks, uint64_t hz) const;
  /// Whole periods of a clock of `hz` that have passed at `now`.
  uint64_t ticks(Cycle now, uint64_t hz) const;
};

class Device : public BusTarget, public EventTarget {
 public:
  virtual std::string_view name() const = 0;
  /// Power-on and platform reset.
  virtual void reset(Cycle now) = 0;
  virtual void visit(StateVisitor& v) = 0;
  /// One fact per line, `name value`, for `vitrine show` and tests.
  virtual std::string inspect() const = 0;

  void fire(uint32_t, uint64_t, Cycle) override {}
};

}  // namespace vitrine::emu
