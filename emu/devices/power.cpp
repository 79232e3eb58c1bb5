// ACPI "Fixed Hardware": the PM1 register block, the power management timer, sleep and reset.
#include "emu/devices/power.h"

namespace vitrine::emu {

namespace {

constexpr uint32_t kTimerCarry = 0;  // event kind
/// The timer has 24 bits; its status bit is set whenever the top one changes.
constexpr uint64_t kHalf = uint64_t{1} << 23;

namespace pm1 {
constexpr uint16_t timer = 1, global = 1u << 5, button = 1u << 8, sleep_button = 1u << 9,
                   rtc = 1u << 10;
constexpr uint16_t enables = timer | global | button | sleep_button | rtc;
constexpr uint16_t sci_enable = 1, sleep_type_shift = 10, sleep_enable = 1u << 13;
constexpr uint16_t control_writable = 0x1C07;
}  // namespace pm1

}  // namespace

Power::Power(EventQueue& events, TimeBase time, Line sci, PowerSink& sink)
    : events_(events), time_(time), sci_(sci), sink_(sink) {
  id_ = events_.add_target(*this);
}

void Power::reset(Cycle now) {
  status_ = enable_ = 0;
  control_ = pm1::sci_enable;
  reset_ = 0;
  timer_halves_ = time_.ticks(now, kTimerHz) / kHalf;
  update(now);
}

void Power::catch_up(Cycle now) {
  const uint64_t halves = time_.ticks(now, kTimerHz) / kHalf;
  if (halves > timer_halves_) {
    status_ |= pm1::timer;
    timer_halves_ = halves;
  }
}

void Power::update(Cycle now) {
  sci_.set((status_ & enable_ & pm1::enables) != 0, now);
  events_.cancel(id_, kTimerCarry);
  if ((enable_ & ~status_ & pm1::timer) != 0) {
    events_.schedule(time_.cycles((timer_halves_ + 1) * kHalf, kTimerHz), id_, kTimerCarry);
  }
}

void Power::fire(uint32_t, uint64_t, Cycle now) {
  catch_up(now);
  update(now);
}

void Power::press_button(Cycle now) {
  status_ |= pm1::button;
  update(now);
}

/// The byte at `offset` of the block.
uint64_t Power::block(Cycle now, uint64_t offset) const {
  const auto timer = static_cast<uint32_t>(time_.ticks(now, kTimerHz) & 0xFFFFFF);
  switch (offset) {
    case 0: return status_ & 0xFFu;
    case 1: return status_ >> 8;
    case 2: return enable_ & 0xFFu;
    case 3: return enable_ >> 8;
    case 4: return control_ & 0xFFu;
    case 5: return control_ >> 8;
    case 8:
    case 9:
    case 10:
    case 11: return timer >> 8 * (offset - 8) & 0xFF;
    case kResetOffset: return reset_;
    case kSmiOffset: return 0;
    default: return 0xFF;
  }
}

uint64_t Power::read(uint64_t offset, unsigned size, const BusAccess& access) {
  catch_up(access.now);
  uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= block(access.now, offset + i) << 8 * i;
  return value;
}

uint64_t Power::peek(uint64_t offset, unsigned size) const {
  uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= block(events_.seen(), offset + i) << 8 * i;
  return value;
}

// A reset follows the rising edge of bit 2, whichever kind bit 1 asks for.
void Power::write_reset(uint8_t value, Cycle now) {
  const bool rises = (value & ~reset_ & 4) != 0;
  reset_ = value & 0xE;
  if (rises) sink_.reset_requested(now);
}

void Power::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  const auto low = [value](uint16_t was) { return static_cast<uint16_t>((was & 0xFF00) | value); };
  const auto high = [value](uint16_t was) {
    return static_cast<uint16_t>((was & 0xFF) | value << 8);
  };
  switch (offset) {
    case 0: status_ &= static_cast<uint16_t>(~value); return;  // written ones clear
    case 1: status_ &= static_cast<uint16_t>(~(value << 8)); return;
    case 2: enable_ = low(enable_) & pm1::enables; return;
    case 3: enable_ = high(enable_) & pm1::enables; return;
    case 4: control_ = (low(control_) & pm1::control_writable) | pm1::sci_enable; return;
    case 5: {
      const uint16_t wanted = high(control_);
      control_ = (wanted & pm1::control_writable) | pm1::sci_enable;
      const auto type = static_cast<uint8_t>(wanted >> pm1::sleep_type_shift & 7);
      if ((wanted & pm1::sleep_enable) != 0 && type == kSleepTypeS5) sink_.power_off(now);
      return;
    }
    case kResetOffset: return write_reset(value, now);
    default: return;
  }
}

void Power::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  catch_up(access.now);
  for (unsigned i = 0; i < size; ++i) {
    write_byte(offset + i, static_cast<uint8_t>(value >> 8 * i), access.now);
  }
  update(access.now);
}

void Power::visit(StateVisitor& v) {
  v.enter(name());
  v.field("status", status_);
  v.field("enable", enable_);
  v.field("control", control_);
  v.field("reset", reset_);
  v.field("timer_halves", timer_halves_);
  v.leave();
}

std::string Power::inspect() const {
  return Facts{}
      .hex("pm1_status", status_, 4)
      .hex("pm1_enable", enable_, 4)
      .hex("pm1_control", control_, 4)
      .hex("pm_timer", peek(8, 4), 6)
      .text();
}

}  // namespace vitrine::emu
