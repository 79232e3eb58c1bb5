// The I/O APIC (82093AA with the EOI register of version 20H).
#include "emu/devices/ioapic.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t kSelect = 0x00;
constexpr uint64_t kWindow = 0x10;
constexpr uint64_t kEoi = 0x40;

constexpr uint8_t kVersion = 0x20;
constexpr uint64_t kDeliveryStatus = 1u << 12;
constexpr uint64_t kRemoteIrr = 1u << 14;
constexpr uint64_t kLevel = 1u << 15;
constexpr uint64_t kMasked = 1u << 16;
constexpr uint64_t kReadOnly = kDeliveryStatus | kRemoteIrr;
constexpr uint64_t kDefined = 0xFF0000000001FFFF;

}  // namespace

Ioapic::Ioapic(ApicBus& bus, uint8_t id) : bus_(bus), reset_id_(id), id_(id) {
  bus.add_eoi_target(*this);
}

void Ioapic::reset(Cycle) {
  id_ = reset_id_;
  select_ = 0;
  entries_.fill(kMasked);
}

void Ioapic::send(unsigned input, Cycle now) {
  const uint64_t entry = entries_[input];
  ApicMessage m;
  m.destination = static_cast<uint32_t>(entry >> 56);
  if (m.destination == 0xFF) m.destination = ApicMessage::kBroadcast;
  m.vector = static_cast<uint8_t>(entry);
  m.mode = static_cast<DeliveryMode>(entry >> 8 & 7);
  m.logical = (entry >> 11 & 1) != 0;
  // The trigger mode means something for vectors only.
  m.level = (entry & kLevel) != 0 && static_cast<uint8_t>(m.mode) < 2;
  bus_.send(m, now);
}

/// A level input asks while it is asserted, unmasked and not in service.
void Ioapic::service(unsigned input, Cycle now) {
  uint64_t& entry = entries_[input];
  if ((entry & kLevel) == 0 || (entry & (kMasked | kRemoteIrr)) != 0) return;
  if ((levels_ >> input & 1) == 0) return;
  if ((entry >> 8 & 7) < 2) entry |= kRemoteIrr;
  send(input, now);
}

void Ioapic::set_line(unsigned line, bool level, Cycle now) {
  if (line >= kInputs) return;
  const uint32_t b = 1u << line;
  const bool was = (levels_ & b) != 0;
  if (was == level) return;
  levels_ ^= b;
  if (!level) return;
  if ((entries_[line] & kLevel) != 0) {
    service(line, now);
  } else if ((entries_[line] & kMasked) == 0) {
    send(line, now);  // an edge at a masked input is lost
  }
}

void Ioapic::end_of_interrupt(uint8_t vector, Cycle now) {
  for (unsigned i = 0; i < kInputs; ++i) {
    if (static_cast<uint8_t>(entries_[i]) != vector || (entries_[i] & kRemoteIrr) == 0) continue;
    entries_[i] &= ~kRemoteIrr;
    service(i, now);
  }
}

uint32_t Ioapic::window() const {
  if (select_ == 0 || select_ == 2) return uint32_t{id_} << 24;  // identification, arbitration
  if (select_ == 1) return (kInputs - 1) << 16 | kVersion;
  const unsigned input = (select_ - 0x10u) / 2;
  if (select_ < 0x10 || input >= kInputs) return 0;
  const uint64_t entry = entries_[input];
  return static_cast<uint32_t>((select_ & 1) != 0 ? entry >> 32 : entry);
}

void Ioapic::write_window(uint32_t value, Cycle now) {
  if (select_ == 0) id_ = static_cast<uint8_t>(value >> 24 & 0xF);
  const unsigned input = (select_ - 0x10u) / 2;
  if (select_ < 0x10 || input >= kInputs) return;
  uint64_t& entry = entries_[input];
  if ((select_ & 1) != 0) {
    entry = ((entry & 0xFFFFFFFF) | uint64_t{value} << 32) & kDefined;
    return;
  }
  const uint64_t kept = entry & (kReadOnly | ~uint64_t{0xFFFFFFFF});
  entry = (kept | (value & ~kReadOnly)) & kDefined;
  if ((entry & kLevel) == 0) entry &= ~kRemoteIrr;  // an edge entry is never in service
  service(input, now);
}

uint64_t Ioapic::peek(uint64_t offset, unsigned size) const {
  const uint64_t aligned = offset & ~uint64_t{3};
  uint64_t value = 0;
  if (aligned == kSelect) value = select_;
  if (aligned == kWindow) value = window();
  return value >> 8 * (offset & 3) & open_bus(size);
}

uint64_t Ioapic::read(uint64_t offset, unsigned size, const BusAccess&) {
  return peek(offset, size);
}

void Ioapic::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  if (offset == kSelect) select_ = static_cast<uint8_t>(value);
  if (offset == kWindow && size >= 4) write_window(static_cast<uint32_t>(value), access.now);
  if (offset == kEoi) end_of_interrupt(static_cast<uint8_t>(value), access.now);
}

void Ioapic::visit(StateVisitor& v) {
  v.enter(name());
  v.field("id", id_);
  v.field("select", select_);
  v.field("levels", levels_);
  v.field("entries", entries_);
  v.leave();
}

std::string Ioapic::inspect() const {
  Facts facts;
  facts.number("id", id_).hex("levels", levels_, 6);
  for (unsigned i = 0; i < kInputs; ++i) {
    if (entries_[i] != kMasked) facts.hex("input" + std::to_string(i), entries_[i], 16);
  }
  return facts.text();
}

}  // namespace vitrine::emu
