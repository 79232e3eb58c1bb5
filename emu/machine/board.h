// Board: the chips of the PC, their wires, their places on the bus, and what they tell the machine.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "emu/arch/exceptions.h"
#include "emu/devices/debug_port.h"
#include "emu/devices/exit_port.h"
#include "emu/devices/sinks.h"
#include "emu/devices/uart.h"
#include "emu/machine/config.h"
#include "emu/machine/input_log.h"

namespace vitrine::emu {

/// Lines that guest text leaves by.
enum class OutputPort : uint8_t { serial, debug, console };

class OutputReceiver {
 public:
  virtual ~OutputReceiver() = default;
  virtual void output(OutputPort port, std::span<const uint8_t> bytes, Cycle now) = 0;
};

/// What the chips ask of the machine.
class BoardEvents {
 public:
  virtual ~BoardEvents() = default;
  /// The local APIC's answer to "is an interrupt pending" may have changed.
  virtual void processor_attention(uint32_t processor) = 0;
  virtual void processor_nmi(uint32_t processor) = 0;
  virtual void processor_init(uint32_t processor) = 0;
  virtual void processor_sipi(uint32_t processor, uint8_t vector) = 0;
  virtual void guest_exit(uint32_t code) = 0;
  virtual void power_off() = 0;
  virtual void reset_requested() = 0;
  virtual uint64_t tsc_adjust(uint32_t processor) const = 0;
  virtual Cycle machine_now() const = 0;
};

class Board final {
 public:
  /// Bytes of Memory behind the guest's RAM that the board keeps ROM and test RAM in.
  static constexpr uint64_t kStorage = uint64_t{1} << 20;

  Board(const MachineConfig& config, Bus& bus, EventQueue& events, BoardEvents& machine);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  void map_devices();
  void reset(Cycle now);
  /// Writes the ACPI tables into the BIOS area; answers where the RSDP is.
  Hpa write_acpi_tables();
  void set_output(OutputReceiver* receiver) { receiver_ = receiver; }
  /// Bytes from outside arrive on a line.
  void receive(InputPort port, std::span<const uint8_t> bytes, Cycle now);

  bool interrupt_pending(uint32_t processor, Cycle now);
  std::optional<uint8_t> acknowledge_interrupt(uint32_t processor, Cycle now);
  uint8_t task_priority(uint32_t processor);
  void set_task_priority(uint32_t processor, uint8_t priority, Cycle now);
  uint64_t apic_base(uint32_t processor) const;
  Result<void, Fault> set_apic_base(uint32_t processor, uint64_t value);
  Result<uint64_t, Fault> read_apic_msr(uint32_t processor, uint32_t msr, Cycle now);
  Result<void, Fault> write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value, Cycle now);
  void tsc_changed(uint32_t processor, Cycle now);
  void set_ferr(bool level, Cycle now);

  void visit(StateVisitor& v);

 private:
  struct TextLine final : OutputSink {
    Board& board;
    OutputPort port;
    TextLine(Board& b, OutputPort p) : board(b), port(p) {}
    void output(std::span<const uint8_t> bytes) override;
  };
  struct Verdict final : ExitSink, PowerSink {
    BoardEvents& machine;
    explicit Verdict(BoardEvents& m) : machine(m) {}
    void guest_exit(uint32_t code, Cycle) override { machine.guest_exit(code); }
    void power_off(Cycle) override { machine.power_off(); }
    void reset_requested(Cycle) override { machine.reset_requested(); }
  };

  const MachineConfig& config_;
  Bus& bus_;
  BoardEvents& machine_;
  OutputReceiver* receiver_ = nullptr;

  TextLine serial_line_;
  TextLine debug_line_;
  Verdict verdict_;
  TimeBase time_;
  Uart uart_;
  DebugPort debug_port_;
  ExitPort exit_port_;
};

}  // namespace vitrine::emu
