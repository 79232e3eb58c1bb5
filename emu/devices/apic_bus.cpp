// The message bus: who a message is for, and when it arrives.
#include "emu/devices/apic_bus.h"

#include <algorithm>

#include "emu/devices/local_apic.h"

namespace vitrine::emu {

namespace {
constexpr uint32_t kArrive = 0;  // event kind; its data is the packed message
}

uint64_t ApicMessage::pack() const {
  return uint64_t{destination} | uint64_t{vector} << 32 | static_cast<uint64_t>(mode) << 40 |
         uint64_t{logical} << 43 | uint64_t{level} << 44 | uint64_t{exclude_sender} << 45 |
         uint64_t{sender} << 48;
}

ApicMessage ApicMessage::unpack(uint64_t word) {
  return {.destination = static_cast<uint32_t>(word),
          .vector = static_cast<uint8_t>(word >> 32),
          .mode = static_cast<DeliveryMode>(word >> 40 & 7),
          .logical = (word >> 43 & 1) != 0,
          .level = (word >> 44 & 1) != 0,
          .exclude_sender = (word >> 45 & 1) != 0,
          .sender = static_cast<uint8_t>(word >> 48)};
}

ApicBus::ApicBus(EventQueue& events, uint64_t latency) : events_(events), latency_(latency) {
  id_ = events_.add_target(*this);
}

void ApicBus::add_eoi_target(EoiTarget& target) {
  const auto known = std::find(eoi_targets_.begin(), eoi_targets_.end(), &target);
  if (known == eoi_targets_.end()) eoi_targets_.push_back(&target);
}

void ApicBus::reset(Cycle) {
  events_.cancel(id_, kArrive);
  unclaimed_ = 0;
}

void ApicBus::send(const ApicMessage& message, Cycle now) {
  events_.schedule(now + latency_, id_, kArrive, message.pack());
}

// SDM "Message Address Register Format", "Message Data Register Format".
void ApicBus::message(uint64_t address, uint32_t data, Cycle now) {
  const auto id = static_cast<uint32_t>(address >> 12 & 0xFF);
  ApicMessage m;
  m.destination = id == 0xFF ? ApicMessage::kBroadcast : id;
  m.logical = (address & 4) != 0;
  m.vector = static_cast<uint8_t>(data);
  m.mode = static_cast<DeliveryMode>(data >> 8 & 7);
  m.level = (data >> 15 & 1) != 0;
  if (m.level && (data >> 14 & 1) == 0) return;  // a level message that says "no longer"
  send(m, now);
}

void ApicBus::fire(uint32_t, uint64_t data, Cycle now) { deliver(ApicMessage::unpack(data), now); }

void ApicBus::deliver(const ApicMessage& message, Cycle now) {
  LocalApic* lowest = nullptr;
  bool claimed = false;
  for (LocalApic* apic : apics_) {
    if (message.exclude_sender && apic->processor() == message.sender) continue;
    if (!apic->matches(message.destination, message.logical)) continue;
    if (message.mode != DeliveryMode::lowest_priority) {
      const bool accepted = apic->accept(message, now);
      claimed = claimed || accepted;
    } else if (apic->software_enabled() &&
               (lowest == nullptr || apic->processor_priority() < lowest->processor_priority())) {
      lowest = apic;
    }
  }
  if (lowest != nullptr) claimed = lowest->accept(message, now);
  if (!claimed) ++unclaimed_;
}

void ApicBus::end_of_interrupt(uint8_t vector, Cycle now) {
  for (EoiTarget* target : eoi_targets_) target->end_of_interrupt(vector, now);
}

uint64_t ApicBus::read(uint64_t offset, unsigned size, const BusAccess& access) {
  if (access.processor >= apics_.size()) return open_bus(size);
  return apics_[access.processor]->read(offset, size, access);
}

void ApicBus::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  if (access.processor < apics_.size()) {
    apics_[access.processor]->write(offset, size, value, access);
  }
}

uint64_t ApicBus::peek(uint64_t offset, unsigned size) const {
  return apics_.empty() ? open_bus(size) : apics_.front()->peek(offset, size);
}

void ApicBus::visit(StateVisitor& v) {
  v.enter(name());
  v.field("unclaimed", unclaimed_);
  v.leave();
}

std::string ApicBus::inspect() const {
  return Facts{}.number("latency", latency_).number("unclaimed", unclaimed_).text();
}

}  // namespace vitrine::emu
