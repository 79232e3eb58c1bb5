// The local APIC's registers: one file of them, reached as a memory page or as x2APIC MSRs.
#include "emu/arch/msr.h"
#include "emu/devices/local_apic.h"

namespace vitrine::emu {

namespace {

/// Register numbers: page offset / 16, MSR - 800H (SDM "Local APIC Register Address Map").
namespace reg {
constexpr uint32_t id = 0x02, version = 0x03, tpr = 0x08, ppr = 0x0A, eoi = 0x0B, ldr = 0x0D,
                   dfr = 0x0E, svr = 0x0F, isr = 0x10, tmr = 0x18, irr = 0x20, esr = 0x28,
                   cmci = 0x2F, icr_low = 0x30, icr_high = 0x31, lvt_timer = 0x32, lvt_error = 0x37,
                   initial_count = 0x38, current_count = 0x39, divide = 0x3E, self_ipi = 0x3F;
}

/// Version 14H, seven LVT entries, EOI broadcasts can be suppressed.
constexpr uint32_t kVersion = 0x01060014;
constexpr uint32_t kIllegalRegister = 1u << 7;
constexpr uint32_t kSvrWritable = 0x11FF;
constexpr uint32_t kDivideWritable = 0xB;
constexpr uint64_t kIcrWritable = 0xCCFFF;
constexpr uint32_t kLvtWritable = 0x7FFFF;

}  // namespace

/// None for a register that does not exist or cannot be read.
std::optional<uint32_t> LocalApic::read_register(uint32_t index, Cycle now) const {
  if (index >= reg::isr && index < reg::isr + 8) return isr_[index - reg::isr];
  if (index >= reg::tmr && index < reg::tmr + 8) return tmr_[index - reg::tmr];
  if (index >= reg::irr && index < reg::irr + 8) return irr_[index - reg::irr];
  if (index >= reg::lvt_timer && index <= reg::lvt_error) {
    return lvt_[timer + (index - reg::lvt_timer)];
  }
  switch (index) {
    case reg::id: return x2apic() ? processor_ : xapic_id_ << 24;
    case reg::version: return kVersion;
    case reg::tpr: return tpr_;
    case reg::ppr: return processor_priority();
    case reg::ldr: return logical_id();
    case reg::svr: return svr_;
    case reg::esr: return esr_;
    case reg::cmci: return lvt_[cmci];
    case reg::icr_low: return static_cast<uint32_t>(icr_);
    case reg::initial_count: return initial_count_;
    case reg::current_count: return current_count(now);
    case reg::divide: return divide_;
    default: break;
  }
  if (x2apic()) return std::nullopt;
  switch (index) {
    case reg::eoi: return 0;
    case reg::dfr: return dfr_;
    case reg::icr_high: return static_cast<uint32_t>(icr_ >> 32);
    default: return std::nullopt;
  }
}

/// False for a register that does not exist or, as an MSR, cannot be written.
bool LocalApic::write_register(uint32_t index, uint32_t value, Cycle now) {
  if (index >= reg::lvt_timer && index <= reg::lvt_error) {
    write_lvt(static_cast<Lvt>(timer + (index - reg::lvt_timer)), value, now);
    return true;
  }
  switch (index) {
    case reg::tpr:
      tpr_ = static_cast<uint8_t>(value);
      wiring_.client.attention(processor_, now);
      return true;
    case reg::eoi: end_of_interrupt(now); return true;
    case reg::svr:
      svr_ = value & kSvrWritable;
      if ((svr_ & kSvrEnable) == 0) {
        for (uint32_t& entry : lvt_) entry |= kMasked;
      }
      wiring_.client.attention(processor_, now);
      return true;
    case reg::esr:
      esr_ = errors_;
      errors_ = 0;
      return true;
    case reg::cmci: write_lvt(cmci, value, now); return true;
    case reg::icr_low:
      icr_ = (icr_ & ~uint64_t{0xFFFFFFFF}) | (value & kIcrWritable);
      send_ipi(icr_, now);
      return true;
    case reg::initial_count:
      if (deadline_mode()) return true;
      initial_count_ = value;
      start_timer(value, now);
      return true;
    case reg::divide: {
      const uint32_t left = current_count(now);
      divide_ = value & kDivideWritable;
      start_timer(left, now);
      return true;
    }
    default: break;
  }
  if (x2apic()) {
    if (index != reg::self_ipi) return false;
    send_ipi((value & 0xFF) | 1u << 18, now);
    return true;
  }
  switch (index) {
    case reg::id: xapic_id_ = value >> 24; return true;
    case reg::ldr: ldr_ = value & 0xFF000000; return true;
    case reg::dfr: dfr_ = value | 0x0FFFFFFF; return true;
    case reg::icr_high:
      icr_ = (icr_ & 0xFFFFFFFF) | uint64_t{value & 0xFF000000} << 32;
      return true;
    default: return read_register(index, now).has_value();  // read-only ones ignore writes
  }
}

// --- The page ---

uint64_t LocalApic::peek(uint64_t offset, unsigned size) const {
  if (!enabled() || x2apic()) return open_bus(size);
  if (offset % 16 >= 4) return 0;
  const auto value = read_register(static_cast<uint32_t>(offset >> 4), wiring_.events.seen());
  return value.value_or(0) >> 8 * (offset % 16) & open_bus(size);
}

uint64_t LocalApic::read(uint64_t offset, unsigned size, const BusAccess& access) {
  if (!enabled() || x2apic()) return open_bus(size);
  if (offset % 16 >= 4) return 0;
  const auto value = read_register(static_cast<uint32_t>(offset >> 4), access.now);
  if (!value) raise_error(kIllegalRegister, access.now);
  return value.value_or(0) >> 8 * (offset % 16) & open_bus(size);
}

void LocalApic::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  // SDM "Local APIC Register Address Map": all accesses are aligned and 32 bits wide.
  if (!enabled() || x2apic() || offset % 16 != 0 || size < 4) return;
  if (!write_register(static_cast<uint32_t>(offset >> 4), static_cast<uint32_t>(value),
                      access.now)) {
    raise_error(kIllegalRegister, access.now);
  }
}

