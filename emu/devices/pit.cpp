// The 8254 in its six modes: count and output as functions of the ticks since the count was loaded.
#include "emu/devices/pit.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

constexpr uint32_t kRise = 0;  // event kind; its data is the tick
constexpr uint64_t kNoTick = ~uint64_t{0};
/// Port 61H bit 4 changes with every refresh request, which channel 1 makes each 18 ticks.
constexpr uint64_t kRefreshTicks = 18;

constexpr uint32_t from_bcd(uint32_t v) {
  return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}
constexpr uint32_t to_bcd(uint32_t v) {
  return (v / 1000 % 10) << 12 | (v / 100 % 10) << 8 | (v / 10 % 10) << 4 | v % 10;
}
static_assert(to_bcd(from_bcd(0x9876)) == 0x9876);

/// Mode 3: ticks of a period for which OUT is high.
constexpr uint64_t high_half(uint64_t count) { return (count + 1) / 2; }

}  // namespace

void Pit::Channel::control(uint8_t word) {
  access = word >> 4 & 3;
  mode = word >> 1 & 7;
  if (mode > 5) mode -= 4;
  bcd = (word & 1) != 0;
  loaded = has_next = paused = false;
  write_high = read_high = latched = status_latched = false;
}

void Pit::Channel::write(uint8_t value, uint64_t tick) {
  uint32_t count = value;
  if (access == 2) count = uint32_t{value} << 8;
  if (access == 3) {
    if (!write_high) {
      low_byte = value;
      write_high = true;
      if (mode == 0) loaded = false;  // the first byte stops the count and lowers OUT
      return;
    }
    write_high = false;
    count = uint32_t{value} << 8 | low_byte;
  }
  if (bcd) count = from_bcd(count);
  if (count == 0) count = bcd ? 10'000 : 0x10000;
  load(count, tick);
}

/// Where a count loaded at `at` would have started, had it counted since its last rise of OUT.
uint64_t Pit::Channel::half_start(uint64_t at, uint32_t new_count) const {
  const bool was_high = elapsed(at - 1) % reload < high_half(reload);
  return was_high ? at - high_half(new_count) : at;
}

void Pit::Channel::load(uint32_t new_count, uint64_t tick) {
  if (mode == 1 || mode == 5) {  // waits for a trigger
    next = new_count;
    has_next = true;
    return;
  }
  const bool periodic = mode == 2 || mode == 3;
  if (!periodic || !loaded || !gate) {
    reload = new_count;
    start = tick + 1;
    loaded = true;
    has_next = false;
    paused = !gate;
    stood_at = 0;
    return;
  }
  // A running period ends first; in mode 3, its running half.
  const uint64_t done = elapsed(tick) % reload;
  uint64_t left = reload - done;
  if (mode == 3 && done < high_half(reload)) left = high_half(reload) - done;
  next = new_count;
  has_next = true;
  switch_at = (waits_for_clock(tick) ? start : tick) + left;
}

void Pit::Channel::settle(uint64_t tick) {
  if (!has_next || (mode != 2 && mode != 3) || paused || tick < switch_at) return;
  start = mode == 3 ? half_start(switch_at, next) : switch_at;
  reload = next;
  has_next = false;
}

void Pit::Channel::set_gate(bool level, uint64_t tick) {
  if (level == gate) return;
  gate = level;
  if (mode == 1 || mode == 5) {
    if (!level || (!has_next && !loaded)) return;
    if (has_next) reload = next;
    has_next = false;
    loaded = true;
    start = tick + 1;
    return;
  }
  if (!loaded) return;
  if (!level) {
    stood_at = elapsed(tick);
    paused = true;
    return;
  }
  paused = false;
  if (mode == 0 || mode == 4) {
    start = tick - stood_at;
    return;
  }
  if (has_next) reload = next;
  has_next = false;
  start = tick + 1;
}

