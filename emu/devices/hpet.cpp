// The HPET's registers and comparators (IA-PC HPET specification, "Registers").
#include "emu/devices/hpet.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t kCapabilities = Hpet::kPeriodFs << 32 | uint64_t{0x8086} << 16 | 1u << 15 |
                                   1u << 13 | (Hpet::kTimers - 1) << 8 | 1;

namespace reg {
constexpr uint64_t capabilities = 0x00, config = 0x10, status = 0x20, counter = 0xF0,
                   timers = 0x100;
}
namespace timer {
constexpr uint64_t level = 1u << 1, enable = 1u << 2, periodic = 1u << 3,
                   periodic_capable = 1u << 4, wide = 1u << 5, set_value = 1u << 6,
                   narrow_mode = 1u << 8, fsb_enable = 1u << 14, fsb_capable = 1u << 15;
constexpr uint64_t writable = 0x7F4E;
/// I/O APIC inputs a timer can be routed to: 20 to 23.
constexpr uint64_t routes = uint64_t{0x00F00000} << 32;
}  // namespace timer

constexpr uint64_t kCapable =
    timer::periodic_capable | timer::wide | timer::fsb_capable | timer::routes;

}  // namespace

Hpet::Hpet(EventQueue& events, TimeBase time, const HpetWiring& wiring)
    : events_(events), time_(time), wiring_(wiring) {
  id_ = events_.add_target(*this);
}

void Hpet::reset(Cycle now) {
  for (size_t i = 0; i < kTimers; ++i) {
    events_.cancel(id_, static_cast<uint32_t>(i));
    if ((status_ >> i & 1) != 0) line_of(i).set(false, now);
    timers_[i] = Timer{.config = kCapable, .comparator = ~uint64_t{0}};
  }
  config_ = status_ = held_ = 0;
}

uint64_t Hpet::counter(Cycle now) const {
  return running() ? held_ + time_.ticks(now, kClockHz) : held_;
}

Line Hpet::line_of(size_t index) const {
  if (legacy_replacement() && index < 2)
    return index == 0 ? wiring_.legacy_timer : wiring_.legacy_rtc;
  const auto route = static_cast<unsigned>(timers_[index].config >> 9 & 31);
  return Line{wiring_.irq.target, wiring_.irq.number + route};
}

/// A level interrupt is asserted while its status bit is set.
void Hpet::update_line(size_t index, Cycle now) {
  const Timer& t = timers_[index];
  const bool level = (t.config & timer::level) != 0;
  if (level && (t.config & timer::fsb_enable) == 0) {
    line_of(index).set((status_ >> index & 1) != 0 && (t.config & timer::enable) != 0, now);
  }
}

void Hpet::schedule(size_t index, Cycle now) {
  events_.cancel(id_, static_cast<uint32_t>(index));
  const Timer& t = timers_[index];
  const bool periodic = (t.config & timer::periodic) != 0;
  if (!running() || (t.config & timer::enable) == 0 || (periodic && t.period == 0)) return;
  const uint64_t mask = (t.config & timer::narrow_mode) != 0 ? 0xFFFFFFFF : ~uint64_t{0};
  const uint64_t ticks = time_.ticks(now, kClockHz);
  uint64_t distance = (t.comparator - (held_ + ticks)) & mask;
  if (distance == 0) distance = mask == 0xFFFFFFFF ? uint64_t{1} << 32 : 0;
  if (distance == 0 || distance > ~ticks) return;  // farther than time goes
  events_.schedule(time_.cycles(ticks + distance, kClockHz), id_, static_cast<uint32_t>(index));
}

void Hpet::schedule_all(Cycle now) {
  for (size_t i = 0; i < kTimers; ++i) schedule(i, now);
}

void Hpet::fire(uint32_t index, uint64_t, Cycle now) {
  if (index >= kTimers) return;
  Timer& t = timers_[index];
  if ((t.config & timer::periodic) != 0) t.comparator += t.period;
  if ((t.config & timer::level) != 0) status_ |= uint64_t{1} << index;
  if ((t.config & timer::fsb_enable) != 0) {
    if (wiring_.msi != nullptr)
      wiring_.msi->message(t.fsb >> 32, static_cast<uint32_t>(t.fsb), now);
  } else if ((t.config & timer::level) != 0) {
    update_line(index, now);
  } else {
    line_of(index).set(false, now);
    line_of(index).set(true, now);
  }
  schedule(index, now);
}

