// Ioapic: 24 interrupt inputs, each with a redirection entry that says whom to interrupt and how.
#pragma once

#include <array>

#include "emu/devices/apic_bus.h"
#include "emu/devices/device.h"

namespace vitrine::emu {

class Ioapic final : public Device, public LineTarget, public EoiTarget {
 public:
  static constexpr Hpa kDefaultPage{0xFEC00000};
  static constexpr uint64_t kSize = 0x1000;
  static constexpr unsigned kInputs = 24;

  /// `bus` must outlive it. Registers itself for EOI messages.
  Ioapic(ApicBus& bus, uint8_t id);

  /// `level` true means asserted, whatever the polarity of the entry.
  void set_line(unsigned line, bool level, Cycle now) override;
  void end_of_interrupt(uint8_t vector, Cycle now) override;

  std::string_view name() const override { return "ioapic"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;

  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  uint32_t window() const;
  void write_window(uint32_t value, Cycle now);
  void service(unsigned input, Cycle now);
  void send(unsigned input, Cycle now);

  ApicBus& bus_;
  uint8_t reset_id_;
  uint8_t id_;
  uint8_t select_ = 0;
  uint32_t levels_ = 0;
  std::array<uint64_t, kInputs> entries_{};
};

}  // namespace vitrine::emu
