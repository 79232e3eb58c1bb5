// Vm and Vcpu: tables of the modes, and the loop around KVM_RUN.
#include "tests/linux/kvm/vm.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace vitrine::test::kvm {

namespace {

constexpr uint64_t kDescriptors = 0x6000, kGates = 0x20000, kTask = 0x5000, kStack = 0x7000;
constexpr uint64_t kTables = 0x10000;
constexpr uint16_t kCode32 = 0x08, kFlatData = 0x10, kCode64 = 0x18, kTaskSelector = 0x48;
constexpr uint64_t kPresentWritableUser = 7;

// The header's kvm_cpuid2 and the requests on it have another size in C++, where an empty struct takes a byte.
struct CpuidTable {
  uint32_t count, padding;
  std::array<kvm_cpuid_entry2, 128> leaves;
};
constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, uint64_t);
constexpr unsigned long kSetCpuid2 = _IOW(KVMIO, 0x90, uint64_t);

std::string name_of_exit(const kvm_run& run) {
  std::string text = "exit " + std::to_string(run.exit_reason);
  if (run.exit_reason == KVM_EXIT_FAIL_ENTRY) {
    text += ", VM entry failed with " + hex(run.fail_entry.hardware_entry_failure_reason);
  } else if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    text += ", internal error " + std::to_string(run.internal.suberror);
    for (uint32_t i = 0; i < run.internal.ndata && i < 16; ++i) {
      text += " " + hex(run.internal.data[i]);
    }
  } else if (run.exit_reason == KVM_EXIT_UNKNOWN) {
    text += ", hardware reason " + hex(run.hw.hardware_exit_reason);
  }
  return text;
}

kvm_segment segment(uint16_t selector, uint8_t type, bool code64, bool wide) {
  kvm_segment s{};
  s.selector = selector;
  s.limit = wide ? 0xFFFFFFFF : 0xFFFF;
  s.type = type;
  s.present = 1;
  s.s = 1;
  s.g = wide ? 1 : 0;
  s.db = wide && !code64 ? 1 : 0;
  s.l = code64 ? 1 : 0;
  return s;
}

}  // namespace

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llX", static_cast<unsigned long long>(value));
  return text;
}

void expect(bool holds, const std::string& sentence) {
  if (!holds) throw Failure{sentence};
}

int ask(int fd, unsigned long request, const char* what, unsigned long argument) {
  const int result = ioctl(fd, request, argument);
  if (result < 0) throw Failure{std::string(what) + " says " + std::strerror(errno)};
  return result;
}

int ask(int fd, unsigned long request, const char* what, void* argument) {
  return ask(fd, request, what, reinterpret_cast<unsigned long>(argument));
}

int kvm_file() {
  static const int file = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (file < 0) throw Failure{std::string("/dev/kvm says ") + std::strerror(errno)};
  return file;
}

