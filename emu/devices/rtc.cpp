// The MC146818: time of day, alarm, periodic and update-ended interrupts, CMOS memory.
#include "emu/devices/rtc.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

constexpr uint32_t kAttention = 0;  // event kind

namespace reg {
constexpr uint8_t seconds = 0, seconds_alarm = 1, minutes = 2, minutes_alarm = 3, hours = 4,
                  hours_alarm = 5, weekday = 6, day = 7, month = 8, year = 9, a = 10, b = 11,
                  c = 12, d = 13, century = 0x32;
}
namespace reg_a {
constexpr uint8_t updating = 0x80;
}
namespace reg_b {
constexpr uint8_t set = 0x80, periodic = 0x40, alarm = 0x20, update = 0x10, binary = 4,
                  hours_24 = 2;
}
namespace reg_c {
constexpr uint8_t irq = 0x80, sources = 0x70, periodic = 0x40, alarm = 0x20, update = 0x10;
}
constexpr uint8_t kValid = 0x80;      // register D: the battery is good
constexpr uint64_t kUpdateTicks = 8;  // 244 us from UIP to the update
constexpr uint64_t kSecond = Rtc::kClockHz;
constexpr uint64_t kDay = 86'400;

struct Date {
  int64_t year;
  unsigned month;
  unsigned day;
};

constexpr bool leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }
constexpr unsigned days_in_month(int64_t y, unsigned month) {
  constexpr std::array<uint8_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[(month - 1) % 12] + (month == 2 && leap(y) ? 1u : 0u);
}

/// Days since 1970-01-01 to a date of the Gregorian calendar, by 400-year eras from 0000-03-01.
constexpr Date date_of(int64_t days) {
  const int64_t shifted = days + 719'468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t from_march = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<unsigned>(day_of_year - (153 * from_march + 2) / 5 + 1);
  const auto month = static_cast<unsigned>(from_march < 10 ? from_march + 3 : from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}
static_assert(date_of(0).year == 1970 && date_of(0).month == 1 && date_of(0).day == 1);
static_assert(date_of(11'016).month == 2 && date_of(11'016).day == 29);

}  // namespace

Rtc::Rtc(EventQueue& events, TimeBase time, Line irq, int64_t start)
    : events_(events), time_(time), irq_(irq), start_(start) {
  id_ = events_.add_target(*this);
}

bool Rtc::running() const { return (cmos_[reg::a] >> 4 & 6) != 6; }

/// Ticks between periodic interrupts; 0 when they are off.
uint64_t Rtc::period() const {
  const unsigned rate = cmos_[reg::a] & 15;
  if (rate == 0) return 0;
  return uint64_t{1} << ((rate <= 2 ? rate + 7 : rate) - 1);
}

unsigned Rtc::value_of(uint8_t index) const {
  const uint8_t v = cmos_[index];
  return (cmos_[reg::b] & reg_b::binary) != 0 ? v : (v >> 4) * 10u + (v & 15);
}

void Rtc::set_value(uint8_t index, unsigned value) {
  cmos_[index] = static_cast<uint8_t>(
      (cmos_[reg::b] & reg_b::binary) != 0 ? value : (value / 10 % 10) << 4 | value % 10);
}

unsigned Rtc::hour() const {
  if ((cmos_[reg::b] & reg_b::hours_24) != 0) return value_of(reg::hours) % 24;
  const uint8_t raw = cmos_[reg::hours];
  const uint8_t low = raw & 0x7F;
  const unsigned twelve =
      (cmos_[reg::b] & reg_b::binary) != 0 ? low : (low >> 4) * 10u + (low & 15);
  return twelve % 12 + ((raw & 0x80) != 0 ? 12 : 0);
}

void Rtc::set_hour(unsigned value) {
  if ((cmos_[reg::b] & reg_b::hours_24) != 0) return set_value(reg::hours, value);
  set_value(reg::hours, value % 12 == 0 ? 12 : value % 12);
  if (value >= 12) cmos_[reg::hours] |= 0x80;
}

