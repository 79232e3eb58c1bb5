// Power: the ACPI fixed hardware (PM1 events and control, PM timer) and the reset register 0xCF9.
#pragma once

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::emu {

/// ACPI is always on: SCI_EN reads 1 and the SMI command port swallows what is written to it.
class Power final : public Device {
 public:
  // Ports as QEMU's i440FX machine has them: images that power off by a write to 604H work.
  static constexpr uint16_t kEventPort = 0x600;
  static constexpr uint16_t kControlPort = 0x604;
  static constexpr uint16_t kTimerPort = 0x608;
  static constexpr uint32_t kBlockPorts = 12;  ///< of the three blocks together
  static constexpr uint16_t kResetPort = 0xCF9;
  static constexpr uint16_t kSmiPort = 0xB2;
  /// Target offsets under which the two single ports are mapped.
  static constexpr uint64_t kResetOffset = 0x100;
  static constexpr uint64_t kSmiOffset = 0x200;
  static constexpr uint64_t kTimerHz = 3'579'545;
  static constexpr unsigned kSciIrq = 9;
  static constexpr uint8_t kSleepTypeS5 = 0;
  static constexpr uint8_t kResetValue = 6;  ///< hard reset, as the FADT tells

  Power(EventQueue& events, TimeBase time, Line sci, PowerSink& sink);

  void press_button(Cycle now);

  std::string_view name() const override { return "power"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  void catch_up(Cycle now);
  void update(Cycle now);
  uint64_t block(Cycle now, uint64_t offset) const;
  void write_byte(uint64_t offset, uint8_t value, Cycle now);
  void write_reset(uint8_t value, Cycle now);

  EventQueue& events_;
  TimeBase time_;
  Line sci_;
  PowerSink& sink_;
  EventTargetId id_;

  uint16_t status_ = 0;
  uint16_t enable_ = 0;
  uint16_t control_ = 0;
  uint8_t reset_ = 0;
  uint64_t timer_halves_ = 0;  ///< changes of the timer's top bit that were noticed
};

}  // namespace vitrine::emu
