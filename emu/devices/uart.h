// Uart: a 16550A serial port whose transmitter is always ready unless real baud rates are asked for.
#pragma once

#include <array>
#include <vector>

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::emu {

struct UartOptions {
  bool real_rate = false;  ///< characters take the time that divisor and format say
};

class Uart final : public ByteDevice {
 public:
  static constexpr uint16_t kCom1 = 0x3F8;
  static constexpr uint32_t kPorts = 8;
  static constexpr unsigned kCom1Irq = 4;

  Uart(EventQueue& events, TimeBase time, Line irq, OutputSink* sink, UartOptions options = {});

  /// A byte arrives on the line. What does not fit into the FIFO waits on the sender's side.
  void receive(uint8_t byte, Cycle now);

  std::string_view name() const override { return "uart"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

 protected:
  uint8_t read_byte(uint64_t offset, Cycle now) override;
  void write_byte(uint64_t offset, uint8_t value, Cycle now) override;
  uint8_t peek_byte(uint64_t offset) const override;

 private:
  static constexpr size_t kFifo = 16;
  /// A ring of up to 16 characters.
  struct Fifo {
    std::array<uint8_t, kFifo> bytes{};
    uint8_t first = 0;
    uint8_t count = 0;
    void push(uint8_t byte) { bytes[(first + count++) % kFifo] = byte; }
    uint8_t pop();
    void clear() { first = count = 0; }
    void visit(StateVisitor& v, std::string_view name);
  };

  bool fifo_enabled() const;
  size_t depth() const { return fifo_enabled() ? kFifo : 1; }
  size_t trigger_level() const;
  Cycle after_characters(uint64_t count, Cycle now) const;
  uint8_t interrupt_id() const;
  uint8_t line_status() const;
  uint8_t modem_status() const;
  void update_irq(Cycle now);
  void accept(uint8_t byte, Cycle now);
  void refill(Cycle now);
  void transmit(uint8_t byte, Cycle now);
  void send(uint8_t byte, Cycle now);
  void write_fcr(uint8_t value);
  void write_mcr(uint8_t value);
  uint8_t read_receiver(Cycle now);

  EventQueue& events_;
  TimeBase time_;
  Line irq_;
  OutputSink* sink_;
  UartOptions options_;
  EventTargetId id_;

  uint8_t ier_ = 0;
  uint8_t fcr_ = 0;
  uint8_t lcr_ = 0;
  uint8_t mcr_ = 0;
  uint8_t scratch_ = 0;
  uint8_t modem_delta_ = 0;
  uint16_t divisor_ = 0;
  bool overrun_ = false;
  bool thr_interrupt_ = false;  ///< transmitter went empty and nobody has looked
  bool timeout_ = false;        ///< characters below the trigger level have waited long enough
  bool shifting_ = false;       ///< real rate: a character is on the line
  uint8_t shift_ = 0;
  Fifo rx_;
  Fifo tx_;
  std::vector<std::byte> backlog_;  ///< characters the sender still holds
  uint64_t characters_out_ = 0;
};

}  // namespace vitrine::emu
