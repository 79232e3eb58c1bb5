// What chips share: exact device periods, registers of one byte, and the text of inspect().
#include "emu/devices/device.h"

#include "emu/arch/wide.h"

namespace vitrine::emu {

Cycle TimeBase::cycles(uint64_t ticks, uint64_t hz) const {
  const uint128_t product = uint128_t{ticks} * core_hz;
  const uint128_t cycles = (product + hz - 1) / hz;
  return cycles >= kNever.value ? kNever : Cycle{static_cast<uint64_t>(cycles)};
}

uint64_t TimeBase::ticks(Cycle now, uint64_t hz) const {
  return static_cast<uint64_t>(uint128_t{now.value} * hz / core_hz);
}

uint64_t ByteDevice::read(uint64_t offset, unsigned size, const BusAccess& access) {
  uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const uint64_t byte = read_byte(offset + i, access.now);
    value |= byte << (8 * i);
  }
  return value;
}

void ByteDevice::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  for (unsigned i = 0; i < size; ++i) {
    write_byte(offset + i, static_cast<uint8_t>(value >> (8 * i)), access.now);
  }
}

uint64_t ByteDevice::peek(uint64_t offset, unsigned size) const {
  uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= uint64_t{peek_byte(offset + i)} << (8 * i);
  return value;
}

Facts& Facts::hex(std::string_view name, uint64_t value, unsigned digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text_.append(name).append(" 0x");
  for (unsigned i = digits; i-- > 0;) text_.push_back(kDigits[(value >> (4 * i)) & 15]);
  text_.push_back('\n');
  return *this;
}

Facts& Facts::number(std::string_view name, uint64_t value) {
  return word(name, std::to_string(value));
}

Facts& Facts::word(std::string_view name, std::string_view value) {
  text_.append(name).append(" ").append(value).append("\n");
  return *this;
}

}  // namespace vitrine::emu
