// Machine: the whole emulated PC: memory, bus, processors, chips and the time they share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "emu/cpu/cpu.h"
#include "emu/cpu/jit/engine.h"
#include "emu/devices/event_queue.h"
#include "emu/machine/board.h"
#include "emu/machine/boot/boot.h"
#include "emu/machine/config.h"
#include "emu/machine/dma_lint.h"
#include "emu/machine/input_log.h"
#include "emu/machine/scheduler.h"

namespace vitrine::emu {

enum class StopReason : uint8_t {
  cycle_limit,        ///< the clock reached RunRequest::until
  instruction_limit,  ///< RunRequest::max_instructions were retired
  observer,           ///< an observer or stop() asked for it
  guest_exit,         ///< the exit port was written: exit_code()
  power_off,          ///< ACPI sleep state S5
  reset,              ///< a reset was requested by a chip
  triple_fault,       ///< a processor shut down
  deadlock,           ///< every processor waits and no event is left
};
std::string_view stop_reason_name(StopReason reason);

struct RunRequest {
  Cycle until = kNever;
  uint64_t max_instructions = ~uint64_t{0};  ///< in total, since reset
};

/// Nothing in here knows the host's time, threads or files; two machines in one process do not
/// notice each other.
class Machine final : private CpuPorts, private BoardEvents {
 public:
  /// `config` must have no config_error().
  explicit Machine(const MachineConfig& config);
  ~Machine() override;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Loads an image and prepares processor 0. Throws BootError.
  BootResult boot(const BootRequest& request);

  /// Runs until something stops it. May be called again unless the reason is final (guest_exit,
  /// power_off, reset, triple_fault, deadlock without further input).
  StopReason run(const RunRequest& request);
  /// Leaves run() at the next instruction boundary of the running processor.
  void stop();

  /// Bytes from outside, taking effect now; recorded.
  void input(InputPort port, std::span<const uint8_t> bytes);
  /// Bytes that take effect at a given cycle: the events of a recording.
  void schedule_input(const InputLog& log);
  const InputLog& input_log() const { return input_log_; }
  /// Receives what the guest prints on a line; one receiver.
  void set_output(OutputReceiver* receiver) { board_.set_output(receiver); }

  const MachineConfig& config() const { return config_; }
  Bus& bus() { return bus_; }
  Memory& memory() { return memory_; }
  Cpu& cpu(uint32_t index) { return *cpus_[index]; }
  const Cpu& cpu(uint32_t index) const { return *cpus_[index]; }
  uint32_t processors() const { return static_cast<uint32_t>(cpus_.size()); }
  /// The processor whose instruction runs or ran last.
  uint32_t current_processor() const { return turn_.processor; }
  Board& board() { return board_; }
  const Board& board() const { return board_; }
  BlockCache& blocks() { return blocks_; }

  /// None where the interpreter runs everything.
  const jit::Engine* engine() const { return engine_.get(); }
  /// Machine time: the smallest clock of a processor that is not idle, else the last event's.
  Cycle now() const;
  /// Instructions retired by all processors since reset.
  uint64_t instructions() const;
  uint32_t exit_code() const { return exit_code_; }
  /// What devices did to memory that the processor of their driver could not have reached.
  const DmaLint::Report& dma_report() const { return dma_lint_.report(); }

  uint64_t state_hash();
  std::vector<std::byte> save();
  /// Why load() would refuse the bytes, as the end of a sentence; empty when they fit.
  std::string snapshot_error(std::span<const std::byte> snapshot) const;
  /// False, with nothing changed, when the bytes are not a whole snapshot of a machine configured like
  /// this one.
  bool load(std::span<const std::byte> snapshot);
  void visit(StateVisitor& v);

 private:
  // CpuPorts
  uint32_t processor_count() const override { return config_.processors; }
  bool interrupt_pending(uint32_t processor, Cycle now) override;
  std::optional<uint8_t> acknowledge_interrupt(uint32_t processor, Cycle now) override;
  void end_interrupt(uint32_t processor, Cycle now) override;
  uint8_t task_priority(uint32_t processor) override;
  void set_task_priority(uint32_t processor, uint8_t priority, Cycle now) override;
  Result<void, Fault> set_apic_base(uint32_t processor, uint64_t value) override;
  Result<uint64_t, Fault> read_apic_msr(uint32_t processor, uint32_t msr, Cycle now) override;
  Result<void, Fault> write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value,
                                     Cycle now) override;
  void tsc_changed(uint32_t processor, Cycle now) override;
  void triple_fault(uint32_t processor, Cycle now) override;
  void set_ferr(uint32_t processor, bool level, Cycle now) override;

  // BoardEvents
  void processor_attention(uint32_t processor) override;
  void processor_nmi(uint32_t processor) override;
  void processor_init(uint32_t processor) override;
  void processor_sipi(uint32_t processor, uint8_t vector) override;
  void guest_exit(uint32_t code) override;
  void power_off() override;
  void reset_requested() override;
  uint64_t tsc_adjust(uint32_t processor) const override;

  Cycle machine_now() const override { return now(); }

  void end(StopReason reason);
  void happen(Cycle now);
  Cycle next_happening() const;
  /// No processor has executed anything later than this.
  Cycle latest() const;

  MachineConfig config_;
  Memory memory_;
  Bus bus_;
  BlockCache blocks_;
  EventQueue events_;
  Board board_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  DmaLint dma_lint_;

  InputLog input_log_;
  std::vector<InputEvent> inputs_;  ///< the world outside: not part of the state
  std::unique_ptr<jit::Engine> engine_;
  size_t next_input_ = 0;
  Cycle waited_until_;  ///< machine time while every processor idles: where a stop left the clock

  Turn turn_;  ///< whose turn it is; outlives stops that are not the guest's
  bool ended_ = false;
  StopReason end_reason_{};
  uint32_t exit_code_ = 0;
};

}  // namespace vitrine::emu
