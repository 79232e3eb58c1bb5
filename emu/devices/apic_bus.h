// ApicBus: carries interrupt messages between I/O APICs, MSI devices and local APICs.
#pragma once

#include <vector>

#include "emu/devices/device.h"

namespace vitrine::emu {

class LocalApic;

/// SDM "Interrupt Command Register (ICR)": delivery mode.
enum class DeliveryMode : uint8_t {
  fixed = 0,
  lowest_priority = 1,
  smi = 2,
  nmi = 4,
  init = 5,
  start_up = 6,
  ext_int = 7,
};

/// One interrupt message on its way.
struct ApicMessage {
  /// Every local APIC, in physical and logical mode alike.
  static constexpr uint32_t kBroadcast = 0xFFFFFFFF;

  uint32_t destination = 0;
  uint8_t vector = 0;
  DeliveryMode mode = DeliveryMode::fixed;
  bool logical = false;
  bool level = false;           ///< level-triggered
  bool exclude_sender = false;  ///< to all but `sender`
  uint8_t sender = 0;           ///< index of the sending processor

  friend bool operator==(const ApicMessage&, const ApicMessage&) = default;
  uint64_t pack() const;
  static ApicMessage unpack(uint64_t word);
};

/// Receives message-signalled interrupts: a write of `data` to `address` (FEExxxxxH).
class MsiTarget {
 public:
  virtual ~MsiTarget() = default;
  virtual void message(uint64_t address, uint32_t data, Cycle now) = 0;
};

/// Hears that a level-triggered interrupt was finished.
class EoiTarget {
 public:
  virtual ~EoiTarget() = default;
  virtual void end_of_interrupt(uint8_t vector, Cycle now) = 0;
};

/// Messages are stamped with the sender's time and arrive `latency` cycles later, in the order of the
/// event queue. The bus is also the APIC page: an access goes to the accessing processor's own APIC.
class ApicBus final : public Device, public MsiTarget {
 public:
  static constexpr Hpa kDefaultPage{0xFEE00000};
  static constexpr uint64_t kDefaultLatency = 400;

  explicit ApicBus(EventQueue& events, uint64_t latency = kDefaultLatency);

  /// In order of processor index. LocalApic does so itself.
  void add(LocalApic& apic) { apics_.push_back(&apic); }
  /// Ioapic does so itself; adding one twice changes nothing.
  void add_eoi_target(EoiTarget& target);

  void send(const ApicMessage& message, Cycle now);
  void message(uint64_t address, uint32_t data, Cycle now) override;
  void end_of_interrupt(uint8_t vector, Cycle now);
  /// Messages that no local APIC took.
  uint64_t unclaimed() const { return unclaimed_; }

  std::string_view name() const override { return "apic_bus"; }
  void reset(Cycle) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  void deliver(const ApicMessage& message, Cycle now);

  EventQueue& events_;
  uint64_t latency_;
  EventTargetId id_;
  std::vector<LocalApic*> apics_;
  std::vector<EoiTarget*> eoi_targets_;
  uint64_t unclaimed_ = 0;
};

}  // namespace vitrine::emu
