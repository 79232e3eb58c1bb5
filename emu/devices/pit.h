// Pit: the 8254 interval timer, and port 61H that gates its speaker channel.
#pragma once

#include <array>

#include "emu/devices/device.h"

namespace vitrine::emu {

/// Counts are computed from the cycle on which they were loaded; only channel 0, whose output is
/// interrupt request 0, has events.
class Pit final : public ByteDevice {
 public:
  static constexpr uint16_t kPort = 0x40;
  static constexpr uint32_t kPorts = 4;
  static constexpr uint16_t kSystemControlPort = 0x61;
  /// Target offset under which port 61H is mapped.
  static constexpr uint64_t kSystemControlOffset = 0x10;
  static constexpr uint64_t kClockHz = 1'193'182;

  Pit(EventQueue& events, TimeBase time, Line irq);

  std::string_view name() const override { return "pit"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

 protected:
  uint8_t read_byte(uint64_t offset, Cycle now) override;
  void write_byte(uint64_t offset, uint8_t value, Cycle now) override;
  uint8_t peek_byte(uint64_t offset) const override;

 private:
  /// One counter. Times are in ticks of the 1.19 MHz clock.
  struct Channel {
    uint8_t mode = 0;
    uint8_t access = 3;  ///< 1 low byte, 2 high byte, 3 low then high
    bool bcd = false;
    bool gate = true;
    bool loaded = false;    ///< the counting element holds a count
    uint64_t start = 0;     ///< the tick that loaded it
    uint32_t reload = 1;    ///< 1 to 65536
    bool has_next = false;  ///< a count waits: for a trigger, or for the end of the period
    uint32_t next = 1;
    uint64_t switch_at = 0;  ///< modes 2 and 3: when the waiting count is loaded
    bool paused = false;     ///< gate low: the count stands still
    uint64_t stood_at = 0;   ///< ticks counted when it stopped
    uint8_t low_byte = 0;
    bool write_high = false;
    bool read_high = false;
    bool latched = false;
    uint16_t latch = 0;
    bool status_latched = false;
    uint8_t status = 0;

    void control(uint8_t word);
    void write(uint8_t value, uint64_t tick);
    void load(uint32_t count, uint64_t tick);
    void set_gate(bool level, uint64_t tick);
    void settle(uint64_t tick);
    uint64_t half_start(uint64_t at, uint32_t count) const;
    bool waits_for_clock(uint64_t tick) const;
    uint64_t elapsed(uint64_t tick) const;
    uint16_t count(uint64_t tick) const;
    bool output(uint64_t tick) const;
    uint8_t status_byte(uint64_t tick) const;
    void latch_count(uint64_t tick);
    uint8_t peek(uint64_t tick) const;
    uint8_t read(uint64_t tick);
    /// The first tick after `tick` on which OUT rises; ~0 when it does not.
    uint64_t next_rise(uint64_t tick) const;
    void visit(StateVisitor& v, std::string_view name);
  };

  uint64_t tick(Cycle now) const { return time_.ticks(now, kClockHz); }
  void write_control(uint8_t word, uint64_t tick);
  void schedule(uint64_t tick);
  uint8_t system_control(uint64_t tick) const;

  EventQueue& events_;
  TimeBase time_;
  Line irq_;
  EventTargetId id_;
  std::array<Channel, 3> channels_{};
  uint8_t system_control_ = 0;  ///< the bits of port 61H that are written
};

}  // namespace vitrine::emu