// --- The MSRs ---

Result<uint64_t, Fault> LocalApic::read_msr(uint32_t msr, Cycle now) const {
  if (msr == arch::msr::ia32_tsc_deadline) return deadline_;
  if (!x2apic() || msr < arch::msr::x2apic_first || msr > arch::msr::x2apic_last) {
    return Err{kGeneralProtection0};
  }
  const uint32_t index = msr - arch::msr::x2apic_first;
  if (index == reg::icr_low) return icr_;
  const auto value = read_register(index, now);
  if (!value) return Err{kGeneralProtection0};
  return uint64_t{*value};
}

// SDM "x2APIC Register Availability", "Reserved Bit Checking".
Result<void, Fault> LocalApic::write_msr(uint32_t msr, uint64_t value, Cycle now) {
  if (msr == arch::msr::ia32_tsc_deadline) {
    write_deadline(value, now);
    return {};
  }
  if (!x2apic() || msr < arch::msr::x2apic_first || msr > arch::msr::x2apic_last) {
    return Err{kGeneralProtection0};
  }
  const uint32_t index = msr - arch::msr::x2apic_first;
  uint64_t writable = 0xFFFFFFFF;
  switch (index) {
    case reg::icr_low:
      if ((value & 0xFFFFFFFF & ~(kIcrWritable | 1u << 12)) != 0) return Err{kGeneralProtection0};
      icr_ = value & ~uint64_t{1u << 12};
      send_ipi(icr_, now);
      return {};
    case reg::eoi:
    case reg::esr: writable = 0; break;
    case reg::tpr:
    case reg::self_ipi: writable = 0xFF; break;
    case reg::svr: writable = kSvrWritable; break;
    case reg::divide: writable = kDivideWritable; break;
    default:
      if (index == reg::cmci || (index >= reg::lvt_timer && index <= reg::lvt_error)) {
        writable = kLvtWritable;
      }
  }
  if ((value & ~writable) != 0) return Err{kGeneralProtection0};
  if (!write_register(index, static_cast<uint32_t>(value), now)) return Err{kGeneralProtection0};
  return {};
}

void LocalApic::visit(StateVisitor& v) {
  v.enter(name());
  v.field("base", base_);
  v.field("xapic_id", xapic_id_);
  v.field("tpr", tpr_);
  v.field("ldr", ldr_);
  v.field("dfr", dfr_);
  v.field("svr", svr_);
  v.field("icr", icr_);
  v.field("errors", errors_);
  v.field("esr", esr_);
  v.field("irr", irr_);
  v.field("isr", isr_);
  v.field("tmr", tmr_);
  v.field("lvt", lvt_);
  v.field("lint_level", lint_level_);
  v.field("ext_int_message", ext_int_message_);
  v.field("divide", divide_);
  v.field("initial_count", initial_count_);
  v.field("start_count", start_count_);
  v.field("start_tick", start_tick_);
  v.field("deadline", deadline_);
  v.leave();
}

std::string LocalApic::inspect() const {
  Facts facts;
  facts.number("processor", processor_)
      .hex("base", base_, 16)
      .hex("tpr", tpr_, 2)
      .hex("ppr", processor_priority(), 2)
      .hex("svr", svr_, 8)
      .hex("icr", icr_, 16)
      .hex("esr", esr_, 8);
  for (unsigned vector = 16; vector < 256; ++vector) {
    if (test(irr_, vector)) facts.hex("irr", vector, 2);
    if (test(isr_, vector)) facts.hex("isr", vector, 2);
  }
  constexpr std::array<std::string_view, kLvts> kNames = {
      "lvt_cmci",  "lvt_timer", "lvt_thermal", "lvt_performance",
      "lvt_lint0", "lvt_lint1", "lvt_error"};
  for (size_t i = 0; i < kLvts; ++i) facts.hex(kNames[i], lvt_[i], 8);
  return facts.number("timer_count", current_count(wiring_.events.seen()))
      .number("tsc_deadline", deadline_)
      .text();
}

}  // namespace vitrine::emu
