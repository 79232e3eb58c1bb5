// Calls, indirect jumps and calls, and the x87 unit.
#include <array>
#include <cstddef>

#include "roms/bench/works.h"

namespace vitrine::bench {
namespace {

[[gnu::noinline]] std::uint64_t fibonacci(std::uint64_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

// An interpreter's operations; the program is a fixed mixture of them that ends with `done`.
enum Operation : std::uint8_t { add, subtract, shift, exclusive, multiply, swap, count, done };
constexpr std::size_t kSteps = 1000;

constexpr std::array<std::uint8_t, kSteps> make_program() {
  std::array<std::uint8_t, kSteps> program{};
  std::uint32_t random = 12345;
  for (auto& step : program) {
    random = random * 1664525 + 1013904223;
    step = static_cast<std::uint8_t>((random >> 24) % Operation::done);
  }
  program.back() = Operation::done;
  return program;
}
constexpr auto kProgram = make_program();

// Labels as values are what interpreters are written with.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgnu-label-as-value"
[[gnu::noinline]] std::uint64_t interpret(const std::uint8_t* step, std::uint64_t a) {
  static const void* const kTargets[] = {&&do_add,      &&do_subtract, &&do_shift, &&do_exclusive,
                                         &&do_multiply, &&do_swap,     &&do_count, &&do_done};
  std::uint64_t b = 1, steps = 0;
  goto* kTargets[*step++];
do_add:
  a += b;
  goto* kTargets[*step++];
do_subtract:
  b -= a;
  goto* kTargets[*step++];
do_shift:
  a ^= b >> 3;
  goto* kTargets[*step++];
do_exclusive:
  b ^= a;
  goto* kTargets[*step++];
do_multiply:
  a = a * 5 + 1;
  goto* kTargets[*step++];
do_swap: {
  const std::uint64_t c = a;
  a = b;
  b = c;
  goto* kTargets[*step++];
}
do_count:
  ++steps;
  goto* kTargets[*step++];
do_done:
  return a + b + steps;
}
#pragma clang diagnostic pop

using Function = std::uint64_t (*)(std::uint64_t);
[[gnu::noinline]] std::uint64_t increase(std::uint64_t v) { return v + 3; }
[[gnu::noinline]] std::uint64_t rotate(std::uint64_t v) { return v << 7 | v >> 57; }
[[gnu::noinline]] std::uint64_t invert(std::uint64_t v) { return ~v; }
[[gnu::noinline]] std::uint64_t mix(std::uint64_t v) { return v ^ v >> 13; }
constinit std::array<Function, 4> functions{increase, rotate, invert, mix};

}  // namespace

std::uint64_t calls(std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t n = 20;
    asm volatile("" : "+r"(n));  // or the compiler calls it once
    sum += fibonacci(n);
  }
  return sum;
}

std::uint64_t jumps(std::uint64_t count) {
  std::uint64_t value = 7;
  for (std::uint64_t i = 0; i < count; ++i) value = interpret(kProgram.data(), value);
  return value;
}

std::uint64_t indirect_calls(std::uint64_t count) {
  std::uint64_t value = 7;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (const std::uint8_t step : kProgram) value = functions[step & 3](value);
  }
  return value;
}

std::uint64_t x87(std::uint64_t count) {
  long double x = 0.25L, sum = 0;
  for (std::uint64_t i = 0; i < count * 1000; ++i) {
    x = 3.75L * x * (1 - x);
    long double root = x;
    asm("fsqrt" : "+t"(root));
    sum += root - x / 3;
  }
  return static_cast<std::uint64_t>(sum * 1024);
}

}  // namespace vitrine::bench