/// The count was written, the clock pulse that loads it is still to come.
bool Pit::Channel::waits_for_clock(uint64_t tick) const {
  return static_cast<int64_t>(start - tick) > 0;
}

uint64_t Pit::Channel::elapsed(uint64_t tick) const {
  if (paused) return stood_at;
  return waits_for_clock(tick) ? 0 : tick - start;
}

uint16_t Pit::Channel::count(uint64_t tick) const {
  if (!loaded) return 0;
  const uint64_t done = elapsed(tick);
  const uint32_t modulus = bcd ? 10'000 : 0x10000;
  uint64_t value = 0;
  if (mode == 2) {
    value = reload - done % reload;
  } else if (mode == 3) {
    const uint64_t phase = done % reload;
    const uint64_t half = high_half(reload);
    value = (reload & ~uint64_t{1}) - 2 * (phase < half ? phase : phase - half);
  } else {
    value = reload + modulus - done % modulus;  // goes on counting below 0
  }
  const auto wrapped = static_cast<uint32_t>(value % modulus);
  return static_cast<uint16_t>(bcd ? to_bcd(wrapped) : wrapped);
}

bool Pit::Channel::output(uint64_t tick) const {
  const uint64_t done = elapsed(tick);
  switch (mode) {
    case 0: return loaded && done >= reload;
    case 1: return !loaded || waits_for_clock(tick) || done >= reload;
    case 2: return !loaded || paused || done % reload != reload - 1;
    case 3: return !loaded || paused || done % reload < high_half(reload);
    default: return !loaded || done != reload;
  }
}

uint64_t Pit::Channel::next_rise(uint64_t tick) const {
  if (!loaded || paused) return kNoTick;
  if (mode == 2 || mode == 3) {
    const uint64_t from = waits_for_clock(tick) ? start : tick;
    const uint64_t rise = from + reload - elapsed(tick) % reload;
    if (!has_next || rise <= switch_at) return rise;
    return half_start(switch_at, next) + next;
  }
  const uint64_t rise = start + reload + (mode == 4 || mode == 5 ? 1 : 0);
  return rise > tick ? rise : kNoTick;
}

uint8_t Pit::Channel::status_byte(uint64_t tick) const {
  const bool null_count = !loaded || has_next || waits_for_clock(tick);
  return static_cast<uint8_t>((output(tick) ? 0x80 : 0) | (null_count ? 0x40 : 0) | access << 4 |
                              mode << 1 | (bcd ? 1 : 0));
}

void Pit::Channel::latch_count(uint64_t tick) {
  if (latched) return;  // a second latch command is ignored until the first is read
  latch = count(tick);
  latched = true;
}

uint8_t Pit::Channel::peek(uint64_t tick) const {
  if (status_latched) return status;
  const uint16_t value = latched ? latch : count(tick);
  const bool high = access == 2 || (access == 3 && read_high);
  return static_cast<uint8_t>(high ? value >> 8 : value);
}

uint8_t Pit::Channel::read(uint64_t tick) {
  const uint8_t value = peek(tick);
  if (status_latched) {
    status_latched = false;
    return value;
  }
  if (access == 3) read_high = !read_high;
  if (!read_high) latched = false;
  return value;
}

Pit::Pit(EventQueue& events, TimeBase time, Line irq) : events_(events), time_(time), irq_(irq) {
  id_ = events_.add_target(*this);
}

void Pit::reset(Cycle now) {
  events_.cancel(id_, kRise);
  channels_ = {};
  channels_[2].gate = false;
  system_control_ = 0;
  irq_.set(false, now);
}

void Pit::schedule(uint64_t from) {
  events_.cancel(id_, kRise);
  const uint64_t rise = channels_[0].next_rise(from);
  if (rise != kNoTick) events_.schedule(time_.cycles(rise, kClockHz), id_, kRise, rise);
}

void Pit::fire(uint32_t, uint64_t data, Cycle now) {
  channels_[0].settle(data);
  irq_.set(false, now);
  irq_.set(true, now);
  schedule(data);
}

