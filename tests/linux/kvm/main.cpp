// The KVM judge as the first program of a Linux: what KVM found, every case, the counts, power off.
#include <fcntl.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/linux/kvm/cases.h"
#include "tests/linux/kvm/vm.h"

namespace {

using namespace vitrine::test::kvm;

constexpr long kLongestCaseMs = 400;

void print_lines(std::istream& in, const char* word) {
  for (std::string line; std::getline(in, line);) {
    if (line.find(word) != std::string::npos) std::printf("found| %s\n", line.c_str());
  }
}

/// What KVM says of the processor: its flags, its parameters, its lines in the kernel's log.
void print_findings() {
  std::ifstream processor("/proc/cpuinfo");
  print_lines(processor, "vmx flags");
  for (const char* name : {"ept", "unrestricted_guest", "eptad", "vpid", "flexpriority", "pml",
                           "enable_apicv", "preemption_timer", "nested", "ple_gap"}) {
    std::ifstream parameter(std::string("/sys/module/kvm_intel/parameters/") + name);
    std::string value;
    if (parameter >> value) std::printf("found| %s=%s\n", name, value.c_str());
  }
  constexpr int kReadAll = 3;
  std::vector<char> log(1 << 18);
  const int bytes = klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  if (bytes <= 0) return;
  const std::string text(log.data(), static_cast<size_t>(bytes));
  for (const char* word : {"kvm", "VMX", "vmx"}) {
    std::istringstream lines(text);
    print_lines(lines, word);
  }
}

void prepare_system() {
  for (const char* folder : {"/proc", "/sys", "/dev"}) mkdir(folder, 0755);
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
}

bool file_says(const char* file, const char* word) {
  std::ifstream in(file);
  std::string text;
  while (in >> text) {
    if (text == word) return true;
  }
  return false;
}

/// Without "unrestricted guest" KVM runs real mode as virtual-8086 mode with CR4.VME.
bool can_run_real_mode() {
  return !file_says("/sys/module/kvm_intel/parameters/unrestricted_guest", "N") ||
         file_says("/proc/cpuinfo", "vme");
}

bool passes(const Case& test) {
  alarm_in(kLongestCaseMs);
  try {
    test.run();
    std::printf("judge| %s: passed\n", test.name);
    return true;
  } catch (const Failure& failure) {
    std::printf("judge| %s: FAILED, %s\n", test.name, failure.why.c_str());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  // Under a running system it is a program like any other, to be judged by that system's processor.
  const bool first_program = getpid() == 1;
  if (first_program) prepare_system();
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};
  sigaction(SIGALRM, &nothing, nullptr);
  sigaction(SIGUSR1, &nothing, nullptr);

  print_findings();
  int passed = 0, failed = 0, skipped = 0;
  for (const Case& test : cases()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    if (test.real_mode && !can_run_real_mode()) {
      std::printf("judge| %s: skipped, the processor lacks VME\n", test.name);
      ++skipped;
      continue;
    }
    ++(passes(test) ? passed : failed);
  }
  alarm_in(0);
  std::printf("judge| %d passed, %d failed, %d skipped\n", passed, failed, skipped);
  if (first_program) reboot(RB_POWER_OFF);
  return failed == 0 ? 0 : 1;
}
