// LocalApic: one processor's interrupt controller and timer, as a memory page or as x2APIC MSRs.
#pragma once

#include <array>
#include <optional>

#include "emu/arch/exceptions.h"
#include "emu/devices/apic_bus.h"
#include "emu/devices/device.h"

namespace vitrine::emu {

/// What a local APIC does to its processor.
class ApicClient {
 public:
  virtual ~ApicClient() = default;
  /// pending() may have changed.
  virtual void attention(uint32_t processor, Cycle now) = 0;
  virtual void nmi(uint32_t processor, Cycle now) = 0;
  /// The APIC has reset itself already.
  virtual void init(uint32_t processor, Cycle now) = 0;
  virtual void start_up(uint32_t processor, uint8_t vector, Cycle now) = 0;
};

/// The processor's time-stamp counter as a function of its clock.
class TscClock {
 public:
  virtual ~TscClock() = default;
  /// The first cycle on which the TSC of this processor is at or past `tsc`.
  virtual Cycle when(uint32_t processor, uint64_t tsc) const = 0;
};

/// The machine-wide parts a local APIC is wired to. `ext_int` may be absent.
struct ApicWiring {
  EventQueue& events;
  ApicBus& bus;
  ApicClient& client;
  TscClock& tsc;
  ExtIntSource* ext_int = nullptr;
  TimeBase time{};
  uint64_t timer_hz = 25'000'000;  ///< the core crystal clock (CPUID leaf 15H)
};

/// Lines: 0 is LINT0, 1 is LINT1.
class LocalApic final : public Device, public LineTarget {
 public:
  static constexpr unsigned kLint0 = 0;
  static constexpr unsigned kLint1 = 1;

  /// Adds itself to the bus; create them in order of processor.
  LocalApic(uint32_t processor, const ApicWiring& wiring);

  // --- The processor's side ---
  /// True when a maskable interrupt would be delivered now.
  bool pending() const { return ext_int_waits() || deliverable() != 0; }
  /// Takes it: the vector; none when it has gone meanwhile.
  std::optional<uint8_t> acknowledge(Cycle now);
  /// What a write of 0 to the EOI register does.
  void end_of_interrupt(Cycle now);
  uint8_t task_priority() const { return static_cast<uint8_t>(tpr_ >> 4); }  ///< CR8
  void set_task_priority(uint8_t cr8, Cycle now);
  /// IA32_APIC_BASE.
  uint64_t base() const { return base_; }
  Result<void, Fault> set_base(uint64_t value, unsigned physical_bits, Cycle now);
  /// IA32_TSC_DEADLINE and the x2APIC range.
  Result<uint64_t, Fault> read_msr(uint32_t msr, Cycle now) const;
  Result<void, Fault> write_msr(uint32_t msr, uint64_t value, Cycle now);
  /// The TSC was written or adjusted: a deadline moves.
  void tsc_changed(Cycle now) { schedule_timer(now); }
  /// Firmware's hand-over: software-enabled, LINT0 = ExtINT (virtual wire), LINT1 = NMI.
  void set_virtual_wire(Cycle now);
  /// INIT: as reset, but IA32_APIC_BASE and the APIC ID stay.
  void init(Cycle now);

  // --- The bus's side ---
  uint32_t processor() const { return processor_; }
  bool enabled() const { return (base_ & kBaseEnable) != 0; }
  bool x2apic() const { return (base_ & kBaseX2apic) != 0; }
  bool software_enabled() const { return enabled() && (svr_ & kSvrEnable) != 0; }
  bool matches(uint32_t destination, bool logical) const;
  /// False when the APIC does not take the message.
  bool accept(const ApicMessage& message, Cycle now);
  uint8_t processor_priority() const;
  void set_line(unsigned line, bool level, Cycle now) override;

  std::string_view name() const override { return "local_apic"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  static constexpr uint64_t kBaseBootstrap = 1u << 8;
  static constexpr uint64_t kBaseX2apic = 1u << 10;
  static constexpr uint64_t kBaseEnable = 1u << 11;
  static constexpr uint32_t kMasked = 1u << 16;  ///< in every LVT entry
  static constexpr uint32_t kSvrEnable = 1u << 8;
  static constexpr uint32_t kSvrNoEoiBroadcast = 1u << 12;
  /// 256 bits, one per vector.
  using Vectors = std::array<uint32_t, 8>;
  /// The local vector table, in the order of its registers.
  enum Lvt : size_t { cmci, timer, thermal, performance, lint0, lint1, error, kLvts };

  static bool test(const Vectors& v, unsigned vector) {
    return (v[vector / 32] >> vector % 32 & 1) != 0;
  }
  static void set(Vectors& v, unsigned vector) { v[vector / 32] |= 1u << vector % 32; }
  static void clear(Vectors& v, unsigned vector) { v[vector / 32] &= ~(1u << vector % 32); }
  static unsigned highest(const Vectors& v);

  bool ext_int_waits() const;
  unsigned deliverable() const;
  void request(uint8_t vector, bool level, Cycle now);
  void trigger(Lvt entry, Cycle now);
  void update_lints(Cycle now);
  void raise_error(uint32_t bit, Cycle now);
  void send_ipi(uint64_t icr, Cycle now);
  uint32_t logical_id() const;

  std::optional<uint32_t> read_register(uint32_t reg, Cycle now) const;
  bool write_register(uint32_t reg, uint32_t value, Cycle now);
  void write_lvt(Lvt entry, uint32_t value, Cycle now);

  // The timer (local_apic_timer.cpp). Ticks are of the undivided timer clock.
  uint64_t divisor() const;
  uint32_t current_count(Cycle now) const;
  void start_timer(uint32_t count, Cycle now);
  void schedule_timer(Cycle now);
  void write_deadline(uint64_t tsc, Cycle now);
  bool deadline_mode() const { return (lvt_[timer] >> 17 & 3) == 2; }
  bool periodic_mode() const { return (lvt_[timer] >> 17 & 3) == 1; }

  uint32_t processor_;
  ApicWiring wiring_;
  EventTargetId id_;

  uint64_t base_ = 0;
  uint32_t xapic_id_ = 0;
  uint8_t tpr_ = 0;
  uint32_t ldr_ = 0;
  uint32_t dfr_ = 0xFFFFFFFF;
  uint32_t svr_ = 0xFF;
  uint64_t icr_ = 0;
  uint32_t errors_ = 0;  ///< gathered since the last write to ESR
  uint32_t esr_ = 0;
  Vectors irr_{};
  Vectors isr_{};
  Vectors tmr_{};
  std::array<uint32_t, kLvts> lvt_{};
  std::array<bool, 2> lint_level_{};
  bool ext_int_message_ = false;  ///< an ExtINT message waits
  uint32_t divide_ = 0;
  uint32_t initial_count_ = 0;
  uint32_t start_count_ = 0;  ///< what the counter held at start_tick_
  uint64_t start_tick_ = 0;
  uint64_t deadline_ = 0;
};

}  // namespace vitrine::emu