uint64_t Hpet::word(uint64_t offset, Cycle now) const {
  switch (offset) {
    case reg::capabilities: return kCapabilities;
    case reg::config: return config_;
    case reg::status: return status_;
    case reg::counter: return counter(now);
    default: break;
  }
  if (offset < reg::timers || offset >= reg::timers + 0x20 * kTimers) return 0;
  const Timer& t = timers_[(offset - reg::timers) / 0x20];
  switch (offset % 0x20) {
    case 0x00: return t.config;
    case 0x08: return t.comparator;
    case 0x10: return t.fsb;
    default: return 0;
  }
}

void Hpet::write_timer(Timer& t, uint64_t which, uint64_t value, uint64_t mask) {
  const auto merged = [&](uint64_t old) { return (old & ~mask) | (value & mask); };
  if (which == 0x00) {
    t.config = (merged(t.config) & timer::writable) | kCapable;
    if ((t.config & timer::narrow_mode) != 0) {
      t.comparator &= 0xFFFFFFFF;
      t.period &= 0xFFFFFFFF;
    }
  } else if (which == 0x08) {
    // In periodic mode a write is the period, and the next value too when that was asked for.
    const bool periodic = (t.config & timer::periodic) != 0;
    if (!periodic || (t.config & timer::set_value) != 0) t.comparator = merged(t.comparator);
    if (periodic) t.period = merged(t.period);
    if ((mask >> 32) != 0 || (t.config & timer::narrow_mode) != 0 || !periodic) {
      t.config &= ~timer::set_value;
    }
  } else if (which == 0x10) {
    t.fsb = merged(t.fsb);
  }
}

void Hpet::write_word(uint64_t offset, uint64_t value, uint64_t mask, Cycle now) {
  switch (offset) {
    case reg::config: {
      const uint64_t count = counter(now);
      for (size_t i = 0; i < kTimers; ++i) {
        if ((status_ >> i & 1) != 0) line_of(i).set(false, now);
      }
      config_ = ((config_ & ~mask) | (value & mask)) & 3;
      held_ = running() ? count - time_.ticks(now, kClockHz) : count;
      for (size_t i = 0; i < kTimers; ++i) update_line(i, now);
      break;
    }
    case reg::status:
      status_ &= ~(value & mask);
      for (size_t i = 0; i < kTimers; ++i) update_line(i, now);
      return;
    case reg::counter:
      if (!running()) held_ = (held_ & ~mask) | (value & mask);
      return;
    default: {
      if (offset < reg::timers || offset >= reg::timers + 0x20 * kTimers) return;
      const size_t index = (offset - reg::timers) / 0x20;
      if (offset % 0x20 == 0 && (status_ >> index & 1) != 0) line_of(index).set(false, now);
      write_timer(timers_[index], offset % 0x20, value, mask);
      update_line(index, now);
      schedule(index, now);
      return;
    }
  }
  schedule_all(now);
}

uint64_t Hpet::read(uint64_t offset, unsigned size, const BusAccess& access) {
  return word(offset & ~uint64_t{7}, access.now) >> 8 * (offset & 7) & open_bus(size);
}

uint64_t Hpet::peek(uint64_t offset, unsigned size) const {
  return word(offset & ~uint64_t{7}, events_.seen()) >> 8 * (offset & 7) & open_bus(size);
}

void Hpet::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  const unsigned shift = 8 * static_cast<unsigned>(offset & 7);
  write_word(offset & ~uint64_t{7}, value << shift, open_bus(size) << shift, access.now);
}

void Hpet::visit(StateVisitor& v) {
  v.enter(name());
  v.field("config", config_);
  v.field("status", status_);
  v.field("held", held_);
  for (Timer& t : timers_) {
    v.enter("timer");
    v.field("config", t.config);
    v.field("comparator", t.comparator);
    v.field("period", t.period);
    v.field("fsb", t.fsb);
    v.leave();
  }
  v.leave();
}

std::string Hpet::inspect() const {
  Facts facts;
  facts.hex("config", config_, 2)
      .hex("status", status_, 2)
      .number("counter", counter(events_.seen()));
  for (size_t i = 0; i < kTimers; ++i) {
    const std::string prefix = "timer" + std::to_string(i) + "_";
    facts.hex(prefix + "config", timers_[i].config, 16)
        .number(prefix + "comparator", timers_[i].comparator)
        .number(prefix + "period", timers_[i].period);
  }
  return facts.text();
}

}  // namespace vitrine::emu
