// The KVM judge's handle on /dev/kvm: a virtual machine with 4 MiB, its processors, and what they say.
#pragma once

#include <linux/kvm.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vitrine::test::kvm {

/// Why a case failed: one sentence.
struct Failure {
  std::string why;
};

/// ioctl that must succeed; throws Failure, naming `what`.
int ask(int fd, unsigned long request, const char* what, unsigned long argument = 0);
int ask(int fd, unsigned long request, const char* what, void* argument);

/// The file of /dev/kvm, opened once.
int kvm_file();

/// Code of guests.S between its two labels.
struct Code {
  const uint8_t* begin;
  const uint8_t* end;
};

inline constexpr uint64_t kLoad = 0x1000;
inline constexpr uint64_t kSecondLoad = 0x8000;
inline constexpr uint64_t kData = 0x9000;
inline constexpr uint64_t kMemory = uint64_t{4} << 20;
inline constexpr uint64_t kDevice = 0xD0000000;

enum class Mode { real, protected_flat, protected_paging, long_mode };

/// Why run() came back to the case.
enum class Stop { done, mark, halt, window, interrupted, shutdown, debug, other };

class Vm;

class Vcpu {
 public:
  Vcpu(Vm& vm, unsigned index);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  int fd() const { return fd_; }
  kvm_run& shared() { return *run_; }
  kvm_regs registers();
  void set(const kvm_regs& registers);
  kvm_sregs special();
  void set(const kvm_sregs& special);
  /// Every leaf that KVM supports, after `change` has had a look.
  void set_cpuid(const std::function<void(kvm_cpuid_entry2&)>& change = {});
  /// The mode's descriptors, control registers and RIP, with the stack below 0x7000.
  void start(Mode mode);

  /// Serves ports and device memory until something else happens. A signal gives `interrupted`.
  Stop run();
  /// run(), which must end so.
  void run_to(Stop stop);

 private:
  void port();
  void device_memory();

  Vm& vm_;
  int fd_ = -1;
  size_t run_bytes_ = 0;
  kvm_run* run_ = nullptr;
  bool marked_ = false, done_ = false;
};

class Vm {
 public:
  explicit Vm(bool interrupt_chips = false);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  int fd() const { return fd_; }
  uint8_t* memory() { return memory_; }
  uint64_t word(uint64_t address) const;
  void set_word(uint64_t address, uint64_t value);
  void load(const Code& code, uint64_t address = kLoad);
  /// An interrupt gate for the table of `mode`; `label` lies in `code`, which is loaded at kLoad.
  void gate(Mode mode, unsigned vector, const Code& code, const uint8_t* label);
  /// Sets the flags of the memory slot.
  void set_slot(uint32_t flags);
  /// Shows the page at kData a second time, at `address`, to be read only.
  void add_read_only_page(uint64_t address);
  Vcpu& add_vcpu();
  Vcpu& vcpu(unsigned index) { return *vcpus_[index]; }

  std::vector<uint32_t> said;  ///< what the guest wrote to port 0x10
  std::vector<uint32_t> answers = {0x10000001, 0x20000002, 0x30000003};  ///< what port 0x11 gives
  std::array<uint8_t, 256> device{};                                     ///< what lies at kDevice
  unsigned device_accesses = 0;

 private:
  friend class Vcpu;
  void build_tables();

  int fd_ = -1;
  uint8_t* memory_ = nullptr;
  size_t next_answer_ = 0;
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
};

/// Throws Failure with both lists unless they are equal.
void expect_said(const Vm& vm, const std::vector<uint32_t>& expected);
void expect(bool holds, const std::string& sentence);
std::string hex(uint64_t value);

}  // namespace vitrine::test::kvm
