// The 16550A as its data sheet says, and the small ports that print or end the run.
#include "emu/devices/uart.h"

#include <catch2/catch.hpp>

#include "emu/devices/debug_port.h"
#include "emu/devices/exit_port.h"
#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Bench {
  explicit Bench(UartOptions options = {})
      : uart(events, TimeBase{}, Line{&lines, 4}, &out, options) {
    uart.reset(Cycle{0});
  }
  uint64_t in(uint64_t reg, uint64_t now = 0) { return uart.read(reg, 1, at(now)); }
  void put(uint64_t reg, uint64_t value, uint64_t now = 0) { uart.write(reg, 1, value, at(now)); }
  void receive(std::string_view text, uint64_t now = 0) {
    for (const char c : text) uart.receive(static_cast<uint8_t>(c), Cycle{now});
  }
  EventQueue events;
  FakeLines lines;
  FakeOutput out;
  Uart uart;
};

}  // namespace

TEST_CASE("a written character appears and the transmitter is ready at once", "[devices]") {
  Bench b;
  b.put(0, 'h');
  CHECK(b.in(5) == 0x60);
  b.put(0, 'i');
  CHECK(b.out.text == "hi");
}

TEST_CASE("the transmitter interrupt rises again after each character and falls when identified",
          "[devices]") {
  Bench b;
  b.put(1, 2, 5);
  CHECK(b.lines.rises(4) == std::vector<uint64_t>{5});
  CHECK(b.uart.peek(2, 1) == 0x02);
  CHECK(b.lines.levels[4]);  // a peek leaves it
  CHECK(b.in(2, 6) == 0x02);
  CHECK_FALSE(b.lines.levels[4]);
  CHECK(b.in(2) == 0x01);
  b.put(0, 'x', 9);
  CHECK(b.lines.rises(4) == std::vector<uint64_t>{5, 9});
}

TEST_CASE("received characters come in order and what does not fit waits at the sender",
          "[devices]") {
  Bench b;
  b.put(2, 0x01);
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
  b.receive(text);
  std::string got;
  while ((b.in(5) & 1) != 0) got.push_back(static_cast<char>(b.in(0)));
  CHECK(got == text);
  CHECK((b.in(5) & 2) == 0);
}

TEST_CASE("below the trigger level the interrupt comes four character times later", "[devices]") {
  Bench b;
  b.put(3, 0x83);
  b.put(0, 1);  // 115200 baud
  b.put(1, 0);
  b.put(3, 0x03);
  b.put(2, 0x81);  // FIFO, trigger at 8
  b.put(1, 1);
  b.receive("abc", 1000);
  CHECK(b.in(2, 1001) == 0xC1);
  // Four characters of ten bits at 115200 baud and 2 GHz.
  const uint64_t due = 1000 + (4 * 10 * 2'000'000'000ull + 115'199) / 115'200;
  b.events.run_until(Cycle{due - 1});
  CHECK_FALSE(b.lines.levels[4]);
  b.events.run_until(Cycle{due});
  CHECK(b.lines.rises(4) == std::vector<uint64_t>{due});
  CHECK(b.in(2, due) == 0xCC);
  b.in(0, due);
  CHECK_FALSE(b.lines.levels[4]);
}

TEST_CASE("at the trigger level the interrupt comes at once and outranks the transmitter",
          "[devices]") {
  Bench b;
  b.put(2, 0x41);  // trigger at 4
  b.put(1, 3);
  CHECK(b.in(2) == 0xC2);
  b.receive("abcd", 77);
  CHECK(b.in(2) == 0xC4);
  CHECK(b.lines.levels[4]);
}

TEST_CASE("loopback returns characters and modem outputs, with deltas that a read clears",
          "[devices]") {
  Bench b;
  CHECK(b.in(6) == 0xB0);
  b.put(4, 0x10);
  CHECK(b.in(6) == 0x0B);
  CHECK(b.in(6) == 0x00);
  b.put(4, 0x1A);
  CHECK(b.in(6) == 0x99);  // OUT2 is carrier, RTS is CTS
  b.put(0, 0x5A);
  CHECK(b.out.text.empty());
  CHECK(b.in(5) == 0x61);
  CHECK(b.in(0) == 0x5A);
}

TEST_CASE("an overrun in loopback is a line-status interrupt until it is read", "[devices]") {
  Bench b;
  b.put(4, 0x10);
  b.put(1, 4);
  b.put(0, 1);
  b.put(0, 2);
  CHECK(b.in(2) == 0x06);
  CHECK(b.in(5) == 0x63);
  CHECK(b.in(2) == 0x01);
  CHECK(b.in(5) == 0x61);
}

TEST_CASE("the FIFO bits in IIR and the scratch register let a driver see a 16550A", "[devices]") {
  Bench b;
  CHECK(b.in(2) == 0x01);
  b.put(2, 0x07);
  CHECK(b.in(2) == 0xC1);
  b.put(7, 0xA5);
  CHECK(b.in(7) == 0xA5);
  CHECK(b.uart.read(5, 4, at(0)) == 0xFFA5B060);
}

TEST_CASE("at the real rate characters leave one character time apart", "[devices]") {
  Bench b(UartOptions{.real_rate = true});
  b.put(3, 0x83);
  b.put(0, 12);  // 9600 baud
  b.put(3, 0x03);
  b.put(2, 0x01);
  b.put(0, 'a');
  b.put(0, 'b');
  CHECK(b.in(5) == 0x00);
  const uint64_t character = (10 * 2'000'000'000ull + 9'599) / 9'600;
  b.events.run_until(Cycle{character - 1});
  CHECK(b.out.text.empty());
  b.events.run_until(Cycle{character});
  CHECK(b.out.text == "a");
  CHECK(b.in(5, character) == 0x20);
  b.events.run_until(Cycle{2 * character});
  CHECK(b.out.text == "ab");
  CHECK(b.in(5, 2 * character) == 0x60);
}

TEST_CASE("the serial port's state survives a round trip", "[devices]") {
  Bench a;
  a.put(2, 0x01);
  a.put(1, 7);
  a.receive("0123456789abcdefXYZ");
  const auto content = saved(a.uart);
  Bench b;
  load(b.uart, content);
  CHECK(saved(b.uart) == content);
  std::string got;
  while ((b.in(5) & 1) != 0) got.push_back(static_cast<char>(b.in(0)));
  CHECK(got == "0123456789abcdefXYZ");
}

TEST_CASE("no access to the serial port does harm", "[devices]") {
  for (const bool real : {false, true}) {
    Bench b(UartOptions{.real_rate = real});
    hammer(b.uart, b.events, 16, 1);
  }
}

TEST_CASE("the exit port reports an odd code, the debug port prints and shows itself",
          "[devices]") {
  struct Verdict final : ExitSink {
    void guest_exit(uint32_t code, Cycle now) override { got.push_back({code, now.value}); }
    std::vector<std::pair<uint32_t, uint64_t>> got;
  } verdict;
  ExitPort exit_port(verdict);
  exit_port.write(0, 4, 0x10, at(3));
  exit_port.write(0, 1, 0, at(4));
  CHECK(verdict.got == std::vector<std::pair<uint32_t, uint64_t>>{{0x21, 3}, {1, 4}});

  FakeOutput out;
  DebugPort debug(&out);
  debug.write(0, 1, '!', at(0));
  debug.write(0, 2, 'a' | 'b' << 8, at(0));
  CHECK(out.text == "!a");
  CHECK(debug.read(0, 1, at(0)) == 0xE9);
}
