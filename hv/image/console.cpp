// The hypervisor's own words on the first serial port, a 16550 at 0x3F8, polled.
#include "hv/image/console.h"

#include "hv/image/instructions.h"

namespace vitrine::hv {
namespace {

constexpr std::uint16_t kUart = 0x3F8;
constexpr std::uint16_t kExitPort = 0xF4;
constexpr std::uint32_t kFailureCode = 0x7F;
constexpr std::uint8_t kTransmitterEmpty = 0x20;

void put(char c) {
  while ((in8(kUart + 5) & kTransmitterEmpty) == 0) pause();
  out8(kUart, static_cast<std::uint8_t>(c));
}

}  // namespace

void console_start() {
  out8(kUart + 1, 0x00);  // no interrupts
  out8(kUart + 3, 0x80);  // divisor latch
  out8(kUart + 0, 0x01);  // 115200 baud
  out8(kUart + 1, 0x00);
  out8(kUart + 3, 0x03);  // 8 data bits, no parity, 1 stop bit
  out8(kUart + 2, 0x07);  // FIFOs on and empty
  out8(kUart + 4, 0x03);  // DTR, RTS
}

void print(std::string_view text) {
  for (const char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

void print(Hex number) {
  print("0x");
  int shift = 60;
  while (shift > 0 && (number.value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(number.value >> shift) & 15]);
}

void print(std::uint64_t value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) put(digits[--count]);
}

void leave_machine(std::uint32_t code) {
  out32(kExitPort, code);
  disable_interrupts();
  for (;;) halt();
}

void stop(std::string_view why) {
  say("stopped: ", why);
  leave_machine(kFailureCode);
}

void stop(std::string_view why, std::uint64_t value) {
  say("stopped: ", why, " ", Hex{value});
  leave_machine(kFailureCode);
}

}  // namespace vitrine::hv