/// Moves the clock's registers forward. Impossible values, which only a guest writes, are normalised.
void Rtc::add_seconds(uint64_t n) {
  const uint64_t total =
      value_of(reg::seconds) % 60 + 60ull * (value_of(reg::minutes) % 60) + 3600ull * hour() + n;
  const uint64_t of_day = total % kDay;
  set_value(reg::seconds, static_cast<unsigned>(of_day % 60));
  set_value(reg::minutes, static_cast<unsigned>(of_day / 60 % 60));
  set_hour(static_cast<unsigned>(of_day / 3600));
  uint64_t days = total / kDay;
  if (days == 0) return;
  set_value(reg::weekday, static_cast<unsigned>((value_of(reg::weekday) + 6 + days) % 7 + 1));
  int64_t year = value_of(reg::century) * 100 + value_of(reg::year) % 100;
  unsigned month = std::clamp(value_of(reg::month), 1u, 12u);
  uint64_t day = std::clamp(value_of(reg::day), 1u, 31u);
  for (day += days; day > days_in_month(year, month);) {
    day -= days_in_month(year, month);
    month = month % 12 + 1;
    if (month == 1) ++year;
  }
  set_value(reg::day, static_cast<unsigned>(day));
  set_value(reg::month, month);
  set_value(reg::year, static_cast<unsigned>(year % 100));
  set_value(reg::century, static_cast<unsigned>(year / 100 % 100));
}

/// Seconds from now until the alarm registers match, at most `limit`; 0 when they do not by then.
uint64_t Rtc::seconds_to_alarm(uint64_t limit) const {
  const auto matches = [this](uint8_t alarm, uint8_t now_value) {
    return cmos_[alarm] >= 0xC0 || cmos_[alarm] == now_value;  // C0H-FFH: any
  };
  Rtc probe = *this;
  probe.add_seconds(1);
  for (uint64_t n = 1; n <= std::min(limit, kDay);) {
    uint64_t step = 1;
    const unsigned second = probe.value_of(reg::seconds);
    const unsigned minute = probe.value_of(reg::minutes);
    if (!matches(reg::hours_alarm, probe.cmos_[reg::hours])) {
      step = 3600 - (minute * 60 + second) % 3600;
    } else if (!matches(reg::minutes_alarm, probe.cmos_[reg::minutes])) {
      step = 60 - second % 60;
    } else if (matches(reg::seconds_alarm, probe.cmos_[reg::seconds])) {
      return n;
    }
    probe.add_seconds(step);
    n += step;
  }
  return 0;
}

/// Applies the updates and periods that have passed.
void Rtc::catch_up(Cycle now) {
  if (!running()) return;
  const uint64_t t = tick(now);
  if (const uint64_t p = period(); p != 0) {
    const uint64_t periods = t / p;
    if (periods != periods_) cmos_[reg::c] |= reg_c::periodic;
    periods_ = periods;
  }
  const uint64_t seconds = t / kSecond;
  const uint64_t passed = seconds - seconds_;
  seconds_ = seconds;
  if (static_cast<int64_t>(passed) <= 0 || (cmos_[reg::b] & reg_b::set) != 0) return;
  if ((cmos_[reg::c] & reg_c::alarm) == 0 && seconds_to_alarm(passed) != 0) {
    cmos_[reg::c] |= reg_c::alarm;
  }
  add_seconds(passed);
  cmos_[reg::c] |= reg_c::update;
}

/// Makes the interrupt line and the next event agree with the registers.
void Rtc::update(Cycle now) {
  const uint8_t asking = cmos_[reg::b] & cmos_[reg::c] & reg_c::sources;
  cmos_[reg::c] =
      static_cast<uint8_t>((cmos_[reg::c] & reg_c::sources) | (asking != 0 ? reg_c::irq : 0));
  irq_.set(asking != 0, now);
  events_.cancel(id_, kAttention);
  if (!running()) return;
  // What would set a flag that is enabled and not set yet.
  const uint8_t missing = cmos_[reg::b] & ~cmos_[reg::c];
  uint64_t next = ~uint64_t{0};
  if ((missing & reg_b::periodic) != 0 && period() != 0) next = (periods_ + 1) * period();
  if ((cmos_[reg::b] & reg_b::set) == 0) {
    if ((missing & reg_b::update) != 0) next = std::min(next, (seconds_ + 1) * kSecond);
    if ((missing & reg_b::alarm) != 0) {
      const uint64_t n = seconds_to_alarm(kDay);
      if (n != 0) next = std::min(next, (seconds_ + n) * kSecond);
    }
  }
  if (next != ~uint64_t{0}) {
    events_.schedule(time_.cycles(origin_tick_ + next, kClockHz), id_, kAttention);
  }
}

