// The local APIC: acceptance, priorities, EOI, the local vector table and interprocessor interrupts.
#include "emu/devices/local_apic.h"

#include <bit>

namespace vitrine::emu {

namespace {

constexpr uint32_t kTimer = 0;  // event kind
constexpr uint32_t kRemoteIrr = 1u << 14;
constexpr uint32_t kLevel = 1u << 15;

// SDM "Error Status Register (ESR)".
constexpr uint32_t kSendIllegalVector = 1u << 5;
constexpr uint32_t kReceiveIllegalVector = 1u << 6;

constexpr DeliveryMode mode_of(uint32_t lvt) { return static_cast<DeliveryMode>(lvt >> 8 & 7); }

}  // namespace

LocalApic::LocalApic(uint32_t processor, const ApicWiring& wiring)
    : processor_(processor), wiring_(wiring) {
  id_ = wiring_.events.add_target(*this);
  wiring_.bus.add(*this);
}

void LocalApic::reset(Cycle now) {
  base_ = ApicBus::kDefaultPage.value | kBaseEnable | (processor_ == 0 ? kBaseBootstrap : 0);
  xapic_id_ = processor_;
  init(now);
}

void LocalApic::init(Cycle now) {
  tpr_ = 0;
  ldr_ = 0;
  dfr_ = 0xFFFFFFFF;
  svr_ = 0xFF;
  icr_ = 0;
  errors_ = esr_ = 0;
  irr_ = isr_ = tmr_ = {};
  lvt_.fill(kMasked);
  ext_int_message_ = false;
  divide_ = initial_count_ = start_count_ = 0;
  start_tick_ = deadline_ = 0;
  wiring_.events.cancel(id_, kTimer);
  wiring_.client.attention(processor_, now);
}

void LocalApic::set_virtual_wire(Cycle now) {
  svr_ |= kSvrEnable;
  write_lvt(lint0, static_cast<uint32_t>(DeliveryMode::ext_int) << 8, now);
  write_lvt(lint1, static_cast<uint32_t>(DeliveryMode::nmi) << 8, now);
}

// SDM "Enabling or Disabling the Local APIC", "x2APIC State Transitions".
Result<void, Fault> LocalApic::set_base(uint64_t value, unsigned physical_bits, Cycle now) {
  const uint64_t address = ((uint64_t{1} << physical_bits) - 1) & ~kPageMask;
  if ((value & ~(address | kBaseBootstrap | kBaseX2apic | kBaseEnable)) != 0) {
    return Err{kGeneralProtection0};
  }
  const bool now_enabled = (value & kBaseEnable) != 0;
  const bool now_x2apic = (value & kBaseX2apic) != 0;
  if (now_x2apic && !now_enabled) return Err{kGeneralProtection0};
  if (now_x2apic && !enabled()) return Err{kGeneralProtection0};
  if (x2apic() && now_enabled && !now_x2apic) return Err{kGeneralProtection0};
  const bool switched_off = enabled() && !now_enabled;
  base_ = value;
  if (switched_off) {
    xapic_id_ = processor_;
    init(now);
  }
  return {};
}

// --- Priorities and delivery ---

unsigned LocalApic::highest(const Vectors& v) {
  for (unsigned word = 8; word-- > 0;) {
    if (v[word] != 0) return word * 32 + static_cast<unsigned>(std::bit_width(v[word])) - 1;
  }
  return 0;
}

// SDM "Task and Processor Priorities".
uint8_t LocalApic::processor_priority() const {
  const unsigned serving = highest(isr_);
  if (tpr_ >> 4 >= serving >> 4) return tpr_;
  return static_cast<uint8_t>(serving & 0xF0);
}

/// The vector of the highest request above the processor's priority; 0 when there is none.
unsigned LocalApic::deliverable() const {
  if (!enabled()) return 0;
  const unsigned vector = highest(irr_);
  return vector >> 4 > processor_priority() >> 4u ? vector : 0;
}

bool LocalApic::ext_int_waits() const {
  if (wiring_.ext_int == nullptr) return false;
  if (!enabled()) return lint_level_[kLint0];  // the pin is INTR
  if (ext_int_message_) return true;
  return lint_level_[kLint0] && (lvt_[lint0] & kMasked) == 0 &&
         mode_of(lvt_[lint0]) == DeliveryMode::ext_int;
}

std::optional<uint8_t> LocalApic::acknowledge(Cycle now) {
  if (ext_int_waits()) {
    ext_int_message_ = false;
    return wiring_.ext_int->acknowledge(now);
  }
  const unsigned vector = deliverable();
  if (vector == 0) return std::nullopt;
  clear(irr_, vector);
  set(isr_, vector);
  return static_cast<uint8_t>(vector);
}

void LocalApic::set_task_priority(uint8_t cr8, Cycle now) {
  tpr_ = static_cast<uint8_t>(cr8 << 4);
  wiring_.client.attention(processor_, now);
}

void LocalApic::request(uint8_t vector, bool level, Cycle now) {
  if (vector < 16) return raise_error(kReceiveIllegalVector, now);
  set(irr_, vector);
  if (level) {
    set(tmr_, vector);
  } else {
    clear(tmr_, vector);
  }
  wiring_.client.attention(processor_, now);
}

void LocalApic::end_of_interrupt(Cycle now) {
  const unsigned vector = highest(isr_);
  if (vector == 0) return;
  clear(isr_, vector);
  if (test(tmr_, vector)) {
    for (const Lvt entry : {lint0, lint1}) {
      if ((lvt_[entry] & 0xFF) == vector) lvt_[entry] &= ~kRemoteIrr;
    }
    if ((svr_ & kSvrNoEoiBroadcast) == 0) {
      wiring_.bus.end_of_interrupt(static_cast<uint8_t>(vector), now);
    }
    update_lints(now);
  }
  wiring_.client.attention(processor_, now);
}

// SDM "Error Handling": a detected error triggers LVT error once per latching of ESR.
void LocalApic::raise_error(uint32_t bit, Cycle now) {
  const bool first = errors_ == 0;
  errors_ |= bit;
  const uint32_t entry = lvt_[error];
  // An illegal vector in LVT error itself is recorded and goes no further.
  if (first && (entry & kMasked) == 0 && (entry & 0xFF) >= 16) trigger(error, now);
}

// --- Messages ---

uint32_t LocalApic::logical_id() const {
  // SDM "Deriving Logical x2APIC ID from the Local x2APIC ID".
  return x2apic() ? (processor_ >> 4) << 16 | 1u << (processor_ & 15) : ldr_;
}

bool LocalApic::matches(uint32_t destination, bool logical) const {
  if (!enabled()) return false;
  if (destination == ApicMessage::kBroadcast) return true;
  if (!logical) return destination == (x2apic() ? processor_ : xapic_id_);
  const uint32_t id = logical_id();
  if (x2apic()) return destination >> 16 == id >> 16 && (destination & id & 0xFFFF) != 0;
  if (destination > 0xFF) return false;
  const uint32_t mine = id >> 24;
  if (dfr_ >> 28 == 0xF) return (mine & destination) != 0;
  return mine >> 4 == destination >> 4 && (mine & destination & 0xF) != 0;
}

bool LocalApic::accept(const ApicMessage& message, Cycle now) {
  switch (message.mode) {
    case DeliveryMode::fixed:
    case DeliveryMode::lowest_priority:
      if (!software_enabled()) return false;
      request(message.vector, message.level, now);
      return true;
    case DeliveryMode::nmi: wiring_.client.nmi(processor_, now); return true;
    case DeliveryMode::init:
      init(now);
      wiring_.client.init(processor_, now);
      return true;
    case DeliveryMode::start_up:
      wiring_.client.start_up(processor_, message.vector, now);
      return true;
    case DeliveryMode::ext_int:
      ext_int_message_ = true;
      wiring_.client.attention(processor_, now);
      return true;
    default: return false;  // there is no system-management mode
  }
}

// SDM "Interrupt Command Register (ICR)".
void LocalApic::send_ipi(uint64_t icr, Cycle now) {
  const auto vector = static_cast<uint8_t>(icr);
  const auto code = static_cast<uint8_t>(icr >> 8 & 7);
  const bool assert = (icr >> 14 & 1) != 0;
  const bool level = (icr & kLevel) != 0;
  const unsigned shorthand = icr >> 18 & 3;
  ApicMessage m{.vector = vector,
                .mode = static_cast<DeliveryMode>(code),
                .logical = (icr >> 11 & 1) != 0,
                .sender = static_cast<uint8_t>(processor_)};
  const bool carries_vector =
      m.mode == DeliveryMode::fixed || m.mode == DeliveryMode::lowest_priority;
  if (code == 3 || m.mode == DeliveryMode::ext_int) return;      // reserved
  if (m.mode == DeliveryMode::init && level && !assert) return;  // INIT level de-assert
  if (carries_vector && vector < 16) return raise_error(kSendIllegalVector, now);
  if (shorthand == 1) {
    if (carries_vector && software_enabled()) request(vector, false, now);
    return;
  }
  if (shorthand == 0) {
    m.destination = static_cast<uint32_t>(icr >> (x2apic() ? 32 : 56));
    if (!x2apic() && m.destination == 0xFF) m.destination = ApicMessage::kBroadcast;
  } else {
    m.destination = ApicMessage::kBroadcast;
    m.exclude_sender = shorthand == 3;
  }
  wiring_.bus.send(m, now);
}

// --- The local vector table ---

void LocalApic::trigger(Lvt entry, Cycle now) {
  const uint32_t value = lvt_[entry];
  if ((value & kMasked) != 0 || !enabled()) return;
  switch (entry == timer || entry == error ? DeliveryMode::fixed : mode_of(value)) {
    case DeliveryMode::fixed: request(static_cast<uint8_t>(value), false, now); break;
    case DeliveryMode::nmi: wiring_.client.nmi(processor_, now); break;
    case DeliveryMode::init:
      init(now);
      wiring_.client.init(processor_, now);
      break;
    default: break;
  }
}

/// Level-triggered local pins ask as long as they are high and not in service.
void LocalApic::update_lints(Cycle now) {
  for (const unsigned pin : {kLint0, kLint1}) {
    uint32_t& entry = lvt_[pin == kLint0 ? lint0 : lint1];
    if (!lint_level_[pin] || (entry & (kMasked | kRemoteIrr)) != 0 || (entry & kLevel) == 0 ||
        mode_of(entry) != DeliveryMode::fixed || !enabled()) {
      continue;
    }
    entry |= kRemoteIrr;
    request(static_cast<uint8_t>(entry), true, now);
  }
}

void LocalApic::set_line(unsigned line, bool level, Cycle now) {
  if (line > kLint1 || lint_level_[line] == level) return;
  lint_level_[line] = level;
  if (!enabled()) {
    if (line == kLint1 && level) wiring_.client.nmi(processor_, now);
  } else {
    const Lvt entry = line == kLint0 ? lint0 : lint1;
    const bool by_level =
        (lvt_[entry] & kLevel) != 0 && mode_of(lvt_[entry]) == DeliveryMode::fixed;
    if (level && !by_level) trigger(entry, now);
    update_lints(now);
  }
  wiring_.client.attention(processor_, now);
}

void LocalApic::write_lvt(Lvt entry, uint32_t value, Cycle now) {
  // Which bits of each entry are writable (SDM "Local Vector Table").
  constexpr std::array<uint32_t, kLvts> kWritable = {0x107FF, 0x700FF, 0x107FF, 0x107FF,
                                                     0x1A7FF, 0x1A7FF, 0x100FF};
  const bool was_deadline = deadline_mode();
  const uint32_t kept = lvt_[entry] & kRemoteIrr;
  lvt_[entry] = (value & kWritable[entry]) | kept;
  if ((svr_ & kSvrEnable) == 0) lvt_[entry] |= kMasked;
  if (entry == timer && deadline_mode() != was_deadline) {  // changing over disarms
    start_count_ = initial_count_ = 0;
    deadline_ = 0;
    schedule_timer(now);
  }
  update_lints(now);
  wiring_.client.attention(processor_, now);
}

}  // namespace vitrine::emu
