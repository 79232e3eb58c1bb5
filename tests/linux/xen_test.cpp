// Xen as a judge: Debian's hypervisor boots on our machine and runs Debian's kernel as its first domain.
#include <catch2/catch.hpp>

#include "emu/host/files.h"
#include "emu/host/process.h"
#include "frontend/linux/debian.h"
#include "frontend/linux/initramfs.h"
#include "tests/frontend/program.h"
#include "tests/linux/boot.h"

using namespace vitrine;

namespace {

namespace fs = std::filesystem;

constexpr const char* kMetapackage = "xen-system-amd64";
constexpr const char* kFile = "xen";

// Nobody listens at the console of a first domain without Xen's own drivers, but the kernel's log is printed.
constexpr std::string_view kInit = R"init(#!/bin/busybox sh
/bin/busybox mkdir -p /sys
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
echo "first domain runs: $(/bin/busybox cat /sys/hypervisor/type) $(/bin/busybox uname -r)" > /dev/kmsg
/bin/busybox poweroff -f
)init";

bool run(const std::vector<std::string>& words, const fs::path& folder,
         std::string* output = nullptr) {
  const auto result = emu::host::run_process(words, folder);
  if (output != nullptr) *output = result.output;
  return result.exit_code == 0;
}

/// The hypervisor, fetched once into the cache; empty where that cannot be done.
fs::path fetch_xen() {
  const fs::path cache = emu::host::cache_folder() / "xen";
  if (fs::exists(cache / kFile)) return cache / kFile;
  for (const char* program : {"apt-get", "apt-cache", "dpkg-deb", "gzip"}) {
    if (!emu::host::find_program(program)) return {};
  }
  const fs::path work = cache / "fetch.tmp";
  fs::remove_all(work);
  fs::create_directories(work);
  std::string depends;
  if (!run({"apt-cache", "depends", kMetapackage}, work, &depends)) return {};
  const size_t name = depends.find("xen-hypervisor-");
  if (name == std::string::npos) return {};
  const std::string package = depends.substr(name, depends.find_first_of(" \n", name) - name);
  if (!run({"apt-get", "download", package}, work)) return {};
  for (const auto& entry : fs::directory_iterator(work)) {
    if (entry.path().extension() != ".deb") continue;
    if (!run({"dpkg-deb", "-x", entry.path().string(), "tree"}, work)) return {};
  }
  for (const auto& entry : fs::directory_iterator(work / "tree" / "boot")) {
    if (entry.path().extension() != ".gz") continue;
    if (!run({"gzip", "-d", entry.path().string()}, work)) return {};
    fs::rename(fs::path(entry.path()).replace_extension(), cache / kFile);
    fs::remove_all(work);
    return cache / kFile;
  }
  return {};
}

}  // namespace

TEST_CASE("Xen boots, finds our VMX, and runs a Linux as its first domain", "[linux][xen]") {
  fs::path xen;
  ui::LinuxFiles debian;
  try {
    xen = fetch_xen();
    debian = ui::linux_files();
  } catch (const std::exception& error) {
    return test::skip(test::SkipReason::no_network, error.what());
  }
  if (xen.empty()) return test::skip(test::SkipReason::no_network, "Debian's Xen");

  const test::TemporaryFolder folder("xen_test");
  ui::CpioWriter cpio;
  for (const char* name : {"bin", "dev"}) cpio.folder(name);
  cpio.character_device("dev/console", 5, 1);
  cpio.file("bin/busybox", emu::host::read_file(emu::host::cache_folder() / "linux" / "busybox"),
            true);
  cpio.file("init", std::as_bytes(std::span{kInit.data(), kInit.size()}), true);
  emu::host::write_file(folder / "initrd", cpio.take());
  emu::host::write_file(folder / "kernel", debian.kernel);

  ui::RunOptions options;
  options.image = xen.string();
  // Xen takes the first word of every line for the name of a file. There is no BIOS to call in real mode.
  options.append = "xen com1=115200,8n1 console=com1 loglvl=all no-real-mode";
  options.modules = {(folder / "kernel").string() + " linux earlyprintk=xen",
                     (folder / "initrd").string()};
  options.memory = "1G";
  options.serial = "null";
  ui::finish_options(options);
  const test::Outcome out = test::boot(options, 1'000'000'000);
  INFO(out.text);
  for (const char* words :
       {"(XEN) TSC deadline timer enabled", "(XEN)  - Extended Page Tables (EPT)",
        "(XEN)  - Virtual-Processor Identifiers (VPID)", "(XEN) HVM: VMX enabled",
        "(XEN) HVM: Hardware Assisted Paging (HAP) detected", "(XEN) *** Building a PV Dom0 ***",
        "Hypervisor detected: Xen PV", "first domain runs: xen", "halting machine"}) {
    CAPTURE(words);
    CHECK(out.says(words));
  }
  CHECK_FALSE(out.says("Panic on CPU"));
  // A domain without ACPI halts instead of powering off, and so does Xen: nothing is left to happen.
  CHECK(out.reason == emu::StopReason::deadlock);
}