void Pit::write_control(uint8_t word, uint64_t now) {
  const unsigned select = word >> 6;
  if (select < 3) {
    if ((word >> 4 & 3) == 0) {
      channels_[select].latch_count(now);
    } else {
      channels_[select].control(word);
    }
    return;
  }
  // Read-back: bit 5 clear latches counts, bit 4 clear latches status.
  for (unsigned i = 0; i < 3; ++i) {
    if ((word >> (i + 1) & 1) == 0) continue;
    Channel& channel = channels_[i];
    if ((word & 0x20) == 0) channel.latch_count(now);
    if ((word & 0x10) == 0 && !channel.status_latched) {
      channel.status = channel.status_byte(now);
      channel.status_latched = true;
    }
  }
}

uint8_t Pit::system_control(uint64_t now) const {
  const bool refresh = (now / kRefreshTicks & 1) != 0;
  return static_cast<uint8_t>(system_control_ | (refresh ? 0x10 : 0) |
                              (channels_[2].output(now) ? 0x20 : 0));
}

uint8_t Pit::read_byte(uint64_t offset, Cycle now) {
  const uint64_t t = tick(now);
  if (offset < 3) {
    channels_[offset].settle(t);
    return channels_[offset].read(t);
  }
  if (offset == kSystemControlOffset) {
    channels_[2].settle(t);
    return system_control(t);
  }
  return 0xFF;
}

uint8_t Pit::peek_byte(uint64_t offset) const {
  const uint64_t t = tick(events_.seen());
  if (offset < 3) return channels_[offset].peek(t);
  return offset == kSystemControlOffset ? system_control(t) : uint8_t{0xFF};
}

void Pit::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  const uint64_t t = tick(now);
  for (Channel& channel : channels_) channel.settle(t);
  if (offset == kSystemControlOffset) {
    system_control_ = value & 0x0F;
    channels_[2].set_gate((value & 1) != 0, t);
    return;
  }
  if (offset < 3) {
    channels_[offset].write(value, t);
  } else if (offset == 3) {
    write_control(value, t);
  } else {
    return;
  }
  irq_.set(channels_[0].output(t), now);
  schedule(t);
}

void Pit::Channel::visit(StateVisitor& v, std::string_view part) {
  v.enter(part);
  v.field("mode", mode);
  v.field("access", access);
  v.field("bcd", bcd);
  v.field("gate", gate);
  v.field("loaded", loaded);
  v.field("start", start);
  v.field("reload", reload);
  v.field("has_next", has_next);
  v.field("next", next);
  v.field("switch_at", switch_at);
  v.field("paused", paused);
  v.field("stood_at", stood_at);
  v.field("low_byte", low_byte);
  v.field("write_high", write_high);
  v.field("read_high", read_high);
  v.field("latched", latched);
  v.field("latch", latch);
  v.field("status_latched", status_latched);
  v.field("status", status);
  if (v.loading()) {
    reload = std::clamp<uint32_t>(reload, 1, 0x10000);
    next = std::clamp<uint32_t>(next, 1, 0x10000);
  }
  v.leave();
}

void Pit::visit(StateVisitor& v) {
  v.enter(name());
  channels_[0].visit(v, "channel0");
  channels_[1].visit(v, "channel1");
  channels_[2].visit(v, "channel2");
  v.field("system_control", system_control_);
  v.leave();
}

std::string Pit::inspect() const {
  const uint64_t t = tick(events_.seen());
  Facts facts;
  for (size_t i = 0; i < 3; ++i) {
    const std::string channel = "channel" + std::to_string(i) + "_";
    facts.number(channel + "mode", channels_[i].mode)
        .number(channel + "reload", channels_[i].reload)
        .number(channel + "count", channels_[i].count(t))
        .number(channel + "output", channels_[i].output(t) ? 1 : 0);
  }
  return facts.hex("system_control", system_control(t), 2).text();
}

}  // namespace vitrine::emu
