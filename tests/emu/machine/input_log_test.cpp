// The input log: what is written is read back, what is no recording is named by line.
#include "emu/machine/input_log.h"

#include <catch2/catch.hpp>

using namespace vitrine::emu;

namespace {

std::string error_of(std::string_view text) {
  std::string why;
  return InputLog::parse(text, why) ? "" : why;
}

}  // namespace

TEST_CASE("a recording survives its text form", "[input]") {
  InputLog log;
  log.add({Cycle{10}, InputPort::serial, {0x68, 0x69}});
  log.add({Cycle{10}, InputPort::keyboard, {0x1C}});
  log.add({Cycle{123456789}, InputPort::serial, {0x00, 0xFF}});
  std::string why;
  const auto read = InputLog::parse(log.text(), why);
  REQUIRE(read);
  CHECK(read->events() == log.events());
}

TEST_CASE("a text that is not a recording is refused with its line", "[input]") {
  CHECK(error_of("hello") == "it does not begin with 'vitrine-input 1'");
  CHECK(error_of("vitrine-input 1\n10 serial 6g\n").find("line 2") == 0);
  CHECK(error_of("vitrine-input 1\n10 serial 61\n9 serial 61\n").find("line 3") == 0);
  CHECK(error_of("vitrine-input 1\n10 modem 61\n").find("line 2") == 0);
  CHECK(error_of("vitrine-input 1\nx serial 61\n").find("line 2") == 0);
  CHECK(error_of("vitrine-input 1\n10 serial 6\n").find("line 2") == 0);
}
