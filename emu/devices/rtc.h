// Rtc: the MC146818 clock with 128 bytes of CMOS memory; it starts at a configured instant.
#pragma once

#include <array>

#include "emu/devices/device.h"

namespace vitrine::emu {

/// Updates that nobody can notice are not events: the registers catch up when they are looked at.
class Rtc final : public ByteDevice {
 public:
  static constexpr uint16_t kPort = 0x70;
  static constexpr uint32_t kPorts = 2;
  static constexpr unsigned kIrq = 8;
  static constexpr uint64_t kClockHz = 32'768;

  /// `start` is the instant at reset, in seconds since 1970 (UTC).
  Rtc(EventQueue& events, TimeBase time, Line irq, int64_t start);

  /// Bit 7 of port 70H: non-maskable interrupts do not reach the processor.
  bool nmi_masked() const { return nmi_masked_; }
  /// For firmware data behind the clock's own registers.
  void set_cmos(uint8_t index, uint8_t value) { cmos_[index % kCmos] = value; }
  uint8_t cmos(uint8_t index) const { return cmos_[index % kCmos]; }

  std::string_view name() const override { return "rtc"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

 protected:
  uint8_t read_byte(uint64_t offset, Cycle now) override;
  void write_byte(uint64_t offset, uint8_t value, Cycle now) override;
  uint8_t peek_byte(uint64_t offset) const override;

 private:
  static constexpr size_t kCmos = 128;

  bool running() const;
  uint64_t period() const;
  uint64_t tick(Cycle now) const { return time_.ticks(now, kClockHz) - origin_tick_; }
  void catch_up(Cycle now);
  void add_seconds(uint64_t seconds);
  uint64_t seconds_to_alarm(uint64_t limit) const;
  unsigned value_of(uint8_t index) const;
  void set_value(uint8_t index, unsigned value);
  unsigned hour() const;
  void set_hour(unsigned hour);
  void write_register(uint8_t value, Cycle now);
  void update(Cycle now);

  EventQueue& events_;
  TimeBase time_;
  Line irq_;
  int64_t start_;
  EventTargetId id_;

  uint8_t index_ = 0;
  bool nmi_masked_ = false;
  std::array<uint8_t, kCmos> cmos_{};
  uint64_t origin_tick_ = 0;  ///< when the divider chain stood at 0, modulo 2^64
  uint64_t seconds_ = 0;      ///< updates applied since then
  uint64_t periods_ = 0;      ///< periodic interrupts seen since then
};

}  // namespace vitrine::emu
