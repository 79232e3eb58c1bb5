// Linux boots to user space and powers off, bare and under the hypervisor, the same each time.
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

constexpr emu::Cycle kEnd{40'000'000'000};
const std::filesystem::path kImages = VITRINE_LINUX_IMAGES;

bool have_linux() {
  if (std::filesystem::exists(kImages / "bzImage")) return true;
  test::skip(test::SkipReason::file_absent, "the Linux test kernel");
  return false;
}

ui::RunOptions linux_options(const std::string& hypervisor) {
  ui::RunOptions options;
  options.image = (kImages / "bzImage").string();
  options.initrd = (kImages / "initramfs.cpio.gz").string();
  options.append = "console=ttyS0 quiet vt.run=facts,off";
  options.hypervisor = hypervisor;
  options.serial = "null";
  ui::finish_options(options);
  return options;
}

struct Outcome {
  emu::StopReason reason{};
  uint64_t hash = 0, cycles = 0, instructions = 0;
  std::string text;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Runs in slices of so many cycles, which must not matter.
Outcome boot(const std::string& hypervisor, uint64_t slice) {
  ui::Session session(linux_options(hypervisor));
  emu::Machine& m = session.machine();
  Outcome out;
  do {
    out.reason = m.run({.until = m.now() + slice});
  } while (out.reason == emu::StopReason::cycle_limit && m.now() < kEnd);
  out.hash = m.state_hash();
  out.cycles = m.now().value;
  out.instructions = m.instructions();
  out.text = session.serial().text();
  return out;
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
