// The 8259A as its data sheet says: initialisation and operation words, priorities, poll, spurious 7.
#include "emu/devices/pic.h"

namespace vitrine::emu {

namespace {

constexpr int kCascade = 2;
/// Inputs whose trigger mode the board lets one choose.
constexpr std::array<uint8_t, 2> kElcrMask = {0xF8, 0xDE};

namespace icw1 {
constexpr uint8_t icw4 = 1, single = 2, select = 0x10;
}
namespace icw4 {
constexpr uint8_t auto_eoi = 2, special_nested = 0x10;
}
namespace ocw2 {
constexpr uint8_t eoi = 0x20, specific = 0x40, rotate = 0x80;
}
namespace ocw3 {
constexpr uint8_t select = 8, read_isr = 1, read = 2, poll = 4, mask = 0x20, mask_enable = 0x40;
}

constexpr uint8_t input_bit(unsigned input) { return static_cast<uint8_t>(1u << input); }

}  // namespace

/// The set bit of highest priority, -1 when there is none.
int Pic::Chip::highest(uint8_t inputs) const {
  for (unsigned i = 1; i <= 8; ++i) {
    const unsigned input = (lowest + i) % 8;
    if ((inputs & input_bit(input)) != 0) return static_cast<int>(input);
  }
  return -1;
}

/// The input that asks for service and is not held back by one in service.
int Pic::Chip::request() const {
  if (expected != 0) return -1;
  const int asking = highest(irr & static_cast<uint8_t>(~imr));
  if (asking < 0) return -1;
  uint8_t serving = isr;
  if (special_mask) serving &= static_cast<uint8_t>(~imr);
  const int blocking = highest(serving);
  if (blocking < 0) return asking;
  const auto rank = [this](int input) { return (input + 7 - lowest) % 8; };
  // Special fully nested: a slave in service does not hold back its own higher requests.
  if (fully_nested_special && master && asking == kCascade && blocking == kCascade) return asking;
  return rank(asking) < rank(blocking) ? asking : -1;
}

void Pic::Chip::set_input(unsigned input, bool level) {
  const uint8_t b = input_bit(input);
  const bool was = (lines & b) != 0;
  lines = static_cast<uint8_t>(level ? lines | b : lines & ~b);
  // Edge: the latch is set by a rising edge and holds only while the input stays high.
  if (!level) {
    irr &= static_cast<uint8_t>(~b);
  } else if (!was || (elcr & b) != 0) {
    irr |= b;
  }
}

void Pic::Chip::take(unsigned input) {
  const uint8_t b = input_bit(input);
  if ((elcr & b) == 0) irr &= static_cast<uint8_t>(~b);
  if (!auto_eoi) {
    isr |= b;
  } else if (rotate_on_auto_eoi) {
    lowest = static_cast<uint8_t>(input);
  }
}

void Pic::Chip::end(unsigned input, bool rotate) {
  isr &= static_cast<uint8_t>(~input_bit(input));
  if (rotate) lowest = static_cast<uint8_t>(input);
}

void Pic::Chip::initialise(uint8_t word) {
  irr = lines & elcr;  // edges must come anew
  isr = 0;
  imr = 0;
  lowest = 7;
  special_mask = poll = read_isr = false;
  auto_eoi = rotate_on_auto_eoi = fully_nested_special = false;
  single = (word & icw1::single) != 0;
  wants_icw4 = (word & icw1::icw4) != 0;
  expected = 2;
}

void Pic::Chip::command(uint8_t value) {
  if ((value & icw1::select) != 0) return initialise(value);
  if ((value & ocw3::select) != 0) {
    if ((value & ocw3::mask_enable) != 0) special_mask = (value & ocw3::mask) != 0;
    if ((value & ocw3::poll) != 0) {
      poll = true;
    } else if ((value & ocw3::read) != 0) {
      read_isr = (value & ocw3::read_isr) != 0;
    }
    return;
  }
  const bool rotate = (value & ocw2::rotate) != 0;
  const unsigned level = value & 7;
  if ((value & ocw2::eoi) != 0) {
    if ((value & ocw2::specific) != 0) return end(level, rotate);
    uint8_t candidates = isr;
    if (special_mask) candidates &= static_cast<uint8_t>(~imr);
    const int serving = highest(candidates);
    if (serving >= 0) end(static_cast<unsigned>(serving), rotate);
  } else if ((value & ocw2::specific) != 0) {
    if (rotate) lowest = static_cast<uint8_t>(level);
  } else {
    rotate_on_auto_eoi = rotate;
  }
}

void Pic::Chip::data(uint8_t value) {
  switch (expected) {
    case 2:
      vector = value & 0xF8;
      expected = !single ? 3 : wants_icw4 ? 4 : 0;
      return;
    case 3:
      icw3 = value;
      expected = wants_icw4 ? 4 : 0;
      return;
    case 4:
      auto_eoi = (value & icw4::auto_eoi) != 0;
      fully_nested_special = (value & icw4::special_nested) != 0;
      expected = 0;
      return;
    default: imr = value;
  }
}

void Pic::update(Cycle now) {
  chips_[0].set_input(kCascade, chips_[1].request() >= 0);
  intr_.set(chips_[0].request() >= 0, now);
}

void Pic::set_line(unsigned line, bool level, Cycle now) {
  if (line >= 16 || line == kCascade) return;
  chips_[line / 8].set_input(line % 8, level);
  update(now);
}

uint8_t Pic::acknowledge(Cycle now) {
  const int first = chips_[0].request();
  const unsigned input = first < 0 ? 7 : static_cast<unsigned>(first);
  uint8_t vector = static_cast<uint8_t>(chips_[0].vector | input);
  if (first >= 0) {
    chips_[0].take(input);
    if (input == kCascade) {
      const int second = chips_[1].request();
      const unsigned behind = second < 0 ? 7 : static_cast<unsigned>(second);
      if (second >= 0) chips_[1].take(behind);
      vector = static_cast<uint8_t>(chips_[1].vector | behind);
      chips_[0].set_input(kCascade, false);  // INT falls, so that a further request makes an edge
    }
  }
  update(now);
  return vector;
}

uint8_t Pic::take_poll(unsigned index, Cycle now) {
  Chip& chip = chips_[index];
  chip.poll = false;
  const int input = chip.request();
  if (input < 0) return 0;
  chip.take(static_cast<unsigned>(input));
  if (index == 1) chips_[0].set_input(kCascade, false);
  update(now);
  return static_cast<uint8_t>(0x80 | input);
}

void Pic::reset(Cycle now) {
  for (Chip& chip : chips_) {
    const uint8_t lines = chip.lines;
    chip = Chip{};
    chip.lines = lines;
  }
  chips_[0].master = true;
  update(now);
}

uint8_t Pic::read_byte(uint64_t offset, Cycle now) {
  const uint64_t index = offset / 0x10;
  if (index < 2 && offset % 0x10 < 2 && chips_[index].poll) {
    return take_poll(static_cast<unsigned>(index), now);
  }
  return peek_byte(offset);
}

uint8_t Pic::peek_byte(uint64_t offset) const {
  switch (offset) {
    case kMasterOffset:
    case kSlaveOffset: {
      const Chip& chip = chips_[offset / 0x10];
      return chip.read_isr ? chip.isr : chip.irr;
    }
    case kMasterOffset + 1:
    case kSlaveOffset + 1: return chips_[offset / 0x10].imr;
    case kElcrOffset:
    case kElcrOffset + 1: return chips_[offset & 1].elcr;
    default: return 0xFF;
  }
}

void Pic::write_byte(uint64_t offset, uint8_t value, Cycle now) {
  switch (offset) {
    case kMasterOffset:
    case kSlaveOffset: chips_[offset / 0x10].command(value); break;
    case kMasterOffset + 1:
    case kSlaveOffset + 1: chips_[offset / 0x10].data(value); break;
    case kElcrOffset:
    case kElcrOffset + 1: {
      Chip& chip = chips_[offset & 1];
      chip.elcr = value & kElcrMask[offset & 1];
      chip.irr |= chip.lines & chip.elcr;
      break;
    }
    default: return;
  }
  update(now);
}

void Pic::Chip::visit(StateVisitor& v, std::string_view name) {
  v.enter(name);
  v.field("lines", lines);
  v.field("irr", irr);
  v.field("isr", isr);
  v.field("imr", imr);
  v.field("elcr", elcr);
  v.field("vector", vector);
  v.field("lowest", lowest);
  v.field("expected", expected);
  v.field("icw3", icw3);
  v.field("single", single);
  v.field("wants_icw4", wants_icw4);
  v.field("auto_eoi", auto_eoi);
  v.field("rotate_on_auto_eoi", rotate_on_auto_eoi);
  v.field("fully_nested_special", fully_nested_special);
  v.field("special_mask", special_mask);
  v.field("poll", poll);
  v.field("read_isr", read_isr);
  v.field("master", master);
  v.leave();
}

void Pic::visit(StateVisitor& v) {
  v.enter(name());
  chips_[0].visit(v, "master");
  chips_[1].visit(v, "slave");
  v.leave();
}

std::string Pic::inspect() const {
  Facts facts;
  for (size_t i = 0; i < 2; ++i) {
    const std::string chip = i == 0 ? "master_" : "slave_";
    facts.hex(chip + "irr", chips_[i].irr, 2)
        .hex(chip + "isr", chips_[i].isr, 2)
        .hex(chip + "imr", chips_[i].imr, 2)
        .hex(chip + "elcr", chips_[i].elcr, 2)
        .hex(chip + "vector", chips_[i].vector, 2);
  }
  return facts.text();
}

}  // namespace vitrine::emu
