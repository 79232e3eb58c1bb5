// Text on the first serial port: how a payload speaks to the world.
#pragma once

#include <cstdint>
#include <string_view>

namespace vitrine::kit {

void serial_start();
void print(std::string_view text);
void print_hex(std::uint64_t value);
void print_decimal(std::uint64_t value);

struct Hex {
  std::uint64_t value;
};
inline void print(Hex number) { print_hex(number.value); }
inline void print(std::uint64_t value) { print_decimal(value); }
inline void print(std::uint32_t value) { print_decimal(value); }

// Prints its arguments one after the other and ends the line.
template <typename... Parts>
void print_line(Parts... parts) {
  (print(parts), ...);
  print(std::string_view{"\n"});
}

// Leaves the machine: through the exit port where there is one (code 0 is success), else by halting
// for good.
[[noreturn]] void leave(std::uint32_t code);

}  // namespace vitrine::kit