Vm::Vm(bool interrupt_chips) {
  fd_ = ask(kvm_file(), KVM_CREATE_VM, "KVM_CREATE_VM");
  void* const memory =
      mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  expect(memory != MAP_FAILED, "no memory for a guest");
  memory_ = static_cast<uint8_t*>(memory);
  ask(fd_, KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR", 0xFFFBD000UL);
  uint64_t identity = 0xFFFBC000;
  ask(fd_, KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR", &identity);
  set_slot(0);
  if (interrupt_chips) ask(fd_, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP");
  build_tables();
}

Vm::~Vm() {
  vcpus_.clear();
  munmap(memory_, kMemory);
  close(fd_);
}

void Vm::set_slot(uint32_t flags) {
  kvm_userspace_memory_region slot{};
  slot.flags = flags;
  slot.memory_size = kMemory;
  slot.userspace_addr = reinterpret_cast<uint64_t>(memory_);
  ask(fd_, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &slot);
}

void Vm::add_read_only_page(uint64_t address) {
  kvm_userspace_memory_region slot{};
  slot.slot = 1;
  slot.flags = KVM_MEM_READONLY;
  slot.guest_phys_addr = address;
  slot.memory_size = 0x1000;
  slot.userspace_addr = reinterpret_cast<uint64_t>(memory_ + kData);
  ask(fd_, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &slot);
}

uint64_t Vm::word(uint64_t address) const {
  uint64_t value = 0;
  std::memcpy(&value, memory_ + address, sizeof value);
  return value;
}

void Vm::set_word(uint64_t address, uint64_t value) {
  std::memcpy(memory_ + address, &value, sizeof value);
}

void Vm::load(const Code& code, uint64_t address) {
  std::memcpy(memory_ + address, code.begin, static_cast<size_t>(code.end - code.begin));
}

// SDM "Segment Descriptors": flat ones, 16-bit ones to leave protected mode by, and a 64-bit task segment.
void Vm::build_tables() {
  constexpr std::array<uint64_t, 11> kTable = {0,
                                               0x00CF9B000000FFFF,
                                               0x00CF93000000FFFF,
                                               0x00AF9B000000FFFF,
                                               0x00CF93000000FFFF,
                                               0x00CFF3000000FFFF,
                                               0x00AFFB000000FFFF,
                                               0x00009B000000FFFF,
                                               0x000093000000FFFF,
                                               0x00008B0050000067,
                                               0};
  for (size_t i = 0; i < kTable.size(); ++i) set_word(kDescriptors + 8 * i, kTable[i]);
  set_word(kTask + 4, kStack - 0x800);  // RSP0
}

void Vm::gate(Mode mode, unsigned vector, const Code& code, const uint8_t* label) {
  const auto at = kLoad + static_cast<uint64_t>(label - code.begin);
  const bool wide = mode == Mode::long_mode;
  const uint64_t selector = wide ? kCode64 : kCode32;
  const uint64_t low =
      (at & 0xFFFF) | selector << 16 | uint64_t{0x8E00} << 32 | (at >> 16 & 0xFFFF) << 48;
  set_word(kGates + (wide ? 16 : 8) * vector, low);
  if (wide) set_word(kGates + 16 * vector + 8, at >> 32);
}

Vcpu& Vm::add_vcpu() {
  const auto index = static_cast<unsigned>(vcpus_.size());
  vcpus_.push_back(std::make_unique<Vcpu>(*this, index));
  return *vcpus_.back();
}

Vcpu::Vcpu(Vm& vm, unsigned index) : vm_(vm) {
  fd_ = ask(vm.fd(), KVM_CREATE_VCPU, "KVM_CREATE_VCPU", static_cast<unsigned long>(index));
  run_bytes_ =
      static_cast<size_t>(ask(kvm_file(), KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"));
  void* const shared = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  expect(shared != MAP_FAILED, "no shared page of a processor");
  run_ = static_cast<kvm_run*>(shared);
}

Vcpu::~Vcpu() {
  munmap(run_, run_bytes_);
  close(fd_);
}

kvm_regs Vcpu::registers() {
  kvm_regs registers{};
  ask(fd_, KVM_GET_REGS, "KVM_GET_REGS", &registers);
  return registers;
}

void Vcpu::set(const kvm_regs& registers) {
  kvm_regs copy = registers;
  ask(fd_, KVM_SET_REGS, "KVM_SET_REGS", &copy);
}

kvm_sregs Vcpu::special() {
  kvm_sregs special{};
  ask(fd_, KVM_GET_SREGS, "KVM_GET_SREGS", &special);
  return special;
}

void Vcpu::set(const kvm_sregs& special) {
  kvm_sregs copy = special;
  ask(fd_, KVM_SET_SREGS, "KVM_SET_SREGS", &copy);
}

void Vcpu::set_cpuid(const std::function<void(kvm_cpuid_entry2&)>& change) {
  CpuidTable table{};
  table.count = static_cast<uint32_t>(table.leaves.size());
  ask(kvm_file(), kGetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", &table);
  for (uint32_t i = 0; change && i < table.count; ++i) change(table.leaves[i]);
  ask(fd_, kSetCpuid2, "KVM_SET_CPUID2", &table);
}

void Vcpu::start(Mode mode) {
  kvm_sregs s = special();
  const bool real = mode == Mode::real;
  const bool wide = mode == Mode::long_mode;
  s.cs = segment(real ? 0 : wide ? kCode64 : kCode32, 11, wide, !real);
  s.ds = segment(real ? 0 : kFlatData, 3, false, !real);
  s.es = s.fs = s.gs = s.ss = s.ds;
  s.gdt = {kDescriptors, 0x7F, {}};
  s.idt = {real ? 0 : kGates, static_cast<uint16_t>(real ? 0x3FF : 0xFFF), {}};
  if (!real) {
    s.tr = segment(kTaskSelector, 11, false, false);
    s.tr.base = kTask;
    s.tr.limit = 0x67;
    s.tr.s = 0;
  }
  s.cr0 = real ? 0x60000010 : 0x11;
  if (mode == Mode::protected_paging) {
    vm_.set_word(kTables, (kTables + 0x1000) | kPresentWritableUser);
    for (uint64_t i = 0; i < 1024; i += 2) {
      const uint64_t two = (i << 12 | 3) | ((i + 1) << 12 | 3) << 32;
      vm_.set_word(kTables + 0x1000 + 4 * i, two);
    }
    s.cr3 = kTables;
    s.cr0 |= uint64_t{1} << 31;
  }
  // The first 4 GiB one to one, in 2 MiB pages open to ring 3; guest_climb loads them by itself.
  if (mode == Mode::real || wide) {
    vm_.set_word(kTables, (kTables + 0x1000) | kPresentWritableUser);
    for (uint64_t i = 0; i < 4; ++i) {
      vm_.set_word(kTables + 0x1000 + 8 * i,
                   (kTables + 0x2000 + 0x1000 * i) | kPresentWritableUser);
    }
    for (uint64_t i = 0; i < 2048; ++i) {
      vm_.set_word(kTables + 0x2000 + 8 * i, i << 21 | 0x80 | kPresentWritableUser);
    }
  }
  if (wide) {
    s.cr3 = kTables;
    s.cr4 = 0x620;  // PAE, OSFXSR, OSXMMEXCPT
    s.efer = 0x500;
    s.cr0 |= uint64_t{1} << 31 | 2;
  }
  set(s);
  kvm_regs r{};
  r.rip = kLoad;
  r.rsp = kStack;
  r.rflags = 2;
  set(r);
}

void Vcpu::port() {
  uint8_t* data = reinterpret_cast<uint8_t*>(run_) + run_->io.data_offset;
  for (uint32_t i = 0; i < run_->io.count; ++i, data += run_->io.size) {
    uint32_t value = 0;
    if (run_->io.direction == KVM_EXIT_IO_IN) {
      value = run_->io.port == 0x11 ? vm_.answers[vm_.next_answer_++ % vm_.answers.size()] : ~0U;
      std::memcpy(data, &value, run_->io.size);
      continue;
    }
    std::memcpy(&value, data, run_->io.size);
    if (run_->io.port == 0x10)
      vm_.said.push_back(value);
    else if (run_->io.port == 0x12)
      done_ = true;
    else if (run_->io.port == 0x13)
      marked_ = true;
    else
      throw Failure{"output to port " + hex(run_->io.port)};
  }
}

void Vcpu::device_memory() {
  const uint64_t offset = run_->mmio.phys_addr - kDevice;
  expect(offset + run_->mmio.len <= vm_.device.size(),
         "device memory at " + hex(run_->mmio.phys_addr));
  ++vm_.device_accesses;
  if (run_->mmio.is_write != 0)
    std::memcpy(&vm_.device[offset], run_->mmio.data, run_->mmio.len);
  else
    std::memcpy(run_->mmio.data, &vm_.device[offset], run_->mmio.len);
}

Stop Vcpu::run() {
  for (;;) {
    if (ioctl(fd_, KVM_RUN, 0) < 0) {
      if (errno == EAGAIN) continue;
      if (errno == EINTR) return Stop::interrupted;
      throw Failure{std::string("KVM_RUN says ") + std::strerror(errno)};
    }
    switch (run_->exit_reason) {
      case KVM_EXIT_IO: port(); break;
      case KVM_EXIT_MMIO: device_memory(); break;
      case KVM_EXIT_HLT: return Stop::halt;
      case KVM_EXIT_IRQ_WINDOW_OPEN: return Stop::window;
      case KVM_EXIT_SHUTDOWN: return Stop::shutdown;
      case KVM_EXIT_DEBUG: return Stop::debug;
      case KVM_EXIT_INTR: return Stop::interrupted;
      default: throw Failure{name_of_exit(*run_) + " at RIP " + hex(registers().rip)};
    }
    if (done_) return Stop::done;
    if (marked_) {
      marked_ = false;
      return Stop::mark;
    }
  }
}

void Vcpu::run_to(Stop stop) {
  const Stop came = run();
  if (came == stop) return;
  std::string text = "stopped by " + std::to_string(static_cast<int>(came)) + " instead of " +
                     std::to_string(static_cast<int>(stop)) + " at RIP " + hex(registers().rip);
  text += " having said";
  for (const uint32_t value : vm_.said) text += " " + hex(value);
  throw Failure{text};
}

void expect_said(const Vm& vm, const std::vector<uint32_t>& expected) {
  if (vm.said == expected) return;
  std::string text = "the guest said";
  for (const uint32_t value : vm.said) text += " " + hex(value);
  text += " instead of";
  for (const uint32_t value : expected) text += " " + hex(value);
  throw Failure{text};
}

}  // namespace vitrine::test::kvm
