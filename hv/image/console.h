// The hypervisor's own words on the first serial port, and how it stops.
#pragma once

#include <cstdint>
#include <string_view>

namespace vitrine::hv {

void console_start();
void print(std::string_view text);
void print(std::uint64_t value);

struct Hex {
  std::uint64_t value;
};
void print(Hex number);

// One line of the hypervisor, marked as its own.
template <typename... Parts>
void say(Parts... parts) {
  print(std::string_view{"hv: "});
  (print(parts), ...);
  print(std::string_view{"\n"});
}

// Says why and stops the machine: through the exit port where there is one, else by halting for
// good.
[[noreturn]] void stop(std::string_view why);
[[noreturn]] void stop(std::string_view why, std::uint64_t value);
[[noreturn]] void leave_machine(std::uint32_t code);

}  // namespace vitrine::hv
