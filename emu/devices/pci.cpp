// PCI configuration space, the decoding of BARs into the bus map, and interrupt links.
#include "emu/devices/pci.h"

#include "emu/arch/require.h"

namespace vitrine::emu {

namespace {

namespace reg {
constexpr size_t vendor = 0x00, device = 0x02, command = 0x04, status = 0x06, revision = 0x08,
                 class_code = 0x09, bars = 0x10, subsystem_vendor = 0x2C, subsystem = 0x2E,
                 capabilities = 0x34, interrupt_line = 0x3C, interrupt_pin = 0x3D, pam = 0x59;
}
constexpr uint8_t kMemoryEnable = 2;
constexpr uint8_t kBusMaster = 4;
constexpr uint8_t kInterruptDisable = 4;  // in the command register's high byte
constexpr uint8_t kInterruptStatus = 8;
constexpr uint8_t kHasCapabilities = 0x10;

constexpr uint32_t kEnable = 0x80000000;
constexpr unsigned kLinks = 4;

}  // namespace

PciFunction::PciFunction(const Identity& identity) {
  set(reg::vendor, identity.vendor, 2);
  set(reg::device, identity.device, 2);
  set(reg::revision, identity.revision, 1);
  set(reg::class_code, identity.class_code, 3);
  set(reg::subsystem_vendor, identity.subsystem_vendor, 2);
  set(reg::subsystem, identity.subsystem, 2);
  set(reg::interrupt_pin, identity.interrupt_pin ? 1 : 0, 1);
  writable_[reg::command] = kMemoryEnable | kBusMaster;
  writable_[reg::command + 1] = kInterruptDisable;
  writable_[reg::interrupt_line] = 0xFF;
  at_reset_ = config_;
}

void PciFunction::set(size_t offset, uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) config_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
}

uint32_t PciFunction::config_word(size_t offset, unsigned size) const {
  uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= uint32_t{config(offset + i)} << 8 * i;
  return value;
}

void PciFunction::add_bar(size_t index, uint32_t size, BusTarget& target) {
  require(!plugged_ && index < kBars && size >= kPageSize && (size & (size - 1)) == 0,
          "a BAR is a power of two of at least a page, added before plugging in");
  bars_[index] = Bar{size, &target};
  // The low bits of a BAR are wired to 0: writing ones reads back its size.
  for (unsigned i = 0; i < 4; ++i) {
    writable_[reg::bars + 4 * index + i] = static_cast<uint8_t>(~(size - 1) >> 8 * i);
  }
}

size_t PciFunction::add_capability(uint8_t id, std::span<const uint8_t> body) {
  const size_t start = free_;
  require(!plugged_ && start + 2 + body.size() <= kSize, "capabilities fit, before plugging in");
  const size_t link = last_capability_ == 0 ? reg::capabilities : last_capability_ + 1;
  config_[link] = static_cast<uint8_t>(start);
  config_[start] = id;
  for (size_t i = 0; i < body.size(); ++i) config_[start + 2 + i] = body[i];
  config_[reg::status] |= kHasCapabilities;
  last_capability_ = start;
  free_ = (start + 2 + body.size() + 3) / 4 * 4;
  at_reset_ = config_;
  return start + 2;
}

void PciFunction::write(size_t offset, uint8_t value) {
  const uint8_t mask = writable_[offset % kSize];
  uint8_t& old = config_[offset % kSize];
  old = static_cast<uint8_t>((old & ~mask) | (value & mask));
}

void PciFunction::reset_config() { config_ = at_reset_; }

void PciFunction::visit_config(StateVisitor& v) { v.field("config", config_); }

PciHost::PciHost(Bus& bus, Line links, ShadowSink* shadow, bool firmware)
    : bus_(bus),
      links_(links),
      shadow_(shadow),
      bridge_({.vendor = 0x8086, .device = 0x1237, .class_code = 0x060000, .revision = 2}) {
  slots_[0] = &bridge_;
  // Two bits for reading and writing RAM; PAM0 has them for its upper half only.
  for (size_t i = 0; i < pam_.size(); ++i) {
    const uint8_t all = i == 0 ? 0x30 : 0x33;
    bridge_.writable_[reg::pam + i] = all;
    bridge_.config_[reg::pam + i] = firmware ? 0 : all;
  }
  bridge_.at_reset_ = bridge_.config_;
}

void PciHost::update_shadow() {
  std::array<uint8_t, 7> pam{};
  for (size_t i = 0; i < pam.size(); ++i) pam[i] = bridge_.config(reg::pam + i);
  if (pam == pam_) return;
  pam_ = pam;
  if (shadow_ != nullptr) shadow_->shadow_changed(pam_);
}

void PciHost::plug(unsigned slot, PciFunction& function) {
  require(slot < kSlots && slots_[slot] == nullptr, "a free slot");
  slots_[slot] = &function;
  function.plugged_ = true;
}

