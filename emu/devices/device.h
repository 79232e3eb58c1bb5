// What every chip has in common: a name, registers on the bus, events, reset, state and a text view.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

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

/// Who answers the INTA cycles of an ExtINT interrupt: the 8259 pair.
class ExtIntSource {
 public:
  virtual ~ExtIntSource() = default;
  virtual uint8_t acknowledge(Cycle now) = 0;
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

/// A chip whose registers are one byte wide. Wider accesses are cut into bytes, lowest first, as the
/// bus of a PC does for 8-bit devices; bytes behind the chip's last register read as ones.
class ByteDevice : public Device {
 public:
  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) final;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) final;
  uint64_t peek(uint64_t offset, unsigned size) const final;

 protected:
  virtual uint8_t read_byte(uint64_t offset, Cycle now) = 0;
  virtual void write_byte(uint64_t offset, uint8_t value, Cycle now) = 0;
  virtual uint8_t peek_byte(uint64_t offset) const = 0;
};

/// All ones of an access of `size` bytes: what an empty bus reads as.
constexpr uint64_t open_bus(unsigned size) {
  return size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * size)) - 1;
}

/// Gathers the lines of inspect().
class Facts {
 public:
  Facts& hex(std::string_view name, uint64_t value, unsigned digits);
  Facts& number(std::string_view name, uint64_t value);
  Facts& word(std::string_view name, std::string_view value);
  std::string text() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace vitrine::emu