void Rtc::fire(uint32_t, uint64_t, Cycle now) {
  catch_up(now);
  update(now);
}

void Rtc::reset(Cycle now) {
  index_ = 0;
  nmi_masked_ = false;
  cmos_[reg::a] = 0x26;  // 32,768 Hz time base, periodic rate 1,024 Hz
  cmos_[reg::b] = reg_b::hours_24;
  cmos_[reg::c] = 0;
  cmos_[reg::d] = kValid;
  origin_tick_ = time_.ticks(now, kClockHz);
  seconds_ = periods_ = 0;
  const int64_t days = start_ / 86'400 - (start_ % 86'400 < 0 ? 1 : 0);
  const Date date = date_of(days);
  const auto of_day = static_cast<unsigned>(start_ - days * 86'400);
  set_value(reg::seconds, of_day % 60);
  set_value(reg::minutes, of_day / 60 % 60);
  set_hour(of_day / 3600);
  set_value(reg::weekday, static_cast<unsigned>(((days + 4) % 7 + 7) % 7 + 1));
  set_value(reg::day, date.day);
  set_value(reg::month, date.month);
  set_value(reg::year, static_cast<unsigned>(date.year % 100));
  set_value(reg::century, static_cast<unsigned>(date.year / 100 % 100));
  update(now);
}

void Rtc::write_register(uint8_t value, Cycle now) {
  switch (index_) {
    case reg::a: {
      const bool ran = running();
      const uint64_t rate = period();
      cmos_[reg::a] = value & static_cast<uint8_t>(~reg_a::updating);
      if (!ran && running()) {  // the first update comes half a second after release
        origin_tick_ = time_.ticks(now, kClockHz) - kSecond / 2;
        seconds_ = 0;
      }
      if (period() != 0 && (rate != period() || !ran)) periods_ = tick(now) / period();
      return;
    }
    case reg::b:
      cmos_[reg::b] = value;
      if ((value & reg_b::set) != 0) cmos_[reg::b] &= static_cast<uint8_t>(~reg_b::update);
      return;
    case reg::c:
    case reg::d: return;  // read-only
    default: cmos_[index_] = value;
  }
}

uint8_t Rtc::read_byte(uint64_t offset, Cycle now) {
  if (offset != 1) return 0xFF;  // the index is write-only
  const uint8_t flags = cmos_[reg::c];
  catch_up(now);
  if (cmos_[reg::c] != flags) update(now);
  const uint8_t value = cmos_[index_];
  if (index_ == reg::a) {
    const bool soon = running() && (cmos_[reg::b] & reg_b::set) == 0 &&
                      kSecond - tick(now) % kSecond <= kUpdateTicks;
    return static_cast<uint8_t>(value | (soon ? reg_a::updating : 0));
  }
  if (index_ == reg::c) {
    cmos_[reg::c] = 0;
    update(now);
  }
  return value;
}

uint8_t Rtc::peek_byte(uint64_t offset) const {
  return offset == 1 ? cmos_[index_] : uint8_t{0xFF};
}

void Rtc::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  if (offset == 0) {
    index_ = value & 0x7F;
    nmi_masked_ = (value & 0x80) != 0;
  } else if (offset == 1) {
    catch_up(now);
    write_register(value, now);
    if (index_ <= reg::d) update(now);
  }
}

void Rtc::visit(StateVisitor& v) {
  v.enter(name());
  v.field("index", index_);
  v.field("nmi_masked", nmi_masked_);
  v.field("cmos", cmos_);
  v.field("origin_tick", origin_tick_);
  v.field("seconds", seconds_);
  v.field("periods", periods_);
  if (v.loading()) index_ &= 0x7F;
  v.leave();
}

std::string Rtc::inspect() const {
  Facts facts;
  const std::string time =
      std::to_string(value_of(reg::century)) + "-" + std::to_string(value_of(reg::year)) + "-" +
      std::to_string(value_of(reg::month)) + "-" + std::to_string(value_of(reg::day)) + " " +
      std::to_string(hour()) + ":" + std::to_string(value_of(reg::minutes)) + ":" +
      std::to_string(value_of(reg::seconds));
  return facts.word("century-year-month-day", time)
      .hex("a", cmos_[reg::a], 2)
      .hex("b", cmos_[reg::b], 2)
      .hex("c", cmos_[reg::c], 2)
      .text();
}

}  // namespace vitrine::emu
