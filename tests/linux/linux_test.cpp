// Linux boots to user space and powers off, bare and under the hypervisor, the same each time.
#include <catch2/catch.hpp>

#include "tests/linux/boot.h"

using namespace vitrine;
using test::have_linux;
using test::Outcome;

namespace {

Outcome boot(const std::string& hypervisor, uint64_t slice,
             const std::vector<std::string>& hypervisor_options = {}) {
  ui::RunOptions options;
  options.image = (test::kLinuxImages / "bzImage").string();
  options.initrd = (test::kLinuxImages / "initramfs.cpio.gz").string();
  options.append = "console=ttyS0 quiet vt.run=facts,off";
  options.hypervisor = hypervisor;
  options.hypervisor_options = hypervisor_options;
  options.serial = "null";
  ui::finish_options(options);
  return test::boot(options, slice);
}

}  // namespace

TEST_CASE("Linux boots bare to user space and powers off by ACPI", "[linux]") {
  if (!have_linux()) return;
  const Outcome first = boot("none", 1'000'000'000);
  INFO(first.text);
  CHECK(first.reason == emu::StopReason::power_off);
  CHECK(first.text.find("VITRINE-INIT-UP") != std::string::npos);
  CHECK(first.text.find("current_clocksource: tsc") != std::string::npos);
  CHECK(first.text.find("current_device: lapic-deadline") != std::string::npos);
  CHECK(first.text.find("/dev/kvm: present") != std::string::npos);
  const Outcome cut = boot("none", 1'234'567);
  CHECK(cut == first);
}

TEST_CASE("Linux boots as the hypervisor's root and uses its clock", "[linux]") {
  if (!have_linux() || !test::have_image("vitrine-hv")) return;
  const Outcome first = boot("builtin", 1'000'000'000);
  INFO(first.text);
  CHECK(first.reason == emu::StopReason::power_off);
  CHECK(first.text.find("current_clocksource: hyperv_clocksource_tsc_page") != std::string::npos);
  CHECK(first.text.find("current_device: Hyper-V clockevent") != std::string::npos);
  const Outcome cut = boot("builtin", 7'654'321);
  CHECK(cut == first);
}

TEST_CASE("Linux as a root that manages the processors powers off by hypercall", "[linux]") {
  if (!have_linux() || !test::have_image("vitrine-hv")) return;
  const Outcome out = boot("builtin", 1'000'000'000, {"identity=root"});
  INFO(out.text);
  CHECK(out.reason == emu::StopReason::power_off);
  CHECK(out.says("VITRINE-INIT-UP"));
  CHECK_FALSE(out.says("kernel BUG"));
}
