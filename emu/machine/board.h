// Board: the chips of the PC, their wires, their places on the bus, and what they tell the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emu/arch/exceptions.h"
#include "emu/devices/apic_bus.h"
#include "emu/devices/debug_port.h"
#include "emu/devices/exit_port.h"
#include "emu/devices/fw_cfg.h"
#include "emu/devices/hpet.h"
#include "emu/devices/i8042.h"
#include "emu/devices/ioapic.h"
#include "emu/devices/local_apic.h"
#include "emu/devices/pci.h"
#include "emu/devices/pic.h"
#include "emu/devices/pit.h"
#include "emu/devices/power.h"
#include "emu/devices/rtc.h"
#include "emu/devices/sinks.h"
#include "emu/devices/test_device.h"
#include "emu/devices/uart.h"
#include "emu/devices/virtio_block.h"
#include "emu/devices/virtio_console.h"
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
  /// Bytes of Memory behind the guest's RAM that the board keeps ROM in.
  static uint64_t storage(const MachineConfig& config);

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

  bool interrupt_pending(uint32_t processor);
  std::optional<uint8_t> acknowledge_interrupt(uint32_t processor, Cycle now);
  void end_interrupt(uint32_t processor, Cycle now) { apics_[processor]->end_of_interrupt(now); }
  uint8_t task_priority(uint32_t processor);
  void set_task_priority(uint32_t processor, uint8_t priority, Cycle now);
  uint64_t apic_base(uint32_t processor) const;
  Result<void, Fault> set_apic_base(uint32_t processor, uint64_t value, Cycle now);
  Result<uint64_t, Fault> read_apic_msr(uint32_t processor, uint32_t msr, Cycle now);
  Result<void, Fault> write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value, Cycle now);
  void tsc_changed(uint32_t processor, Cycle now);
  void set_ferr(bool level, Cycle now);

  /// The disks as the guest has left them, in the order of the configuration.
  const Disk& disk(size_t index) const { return disks_[index]->disk; }

  /// Every chip, in the order of visits; for panels.
  const std::vector<Device*>& chips() const { return chips_; }
  void visit(StateVisitor& v);

 private:
  /// ISA requests reach the 8259 pair and the I/O APIC at once; request 0 is GSI 2 there. Lines from
  /// 16 on are the I/O APIC's alone.
  struct IsaLines final : LineTarget {
    Pic& pic;
    Ioapic& ioapic;
    IsaLines(Pic& p, Ioapic& i) : pic(p), ioapic(i) {}
    void set_line(unsigned line, bool level, Cycle now) override {
      pic.set_line(line, level, now);
      ioapic.set_line(line == 0 ? 2 : line, level, now);
    }
  };
  /// The PIT and the RTC, silent while the HPET has taken their requests over.
  struct LegacyTimers final : LineTarget {
    Board& board;
    explicit LegacyTimers(Board& b) : board(b) {}
    void set_line(unsigned line, bool level, Cycle now) override {
      if (!board.hpet_.legacy_replacement()) board.isa_.set_line(line, level, now);
    }
  };
  /// What local APICs do to their processors, and the clocks they ask for.
  struct Processors final : ApicClient, TscClock {
    BoardEvents& machine;
    explicit Processors(BoardEvents& m) : machine(m) {}
    void attention(uint32_t processor, Cycle) override { machine.processor_attention(processor); }
    void nmi(uint32_t processor, Cycle) override { machine.processor_nmi(processor); }
    void init(uint32_t processor, Cycle) override { machine.processor_init(processor); }
    void start_up(uint32_t processor, uint8_t vector, Cycle) override {
      machine.processor_sipi(processor, vector);
    }
    Cycle when(uint32_t processor, uint64_t tsc) const override {
      return Cycle{tsc - machine.tsc_adjust(processor)};
    }
  };
  /// The 8259's INTR output, wired to LINT0 of the bootstrap processor.
  struct ExternalInterrupt final : LineTarget {
    Board& board;
    explicit ExternalInterrupt(Board& b) : board(b) {}
    void set_line(unsigned, bool level, Cycle now) override;
  };
  /// The two ways in which the map of memory changes: the A20 gate, and RAM in place of ROM.
  struct MemoryGates final : A20Sink, ShadowSink {
    Board& board;
    explicit MemoryGates(Board& b) : board(b) {}
    void set_a20(bool open, Cycle) override { board.bus_.set_a20(open); }
    void shadow_changed(std::span<const uint8_t, 7> pam) override;
  };
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

  /// A disk and the controller that shows it.
  struct DiskSlot {
    Disk disk;
    VirtioBlock controller;
    DiskSlot(EventQueue& events, Bus& bus, Line interrupt, const DiskConfig& config)
        : disk(*config.source, config.read_only), controller(events, bus, interrupt, disk) {}
  };

  /// A page where processors find their local APICs, and what the bus shows without them.
  struct ApicPage {
    Hpa page;
    BusRange beneath;
  };
  void map_apics();
  void map_firmware();
  void write_blank(uint64_t offset);
  void map_segment(Hpa start, uint64_t size, bool reads_ram, bool writes_ram);

  const MachineConfig& config_;
  Bus& bus_;
  BoardEvents& machine_;
  OutputReceiver* receiver_ = nullptr;

  TextLine serial_line_;
  TextLine debug_line_;
  TextLine console_line_;
  Verdict verdict_;
  Processors processors_;
  ExternalInterrupt external_interrupt_;
  MemoryGates gates_;
  TimeBase time_;
  ApicBus apic_bus_;
  Ioapic ioapic_;
  Pic pic_;
  IsaLines isa_;
  LegacyTimers legacy_timers_;
  std::vector<std::unique_ptr<LocalApic>> apics_;
  std::vector<ApicPage> apic_pages_;
  Pit pit_;
  Rtc rtc_;
  Power power_;
  Hpet hpet_;
  PciHost pci_;
  I8042 i8042_;
  FwCfg fw_cfg_;
  TestDevice test_device_;
  Uart uart_;
  DebugPort debug_port_;
  ExitPort exit_port_;
  std::unique_ptr<VirtioConsole> console_;
  std::vector<std::unique_ptr<DiskSlot>> disks_;
  std::vector<Device*> chips_;
};

}  // namespace vitrine::emu
