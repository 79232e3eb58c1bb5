// Hpet: the high-precision event timer, one 10 MHz counter with three comparators.
#pragma once

#include <array>

#include "emu/devices/apic_bus.h"
#include "emu/devices/device.h"

namespace vitrine::emu {

/// Lines of the wiring: `irq.number + n` is input n of the I/O APIC; with legacy replacement timer 0
/// takes `legacy_timer` (IRQ 0) and timer 1 `legacy_rtc` (IRQ 8). Message delivery goes to `msi`.
struct HpetWiring {
  Line irq;
  Line legacy_timer;
  Line legacy_rtc;
  MsiTarget* msi = nullptr;
};

class Hpet final : public Device {
 public:
  static constexpr Hpa kDefaultPage{0xFED00000};
  static constexpr uint32_t kSize = 0x400;
  static constexpr uint64_t kClockHz = 10'000'000;
  static constexpr uint64_t kPeriodFs = 1'000'000'000'000'000 / kClockHz;
  /// Vendor, legacy replacement, 64-bit counter, last comparator, revision.
  static constexpr uint32_t kBlockId = 0x8086A201;
  static constexpr uint16_t kMinimumTicks = 0x80;
  static constexpr size_t kTimers = 3;

  Hpet(EventQueue& events, TimeBase time, const HpetWiring& wiring);

  /// While true the PIT and the RTC must not drive IRQ 0 and IRQ 8.
  bool legacy_replacement() const { return (config_ & 3) == 3; }

  std::string_view name() const override { return "hpet"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  struct Timer {
    uint64_t config = 0;
    uint64_t comparator = 0;
    uint64_t period = 0;
    uint64_t fsb = 0;
  };

  bool running() const { return (config_ & 1) != 0; }
  uint64_t counter(Cycle now) const;
  uint64_t word(uint64_t offset, Cycle now) const;
  void write_word(uint64_t offset, uint64_t value, uint64_t mask, Cycle now);
  void write_timer(Timer& timer, uint64_t reg, uint64_t value, uint64_t mask);
  void schedule(size_t index, Cycle now);
  void schedule_all(Cycle now);
  Line line_of(size_t index) const;
  void update_line(size_t index, Cycle now);

  EventQueue& events_;
  TimeBase time_;
  HpetWiring wiring_;
  EventTargetId id_;
  uint64_t config_ = 0;
  uint64_t status_ = 0;
  uint64_t held_ = 0;  ///< counter minus clock ticks while running, the counter while stopped
  std::array<Timer, kTimers> timers_{};
};

}  // namespace vitrine::emu
