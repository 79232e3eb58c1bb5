// Recorder: watches a running machine and writes down transitions, hypercalls and changes of mode.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "emu/cpu/observer.h"
#include "emu/machine/machine.h"
#include "frontend/images.h"
#include "frontend/inspect/hypervisor_view.h"
#include "frontend/record/events.h"

namespace vitrine::ui {

/// Costs no simulated cycle: it reads, and marks lines of memory as watched. Objects of the
/// hypervisor are found through its image's own symbol and followed by their layouts.
class Recorder final : public emu::CpuObserver, public emu::WatchSink {
 public:
  Recorder(emu::Machine& machine, const BootPlan& plan);
  ~Recorder() override;

  const std::vector<Transition>& transitions() const { return transitions_; }
  const std::vector<HypercallEvent>& hypercalls() const { return hypercalls_; }
  const std::vector<PoolSample>& pool_samples() const { return pool_samples_; }
  const std::vector<LaneChange>& lanes() const { return lanes_; }
  const std::vector<InterruptEvent>& interrupts() const { return interrupts_; }
  /// Exits by reason number.
  const std::map<uint32_t, uint64_t>& exits() const { return exits_; }
  HypervisorView view() const;
  bool knows_hypervisor() const { return root_object_.has_value(); }
  /// Why the objects of the hypervisor that runs cannot be shown; empty when they can, or none runs.
  std::string why_unknown() const;

  /// Whether hypercalls are taken apart by symbol, for which each of their instructions is looked at;
  /// else what lies between exit and entry is one phase.
  bool measures_phases = true;
  /// Whether events stay here after they were told of, for who shows them at the end of the run.
  bool keeps_events = true;

  /// Called as things happen.
  std::function<void(const Transition&)> on_transition;
  std::function<void(const HypercallEvent&)> on_hypercall;
  /// A hypercall reached the hypervisor for the first time.
  std::function<void(const HypercallEvent&)> on_hypercall_begin;
  /// A VM exit with this reason number, after it was recorded.
  std::function<void(uint32_t)> on_exit;
  std::function<void()> on_entry;
  std::function<void(uint8_t)> on_interrupt;
  std::function<void(uint8_t)> on_exception;
  /// Any write to a watched object, whether or not a state changed.
  std::function<void()> on_object_write;
  /// Asked in front of every instruction once watch_every_instruction() was called: true stops.
  std::function<bool(const emu::Cpu&)> stop_in_front;
  void watch_every_instruction();

  // CpuObserver
  bool stop_before(const emu::Cpu& cpu, const emu::Insn& insn) override;
  void exception(const emu::Cpu& cpu, const emu::Fault& fault) override;
  void retired(const emu::Cpu& cpu, const emu::Insn& insn, uint64_t rip) override;
  void interrupt(const emu::Cpu& cpu, uint8_t vector, bool software) override;
  void vm_exit(const emu::Cpu& cpu, uint32_t reason, uint64_t qualification) override;
  void vm_entry(const emu::Cpu& cpu) override;
  // WatchSink
  void watched_write(uint64_t offset, std::span<const std::byte> before,
                     std::span<const std::byte> after) override;

  /// "hv: finalize_step+0x1c" for an address as seen in root mode (hv) or by a guest.
  std::string describe(bool root_mode, uint64_t rip) const;
  Lane lane_of(const emu::Cpu& cpu) const;

 private:
  /// What is being measured on one processor.
  struct Running {
    std::optional<size_t> hypercall;  ///< index into hypercalls_, while its exit is handled
    emu::Cycle mark;                  ///< phases account for everything up to here
  };

  void follow_objects();
  void watch(uint64_t address, std::span<const Fields> fields);
  Place place(const emu::Cpu& cpu) const;
  Phase& phase(Attempt& attempt, const std::string& name);
  void compare(const HypervisorView& now);
  void note_lane(const emu::Cpu& cpu, Lane lane);
  void begin_attempt(const emu::Cpu& cpu);
  void end_attempt(const emu::Cpu& cpu);
  /// Whether anybody wants to know of hypercalls.
  bool follows_calls() const { return keeps_events || on_hypercall_begin || on_hypercall; }
  std::optional<size_t> pending_call(uint64_t vmcs) const;

  emu::Machine& machine_;
  const BootPlan& plan_;
  std::optional<emu::Hpa> root_object_;
  HypervisorView last_;
  std::map<uint64_t, uint64_t> watched_;  ///< offsets in RAM: where watched fields start and end
  std::vector<uint64_t> root_vmcs_;  ///< by processor: the first VMCS entered; 0 for none yet
  std::vector<Running> running_;
  bool every_instruction_ = false;
  std::vector<Transition> transitions_;
  std::vector<HypercallEvent> hypercalls_;
  std::vector<size_t> unfinished_;  ///< of hypercalls_, in their order
  std::vector<PoolSample> pool_samples_;
  std::vector<LaneChange> lanes_;
  std::vector<InterruptEvent> interrupts_;
  std::map<uint32_t, uint64_t> exits_;
};

}  // namespace vitrine::ui
