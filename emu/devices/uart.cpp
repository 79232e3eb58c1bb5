// The 16550A: registers, FIFOs and the interrupt priorities of its data sheet.
#include "emu/devices/uart.h"

namespace vitrine::emu {

namespace {

// Event kinds.
constexpr uint32_t kSent = 0;
constexpr uint32_t kTimeout = 1;

constexpr uint64_t kClockHz = 1'843'200;  // divided by 16 and the divisor: bits per second

namespace ier {
constexpr uint8_t received = 1, empty = 2, line = 4, modem = 8;
}
namespace fcr {
constexpr uint8_t enable = 1, clear_rx = 2, clear_tx = 4;
}
namespace lcr {
constexpr uint8_t stop = 4, parity = 8, divisor_latch = 0x80;
}
namespace mcr {
constexpr uint8_t dtr = 1, rts = 2, out1 = 4, out2 = 8, loop = 0x10;
}
namespace lsr {
constexpr uint8_t data_ready = 1, overrun = 2, thr_empty = 0x20, transmitter_empty = 0x40;
}
namespace msr {
constexpr uint8_t cts = 0x10, dsr = 0x20, ring = 0x40, carrier = 0x80;
}
// Interrupt identification: the four sources in order of priority, and none.
namespace iir {
constexpr uint8_t line = 6, received = 4, timeout = 0xC, empty = 2, modem = 0, none = 1;
}

}  // namespace

uint8_t Uart::Fifo::pop() {
  const uint8_t byte = bytes[first];
  first = static_cast<uint8_t>((first + 1) % kFifo);
  --count;
  return byte;
}

void Uart::Fifo::visit(StateVisitor& v, std::string_view name) {
  v.enter(name);
  v.field("bytes", bytes);
  v.field("first", first);
  v.field("count", count);
  if (v.loading()) {
    first %= kFifo;
    if (count > kFifo) count = kFifo;
  }
  v.leave();
}

Uart::Uart(EventQueue& events, TimeBase time, Line irq, OutputSink* sink, UartOptions options)
    : events_(events), time_(time), irq_(irq), sink_(sink), options_(options) {
  id_ = events_.add_target(*this);
}

void Uart::reset(Cycle now) {
  events_.cancel(id_, kSent);
  events_.cancel(id_, kTimeout);
  ier_ = fcr_ = lcr_ = mcr_ = scratch_ = modem_delta_ = 0;
  divisor_ = 12;  // 9600 baud, as firmware leaves it
  overrun_ = thr_interrupt_ = timeout_ = shifting_ = false;
  rx_.clear();
  tx_.clear();
  update_irq(now);
}

bool Uart::fifo_enabled() const { return (fcr_ & fcr::enable) != 0; }

size_t Uart::trigger_level() const {
  constexpr std::array<uint8_t, 4> kLevels = {1, 4, 8, 14};
  return fifo_enabled() ? kLevels[fcr_ >> 6] : 1;
}

Cycle Uart::after_characters(uint64_t count, Cycle now) const {
  const uint64_t bits =
      1 + 5 + (lcr_ & 3) + ((lcr_ & lcr::parity) != 0 ? 1 : 0) + ((lcr_ & lcr::stop) != 0 ? 2 : 1);
  const uint64_t divisor = divisor_ == 0 ? 0x10000 : divisor_;
  return now + time_.cycles(count * bits * divisor * 16, kClockHz).value;
}

uint8_t Uart::interrupt_id() const {
  if ((ier_ & ier::line) != 0 && overrun_) return iir::line;
  if ((ier_ & ier::received) != 0) {
    if (rx_.count >= trigger_level()) return iir::received;
    if (timeout_ && rx_.count != 0) return iir::timeout;
  }
  if ((ier_ & ier::empty) != 0 && thr_interrupt_) return iir::empty;
  if ((ier_ & ier::modem) != 0 && modem_delta_ != 0) return iir::modem;
  return iir::none;
}

uint8_t Uart::line_status() const {
  uint8_t status = 0;
  if (rx_.count != 0) status |= lsr::data_ready;
  if (overrun_) status |= lsr::overrun;
  if (tx_.count == 0) status |= lsr::thr_empty;
  if (tx_.count == 0 && !shifting_) status |= lsr::transmitter_empty;
  return status;
}

uint8_t Uart::modem_status() const {
  // The other end is a terminal that is always there; in loopback the outputs come back.
  if ((mcr_ & mcr::loop) == 0) return msr::cts | msr::dsr | msr::carrier;
  uint8_t status = 0;
  if ((mcr_ & mcr::rts) != 0) status |= msr::cts;
  if ((mcr_ & mcr::dtr) != 0) status |= msr::dsr;
  if ((mcr_ & mcr::out1) != 0) status |= msr::ring;
  if ((mcr_ & mcr::out2) != 0) status |= msr::carrier;
  return status;
}

// Differs: on a PC, MCR.OUT2 connects the interrupt to the bus. Here it always is, so that guests
// which never set OUT2 (they work on other emulators) get their interrupts.
void Uart::update_irq(Cycle now) { irq_.set(interrupt_id() != iir::none, now); }

void Uart::accept(uint8_t byte, Cycle now) {
  if (rx_.count >= depth()) {
    overrun_ = true;  // the FIFO keeps what it has
  } else {
    rx_.push(byte);
  }
  events_.cancel(id_, kTimeout);
  timeout_ = false;
  if (fifo_enabled() && rx_.count < trigger_level()) {
    events_.schedule(after_characters(4, now), id_, kTimeout);
  }
}

void Uart::refill(Cycle now) {
  if ((mcr_ & mcr::loop) != 0) return;
  size_t taken = 0;
  while (taken < backlog_.size() && rx_.count < depth()) {
    accept(std::to_integer<uint8_t>(backlog_[taken++]), now);
  }
  backlog_.erase(backlog_.begin(), backlog_.begin() + static_cast<std::ptrdiff_t>(taken));
}

void Uart::receive(uint8_t byte, Cycle now) {
  backlog_.push_back(std::byte{byte});
  refill(now);
  update_irq(now);
}

uint8_t Uart::read_receiver(Cycle now) {
  if (rx_.count == 0) return 0;
  const uint8_t byte = rx_.pop();
  timeout_ = false;
  events_.cancel(id_, kTimeout);
  refill(now);
  if (fifo_enabled() && rx_.count != 0 && rx_.count < trigger_level()) {
    events_.schedule(after_characters(4, now), id_, kTimeout);
  }
  update_irq(now);
  return byte;
}

void Uart::send(uint8_t byte, Cycle now) {
  if ((mcr_ & mcr::loop) != 0) {
    accept(byte, now);
    return;
  }
  ++characters_out_;
  if (sink_ == nullptr) return;
  const std::array<uint8_t, 1> bytes = {byte};
  sink_->output(bytes);
}

void Uart::transmit(uint8_t byte, Cycle now) {
  thr_interrupt_ = false;
  update_irq(now);  // the line falls, so that an edge follows when the character is gone
  if (!options_.real_rate) {
    send(byte, now);
    thr_interrupt_ = true;
  } else if (!shifting_) {
    shifting_ = true;
    shift_ = byte;
    thr_interrupt_ = true;
    events_.schedule(after_characters(1, now), id_, kSent);
  } else if (tx_.count < depth()) {
    tx_.push(byte);
  } else {
    tx_.bytes[(tx_.first + tx_.count - 1u) % kFifo] = byte;  // the last one is overwritten
  }
  update_irq(now);
}

void Uart::fire(uint32_t kind, uint64_t, Cycle now) {
  if (kind == kTimeout) {
    timeout_ = rx_.count != 0;
  } else if (shifting_) {
    shifting_ = false;
    send(shift_, now);
    if (tx_.count != 0) {
      shift_ = tx_.pop();
      shifting_ = true;
      if (tx_.count == 0) thr_interrupt_ = true;
      events_.schedule(after_characters(1, now), id_, kSent);
    }
  }
  update_irq(now);
}

void Uart::write_fcr(uint8_t value) {
  const bool toggled = ((fcr_ ^ value) & fcr::enable) != 0;
  if (toggled || (value & fcr::clear_rx) != 0) {
    rx_.clear();
    timeout_ = false;
  }
  if (toggled || (value & fcr::clear_tx) != 0) {
    tx_.clear();
    thr_interrupt_ = true;
  }
  fcr_ = (value & fcr::enable) != 0 ? static_cast<uint8_t>(value & 0xC9) : uint8_t{0};
}

void Uart::write_mcr(uint8_t value) {
  const uint8_t before = modem_status();
  mcr_ = value & 0x1F;
  const uint8_t after = modem_status();
  // Deltas: CTS, DSR and DCD on any change, ring on its trailing edge.
  const uint8_t changed = (before ^ after) & (msr::cts | msr::dsr | msr::carrier);
  const uint8_t ring_ended = before & ~after & msr::ring;
  modem_delta_ = static_cast<uint8_t>(modem_delta_ | (changed | ring_ended) >> 4);
}

uint8_t Uart::read_byte(uint64_t offset, Cycle now) {
  const uint8_t value = peek_byte(offset);
  switch (offset) {
    case 0: return (lcr_ & lcr::divisor_latch) != 0 ? value : read_receiver(now);
    case 2:
      if ((value & 0xF) == iir::empty) thr_interrupt_ = false;
      break;
    case 5: overrun_ = false; break;
    case 6: modem_delta_ = 0; break;
    default: return value;
  }
  update_irq(now);
  return value;
}

uint8_t Uart::peek_byte(uint64_t offset) const {
  const bool divisor = (lcr_ & lcr::divisor_latch) != 0;
  switch (offset) {
    case 0:
      if (divisor) return static_cast<uint8_t>(divisor_);
      return rx_.count != 0 ? rx_.bytes[rx_.first] : uint8_t{0};
    case 1: return divisor ? static_cast<uint8_t>(divisor_ >> 8) : ier_;
    case 2: return static_cast<uint8_t>(interrupt_id() | (fifo_enabled() ? 0xC0 : 0));
    case 3: return lcr_;
    case 4: return mcr_;
    case 5: return line_status();
    case 6: return modem_status() | modem_delta_;
    case 7: return scratch_;
    default: return 0xFF;
  }
}

void Uart::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  const bool divisor = (lcr_ & lcr::divisor_latch) != 0;
  switch (offset) {
    case 0:
      if (!divisor) return transmit(value, now);
      divisor_ = static_cast<uint16_t>((divisor_ & 0xFF00) | value);
      return;
    case 1:
      if (divisor) {
        divisor_ = static_cast<uint16_t>((divisor_ & 0xFF) | value << 8);
        return;
      }
      // Enabling the transmitter interrupt while it is empty raises it at once.
      if ((value & ~ier_ & ier::empty) != 0 && tx_.count == 0) thr_interrupt_ = true;
      ier_ = value & 0xF;
      break;
    case 2: write_fcr(value); break;
    case 3: lcr_ = value; return;
    case 4: write_mcr(value); break;
    case 7: scratch_ = value; return;
    default: return;
  }
  refill(now);
  update_irq(now);
}

void Uart::visit(StateVisitor& v) {
  v.enter(name());
  v.field("ier", ier_);
  v.field("fcr", fcr_);
  v.field("lcr", lcr_);
  v.field("mcr", mcr_);
  v.field("scratch", scratch_);
  v.field("modem_delta", modem_delta_);
  v.field("divisor", divisor_);
  v.field("overrun", overrun_);
  v.field("thr_interrupt", thr_interrupt_);
  v.field("timeout", timeout_);
  v.field("shifting", shifting_);
  v.field("shift", shift_);
  rx_.visit(v, "rx");
  tx_.visit(v, "tx");
  v.blob("backlog", backlog_);
  v.field("characters_out", characters_out_);
  v.leave();
}

std::string Uart::inspect() const {
  return Facts{}
      .hex("ier", ier_, 2)
      .hex("iir", peek_byte(2), 2)
      .hex("lcr", lcr_, 2)
      .hex("mcr", mcr_, 2)
      .hex("lsr", line_status(), 2)
      .hex("msr", peek_byte(6), 2)
      .number("divisor", divisor_)
      .number("received_waiting", rx_.count + backlog_.size())
      .number("characters_out", characters_out_)
      .text();
}

}  // namespace vitrine::emu
