// Linux on several processors, bare and as the root: all come up and work, and slices change nothing.
#include <catch2/catch.hpp>

#include "tests/linux/script.h"

using namespace vitrine;
using test::have_linux;
using test::Outcome;

namespace {

// clang-format off
constexpr std::string_view kWork = R"sh(#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "PROCESSORS $(nproc)"
i=0
while [ $i -lt 8 ]; do (j=0; while [ $j -lt 500 ]; do j=$((j+1)); done; echo "WORKED $j") & i=$((i+1)); done
wait
grep -E "LOC:|RES:" /proc/interrupts
cat /sys/devices/system/clocksource/clocksource0/current_clocksource
poweroff -f
)sh";
// clang-format on

}  // namespace

TEST_CASE("Linux brings up two, four and eight processors, the same however it is cut",
          "[linux][smp]") {
  if (!have_linux()) return;
  const test::TemporaryFolder folder("linux-smp");
  ui::RunOptions options = test::script_options(kWork, folder);
  for (const uint32_t processors : {2u, 4u, 8u}) {
    options.machine.processors = processors;
    ui::finish_options(options);
    const Outcome first = test::boot(options, 1'000'000'000);
    INFO(first.text);
    CHECK(first.reason == emu::StopReason::power_off);
    CHECK(first.says("PROCESSORS " + std::to_string(processors)));
    CHECK(first.says("\ntsc"));
    size_t worked = 0;
    for (size_t at = 0; (at = first.text.find("WORKED 500", at)) != std::string::npos; ++at) {
      ++worked;
    }
    CHECK(worked == 8);
    CHECK(test::boot(options, 1'234'567) == first);
  }
}

TEST_CASE("Linux as the hypervisor's root brings up its processors and flushes through it",
          "[linux][smp]") {
  if (!have_linux() || !test::have_image("vitrine-hv")) return;
  const test::TemporaryFolder folder("linux-smp-root");
  ui::RunOptions options = test::script_options(kWork, folder);
  options.append = "console=ttyS0 rdinit=/first";
  options.hypervisor = "builtin";
  for (const uint32_t processors : {2u, 4u}) {
    options.machine.processors = processors;
    ui::finish_options(options);
    const Outcome first = test::boot(options, 1'000'000'000);
    INFO(first.text);
    CHECK(first.reason == emu::StopReason::power_off);
    CHECK(first.says("PROCESSORS " + std::to_string(processors)));
    CHECK(first.says("hyperv_clocksource_tsc_page"));
    CHECK(first.says("Using hypercall for remote TLB flush"));
    size_t worked = 0;
    for (size_t at = 0; (at = first.text.find("WORKED 500", at)) != std::string::npos; ++at) {
      ++worked;
    }
    CHECK(worked == 8);
    if (processors == 2) CHECK(test::boot(options, 1'234'567) == first);
  }
}
