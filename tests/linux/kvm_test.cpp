// KVM as a judge of our VMX: an unmodified kernel runs virtual machines, and every one must do what KVM promises.
#include <catch2/catch.hpp>

#include "emu/host/files.h"
#include "frontend/linux/initramfs.h"
#include "tests/frontend/program.h"
#include "tests/linux/boot.h"

using namespace vitrine;
using test::Outcome;

namespace {

constexpr uint64_t kSlice = 1'000'000'000;

/// Boots the test kernel with the judge as its first program.
Outcome judge(const std::string& parameters, uint32_t processors, uint64_t slice) {
  test::TemporaryFolder folder("kvm_test");
  const auto initrd = folder / "judge.cpio";
  ui::CpioWriter cpio;
  cpio.folder("dev");
  cpio.character_device("dev/console", 5, 1);
  cpio.file("init", emu::host::read_file(VITRINE_KVM_JUDGE), true);
  emu::host::write_file(initrd, cpio.take());
  ui::RunOptions options;
  options.image = (test::kLinuxImages / "bzImage").string();
  options.initrd = initrd.string();
  options.append = "console=ttyS0 quiet " + parameters;
  options.machine.processors = processors;
  options.serial = "null";
  ui::finish_options(options);
  return test::boot(options, slice);
}

/// Every case ran; those that need what the processor does not show may say that they were skipped.
void check(const Outcome& out) {
  INFO(out.text);
  CHECK(out.reason == emu::StopReason::power_off);
  CHECK(out.says("judge| two processors: "));
  CHECK(out.says(" passed, 0 failed"));
  CHECK_FALSE(out.says("FAILED"));
  for (const char* trouble : {"BUG:", "WARNING:", "Oops", "VMWRITE failed", "VMREAD failed"}) {
    CHECK_FALSE(out.says(trouble));
  }
}

}  // namespace

TEST_CASE("KVM finds EPT, unrestricted guest and VPID, and every guest runs", "[linux][kvm]") {
  if (!test::have_linux()) return;
  const Outcome out = judge("", 1, kSlice);
  check(out);
  CHECK(out.says("judge| 17 passed, 0 failed, 0 skipped"));
  for (const char* found :
       {"ept=Y", "unrestricted_guest=Y", "eptad=Y", "vpid=Y", "nested=Y", "flexpriority=Y", "pml=Y",
        "enable_apicv=Y", "preemption_timer=Y", "tsc_scaling", "shadow_vmcs"}) {
    CAPTURE(found);
    CHECK(out.says(found));
  }
  CHECK(judge("", 1, 3'456'789) == out);
}

TEST_CASE("KVM with shadow page tables instead of EPT", "[linux][kvm]") {
  if (!test::have_linux()) return;
  const Outcome out = judge("kvm-intel.ept=0", 1, kSlice);
  check(out);
  CHECK(out.says("ept=N"));
}

TEST_CASE("KVM without A and D bits in EPT, VPID and the preemption timer", "[linux][kvm]") {
  if (!test::have_linux()) return;
  const std::string off = "kvm-intel.eptad=0 kvm-intel.vpid=0 kvm-intel.preemption_timer=0";
  const Outcome out = judge(off, 1, kSlice);
  check(out);
  CHECK(out.says("vpid=N"));
}

TEST_CASE("KVM on two processors", "[linux][kvm]") {
  if (!test::have_linux()) return;
  check(judge("", 2, kSlice));
}
