// The keyboard controller's commands and the keyboard's own, with translation of scan codes to set 1.
#include "emu/devices/i8042.h"

namespace vitrine::emu {

namespace {

namespace status_bit {
constexpr uint8_t output_full = 1, system = 4, command = 8, not_locked = 0x10, mouse = 0x20;
}
namespace config_bit {
constexpr uint8_t keyboard_irq = 1, system = 4, keyboard_off = 0x10, mouse_off = 0x20,
                  translate = 0x40;
}
namespace output_bit {
constexpr uint8_t not_reset = 1, a20 = 2, keyboard_full = 0x10;
}

constexpr uint8_t kAcknowledge = 0xFA;
constexpr uint8_t kResend = 0xFE;
constexpr size_t kMaxKeys = 4096;

// clang-format off
/// Scan code set 2 to set 1, for keys 00H to 83H ("8042 translation").
constexpr std::array<uint8_t, 0x84> kTranslation = {
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41};
// clang-format on

}  // namespace

void I8042::reset(Cycle now) {
  config_ = config_bit::system | config_bit::keyboard_irq | config_bit::translate;
  output_port_ = output_bit::not_reset | output_bit::a20;
  full_ = from_mouse_ = last_was_command_ = break_prefix_ = false;
  buffer_ = expects_ = keyboard_expects_ = leds_ = 0;
  scanning_ = true;
  scan_set_ = 2;
  ram_ = {};
  keys_.clear();
  if (a20_ != nullptr) a20_->set_a20(true, now);
  update(now);
}

uint8_t I8042::status() const {
  uint8_t s = status_bit::not_locked;
  if (full_) s |= status_bit::output_full;
  if (full_ && from_mouse_) s |= status_bit::mouse;
  if ((config_ & config_bit::system) != 0) s |= status_bit::system;
  if (last_was_command_) s |= status_bit::command;
  return s;
}

void I8042::answer(uint8_t value, bool from_mouse) {
  buffer_ = value;
  full_ = true;
  from_mouse_ = from_mouse;
}

void I8042::key(uint8_t value) {
  if (keys_.size() < kMaxKeys) keys_.push_back(std::byte{value});
}

/// The keyboard's next byte enters the output buffer, translated when that is on.
void I8042::refill() {
  while (!full_ && !keys_.empty() && (config_ & config_bit::keyboard_off) == 0) {
    auto value = std::to_integer<uint8_t>(keys_.front());
    keys_.erase(keys_.begin());
    if ((config_ & config_bit::translate) != 0) {
      if (value == 0xF0) {
        break_prefix_ = true;
        continue;
      }
      if (value < kTranslation.size()) value = kTranslation[value];
      if (break_prefix_) value |= 0x80;
      break_prefix_ = false;
    }
    answer(value);
  }
}

void I8042::update(Cycle now) {
  refill();
  irq_.set(full_ && !from_mouse_ && (config_ & config_bit::keyboard_irq) != 0, now);
}

void I8042::receive(uint8_t byte, Cycle now) {
  if (!scanning_) return;
  key(byte);
  update(now);
}

void I8042::write_output_port(uint8_t value, Cycle now) {
  output_port_ = value;
  if (a20_ != nullptr) a20_->set_a20((value & output_bit::a20) != 0, now);
  if ((value & output_bit::not_reset) == 0) power_.reset_requested(now);
}

void I8042::command(uint8_t value, Cycle now) {
  last_was_command_ = true;
  expects_ = 0;
  if (value >= 0x20 && value < 0x40) {
    const uint8_t index = value & 0x0F;
    return answer(value == 0x20 ? config_ : ram_[index]);
  }
  if (value >= 0xF0) {  // pulses the output lines whose bits are clear; line 0 is reset
    if ((value & output_bit::not_reset) == 0) power_.reset_requested(now);
    return;
  }
  switch (value) {
    case 0xA7: config_ |= config_bit::mouse_off; return;
    case 0xA8: config_ &= static_cast<uint8_t>(~config_bit::mouse_off); return;
    case 0xA9: return answer(0x00);  // the mouse port tests well
    case 0xAA: config_ |= config_bit::system; return answer(0x55);
    case 0xAB: return answer(0x00);
    case 0xAD: config_ |= config_bit::keyboard_off; return;
    case 0xAE: config_ &= static_cast<uint8_t>(~config_bit::keyboard_off); return;
    case 0xC0: return answer(0x80);  // input port: keyboard not locked
    case 0xD0:
      return answer(static_cast<uint8_t>(output_port_ | (full_ ? output_bit::keyboard_full : 0)));
    case 0xDD: return write_output_port(output_port_ & static_cast<uint8_t>(~output_bit::a20), now);
    case 0xDF: return write_output_port(output_port_ | output_bit::a20, now);
    case 0xD1:
    case 0xD2:
    case 0xD3:
    case 0xD4: expects_ = value; return;
    default:
      if (value >= 0x60 && value < 0x80) expects_ = value;
  }
}

void I8042::data(uint8_t value, Cycle now) {
  last_was_command_ = false;
  const uint8_t wanted = expects_;
  expects_ = 0;
  if (wanted >= 0x60 && wanted < 0x80) {
    if (wanted == 0x60) config_ = value & 0x7F;
    ram_[wanted & 0x0F] = value;
    return;
  }
  switch (wanted) {
    case 0xD1: return write_output_port(value, now);
    case 0xD2: return answer(value);
    case 0xD3: return answer(value, true);
    case 0xD4: return answer(kResend, true);  // there is no mouse: the transmission fails
    default: break;
  }
  config_ &= static_cast<uint8_t>(~config_bit::keyboard_off);  // talking to it enables it
  keyboard(value);
}

void I8042::keyboard(uint8_t value) {
  const uint8_t wanted = keyboard_expects_;
  keyboard_expects_ = 0;
  if (wanted != 0 && value < 0x80) {
    key(kAcknowledge);
    if (wanted == 0xED) leds_ = value & 7;
    if (wanted == 0xF0 && value == 0) key(scan_set_);
    if (wanted == 0xF0 && value >= 1 && value <= 3) scan_set_ = value;
    return;
  }
  switch (value) {
    case 0xED:
    case 0xF0:
    case 0xF3:
      keyboard_expects_ = value;
      key(kAcknowledge);
      return;
    case 0xEE: key(0xEE); return;  // echo
    case 0xF2:
      key(kAcknowledge);
      key(0xAB);
      key(0x83);
      return;
    case 0xF4:
    case 0xF5:
    case 0xF6:
      scanning_ = value != 0xF5;
      key(kAcknowledge);
      return;
    case 0xFF:
      keys_.clear();
      scanning_ = true;
      scan_set_ = 2;
      leds_ = 0;
      key(kAcknowledge);
      key(0xAA);
      return;
    default: key(kResend);
  }
}

uint8_t I8042::read_byte(uint64_t offset, Cycle now) {
  const uint8_t value = peek_byte(offset);
  if (offset == kDataOffset) {
    full_ = false;
    irq_.set(false, now);
    update(now);
  }
  return value;
}

uint8_t I8042::peek_byte(uint64_t offset) const {
  switch (offset) {
    case kDataOffset: return buffer_;
    case kCommandOffset: return status();
    case kFastA20Offset: return output_port_ & output_bit::a20;
    default: return 0xFF;
  }
}

void I8042::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  switch (offset) {
    case kDataOffset: data(value, now); break;
    case kCommandOffset: command(value, now); break;
    case kFastA20Offset:
      output_port_ = static_cast<uint8_t>((output_port_ & ~output_bit::a20) | (value & 2));
      if (a20_ != nullptr) a20_->set_a20((value & 2) != 0, now);
      if ((value & 1) != 0) power_.reset_requested(now);
      break;
    default: return;
  }
  update(now);
}

void I8042::visit(StateVisitor& v) {
  v.enter(name());
  v.field("config", config_);
  v.field("output_port", output_port_);
  v.field("buffer", buffer_);
  v.field("full", full_);
  v.field("from_mouse", from_mouse_);
  v.field("last_was_command", last_was_command_);
  v.field("expects", expects_);
  v.field("keyboard_expects", keyboard_expects_);
  v.field("break_prefix", break_prefix_);
  v.field("scanning", scanning_);
  v.field("leds", leds_);
  v.field("scan_set", scan_set_);
  v.field("ram", ram_);
  v.blob("keys", keys_);
  if (v.loading() && a20_ != nullptr) {
    a20_->set_a20((output_port_ & output_bit::a20) != 0, Cycle{0});
  }
  v.leave();
}

std::string I8042::inspect() const {
  return Facts{}
      .hex("status", status(), 2)
      .hex("config", config_, 2)
      .hex("output_port", output_port_, 2)
      .number("keys_waiting", keys_.size())
      .hex("leds", leds_, 1)
      .text();
}

}  // namespace vitrine::emu
