// I8042: the keyboard controller with a keyboard behind it, the A20 gate and the reset pulse.
#pragma once

#include <array>
#include <vector>

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::emu {

/// Ports 60H and 64H, and port 92H of the chip set. No mouse is attached.
class I8042 final : public ByteDevice {
 public:
  static constexpr uint16_t kDataPort = 0x60;
  static constexpr uint16_t kCommandPort = 0x64;
  static constexpr uint16_t kFastA20Port = 0x92;
  /// Target offsets under which the three are mapped, one port each.
  static constexpr uint64_t kDataOffset = 0;
  static constexpr uint64_t kCommandOffset = 0x10;
  static constexpr uint64_t kFastA20Offset = 0x20;
  static constexpr unsigned kIrq = 1;

  I8042(Line irq, PowerSink& power, A20Sink* a20) : irq_(irq), power_(power), a20_(a20) {}

  /// A byte from the keyboard, in scan code set 2.
  void receive(uint8_t byte, Cycle now);

  std::string_view name() const override { return "i8042"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;

 protected:
  uint8_t read_byte(uint64_t offset, Cycle now) override;
  void write_byte(uint64_t offset, uint8_t value, Cycle now) override;
  uint8_t peek_byte(uint64_t offset) const override;

 private:
  uint8_t status() const;
  void command(uint8_t value, Cycle now);
  void data(uint8_t value, Cycle now);
  void keyboard(uint8_t value);
  void write_output_port(uint8_t value, Cycle now);
  void answer(uint8_t value, bool from_mouse = false);
  void key(uint8_t value);
  void refill();
  void update(Cycle now);

  Line irq_;
  PowerSink& power_;
  A20Sink* a20_;

  uint8_t config_ = 0;
  uint8_t output_port_ = 0;
  uint8_t buffer_ = 0;  ///< the output buffer: what port 60H reads
  bool full_ = false;
  bool from_mouse_ = false;
  bool last_was_command_ = false;
  uint8_t expects_ = 0;  ///< the controller command whose parameter comes next
  uint8_t keyboard_expects_ = 0;
  bool break_prefix_ = false;  ///< translation: an F0H waits for its key
  bool scanning_ = true;
  uint8_t leds_ = 0;
  uint8_t scan_set_ = 2;
  std::array<uint8_t, 16> ram_{};
  std::vector<std::byte> keys_;  ///< what the keyboard has sent and nobody has read
};

}  // namespace vitrine::emu