/// What firmware does: every BAR gets an address, naturally aligned, and decoding is on.
void PciHost::assign_bars() {
  uint64_t next = kWindow.value;
  for (PciFunction* function : slots_) {
    if (function == nullptr) continue;
    for (size_t i = 0; i < PciFunction::kBars; ++i) {
      const uint64_t size = function->bars_[i].size;
      if (size == 0) continue;
      next = (next + size - 1) & ~(size - 1);
      function->set(reg::bars + 4 * i, next, 4);
      next += size;
      function->set(reg::command, kMemoryEnable | kBusMaster, 1);
    }
  }
}

void PciHost::reset(Cycle now) {
  address_ = 0;
  asserted_ = 0;
  for (PciFunction* function : slots_) {
    if (function != nullptr) function->reset_config();
  }
  assign_bars();
  remap();
  update_shadow();
  update_links(now);
}

/// Makes the bus map agree with the BARs. BARs outside the window are not decoded, so that none can
/// hide memory or another chip.
void PciHost::remap() {
  std::vector<Mapping> wanted;
  for (const PciFunction* function : slots_) {
    if (function == nullptr || (function->config(reg::command) & kMemoryEnable) == 0) continue;
    for (size_t i = 0; i < PciFunction::kBars; ++i) {
      const PciFunction::Bar& bar = function->bars_[i];
      const uint64_t start = function->config_word(reg::bars + 4 * i, 4);
      const bool inside = start >= kWindow.value && start + bar.size <= kWindow.value + kWindowSize;
      if (bar.size != 0 && inside) wanted.push_back({Hpa{start}, bar.size, bar.target});
    }
  }
  if (wanted == mapped_) return;
  for (const Mapping& m : mapped_) bus_.unmap(m.start, m.size);
  for (const Mapping& m : wanted) {
    bus_.map(BusRange{
        .start = m.start, .size = m.size, .kind = BusRange::Kind::device, .target = m.target});
  }
  mapped_ = std::move(wanted);
}

void PciHost::set_line(unsigned slot, bool level, Cycle now) {
  if (slot >= kSlots) return;
  asserted_ = (asserted_ & ~(1u << slot)) | uint32_t{level} << slot;
  update_links(now);
}

void PciHost::update_links(Cycle now) {
  std::array<bool, kLinks> levels{};
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    PciFunction* function = slots_[slot];
    if (function == nullptr) continue;
    const bool asks = (asserted_ >> slot & 1) != 0;
    uint8_t& status = function->config_[reg::status];
    status = static_cast<uint8_t>((status & ~kInterruptStatus) | (asks ? kInterruptStatus : 0));
    const bool disabled = (function->config(reg::command + 1) & kInterruptDisable) != 0;
    if (asks && !disabled) levels[slot % kLinks] = true;
  }
  for (unsigned link = 0; link < kLinks; ++link) {
    Line{links_.target, links_.number + link}.set(levels[link], now);
  }
}

PciFunction* PciHost::selected() const {
  const unsigned bus = address_ >> 16 & 0xFF;
  const unsigned slot = address_ >> 11 & 31;
  const unsigned function = address_ >> 8 & 7;
  if ((address_ & kEnable) == 0 || bus != 0 || function != 0) return nullptr;
  return slots_[slot];
}

uint64_t PciHost::peek(uint64_t offset, unsigned size) const {
  if (offset == 0 && size == 4) return address_;
  const PciFunction* function = selected();
  if (offset < 4 || offset + size > kPorts || function == nullptr) return open_bus(size);
  return function->config_word((address_ & 0xFC) + (offset & 3), size);
}

uint64_t PciHost::read(uint64_t offset, unsigned size, const BusAccess&) {
  return peek(offset, size);
}

void PciHost::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  if (offset == 0 && size == 4) {
    address_ = static_cast<uint32_t>(value) & 0x80FFFFFC;
    return;
  }
  PciFunction* function = selected();
  if (offset < 4 || offset + size > kPorts || function == nullptr) return;
  for (unsigned i = 0; i < size; ++i) {
    function->write((address_ & 0xFC) + (offset & 3) + i, static_cast<uint8_t>(value >> 8 * i));
  }
  remap();
  update_shadow();
  update_links(access.now);
}

void PciHost::visit(StateVisitor& v) {
  v.enter(name());
  v.field("address", address_);
  v.field("asserted", asserted_);
  bridge_.visit_config(v);
  v.leave();
  if (v.loading()) {
    remap();
    update_shadow();
  }
}

std::string PciHost::inspect() const {
  Facts facts;
  facts.hex("address", address_, 8);
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    const PciFunction* function = slots_[slot];
    if (function == nullptr) continue;
    const std::string prefix = "slot" + std::to_string(slot) + "_";
    facts.hex(prefix + "id", function->config_word(reg::vendor, 4), 8)
        .hex(prefix + "command", function->config_word(reg::command, 2), 4)
        .hex(prefix + "bar0", function->config_word(reg::bars, 4), 8);
  }
  return facts.text();
}

}  // namespace vitrine::emu
