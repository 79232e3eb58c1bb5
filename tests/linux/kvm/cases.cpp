// The KVM judge's cases: modes, exits, events, chips, state, and two processors.
#include "tests/linux/kvm/cases.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "tests/linux/kvm/vm.h"

extern "C" {
extern const uint8_t guest_real[], guest_real_end[], guest_climb[], guest_climb_end[];
extern const uint8_t guest_fault[], guest_fault_end[], fault_page[], fault_divide[];
extern const uint8_t guest_long[], guest_long_end[], long_protection[];
extern const uint8_t guest_mmio[], guest_mmio_end[];
extern const uint8_t guest_spin[], guest_spin_end[], spin_vector[], spin_protection[], spin_nmi[];
extern const uint8_t guest_window[], guest_window_end[], window_vector[];
extern const uint8_t guest_ticks[], guest_ticks_end[], ticks_vector[];
extern const uint8_t guest_apic[], guest_apic_end[], apic_vector[], apic_self[];
extern const uint8_t guest_pair[], guest_pair_end[], pair_vector[];
extern const uint8_t guest_second[], guest_second_end[];
}

namespace vitrine::test::kvm {

namespace {

constexpr Code kReal{guest_real, guest_real_end};
constexpr Code kClimb{guest_climb, guest_climb_end};
constexpr Code kFault{guest_fault, guest_fault_end};
constexpr Code kLong{guest_long, guest_long_end};
constexpr Code kMmio{guest_mmio, guest_mmio_end};
constexpr Code kSpin{guest_spin, guest_spin_end};
constexpr Code kWindow{guest_window, guest_window_end};
constexpr Code kTicks{guest_ticks, guest_ticks_end};
constexpr Code kApic{guest_apic, guest_apic_end};
constexpr Code kPair{guest_pair, guest_pair_end};
constexpr Code kSecond{guest_second, guest_second_end};

constexpr unsigned kVector = 0x30;
constexpr unsigned kProtection = 13, kPageFault = 14, kDivide = 0, kNmi = 2;
constexpr long kSlice = 3;  // ms

void real_mode() {
  Vm vm;
  vm.load(kReal);
  Vcpu& cpu = vm.add_vcpu();
  cpu.start(Mode::real);
  cpu.run_to(Stop::done);
  expect_said(vm, {55, 0xCAFE21, 0x10000001, 0x20000002, 0x30000003, 0x5A});
}

void mode_changes() {
  Vm vm;
  vm.load(kClimb);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::real);
  cpu.run_to(Stop::done);
  expect_said(vm, {1, 0x500, 0x12345678, 0x100, 0x8EA1});
}

void page_faults() {
  Vm vm;
  vm.load(kFault);
  Vcpu& cpu = vm.add_vcpu();
  cpu.start(Mode::protected_paging);
  vm.gate(Mode::protected_paging, kPageFault, kFault, fault_page);
  vm.gate(Mode::protected_paging, kDivide, kFault, fault_divide);
  cpu.run_to(Stop::done);
  expect_said(vm, {0x40010, 2, 0x11223344, 0x7FFFF000, 0, 0, 0xD1, 0xD1});
}

void long_mode() {
  Vm vm;
  vm.load(kLong);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid([](kvm_cpuid_entry2& leaf) {
    if (leaf.function == 0x40000000) leaf.ebx = 0x4A554447;
  });
  cpu.start(Mode::long_mode);
  vm.gate(Mode::long_mode, kProtection, kLong, long_protection);
  cpu.run_to(Stop::done);
  expect_said(vm, {0x4A554447, 0x89ABCDEF, 0x2BCD, 6, 1, 0x33, 35, 0x6B, 0, 0x33});
}

void device_memory() {
  Vm vm;
  vm.load(kMmio);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::long_mode);
  cpu.run_to(Stop::done);
  expect_said(vm, {0x33333333, 0x55, 0xFFFFA222, 5, 0x33333333});
  const auto at = [&](size_t offset) {
    uint32_t value = 0;
    std::memcpy(&value, &vm.device[offset], sizeof value);
    return value;
  };
  const bool kept = at(0) == 0xA2220011 && at(4) == 0x33333333 && at(8) == 0x55555555 &&
                    at(12) == 0x44444444 && at(0x20) == 0x106 && at(0x30) == 0xAABBCCDD;
  expect(kept, "the device holds something else, e.g. " + hex(at(0x20)));
}

void interrupt_window() {
  Vm vm;
  vm.load(kWindow);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::long_mode);
  vm.gate(Mode::long_mode, kVector, kWindow, window_vector);
  kvm_interrupt interrupt{kVector};
  cpu.run_to(Stop::mark);
  cpu.shared().request_interrupt_window = 1;
  cpu.run_to(Stop::window);
  expect_said(vm, {1, 2});
  cpu.shared().request_interrupt_window = 0;
  ask(cpu.fd(), KVM_INTERRUPT, "KVM_INTERRUPT", &interrupt);
  cpu.run_to(Stop::halt);
  ask(cpu.fd(), KVM_INTERRUPT, "KVM_INTERRUPT", &interrupt);
  cpu.run_to(Stop::done);
  expect_said(vm, {1, 2, kVector, 3, kVector, 4});
}

Vcpu& start_spinning(Vm& vm) {
  vm.load(kSpin);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::long_mode);
  vm.gate(Mode::long_mode, kVector, kSpin, spin_vector);
  vm.gate(Mode::long_mode, kProtection, kSpin, spin_protection);
  vm.gate(Mode::long_mode, kNmi, kSpin, spin_nmi);
  kvm_regs registers = cpu.registers();
  registers.rbx = kData;  // an event may come before the first instruction
  cpu.set(registers);
  return cpu;
}

void signals() {
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  uint64_t count = 0;
  alarm_in(kSlice, true);
  for (int i = 0; i < 3; ++i) {
    cpu.run_to(Stop::interrupted);
    expect(vm.word(kData) > count, "the guest made no step between two signals");
    count = vm.word(kData);
  }
  alarm_in(0);
  cpu.shared().immediate_exit = 1;
  cpu.run_to(Stop::interrupted);
  expect(vm.word(kData) == count, "the guest ran in spite of immediate_exit");
  cpu.shared().immediate_exit = 0;
  vm.set_word(kData + 0x18, 1);
  cpu.run_to(Stop::done);
}

void nmi() {
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  alarm_in(kSlice, true);
  for (int i = 0; i < 3; ++i) {
    ask(cpu.fd(), KVM_NMI, "KVM_NMI");
    cpu.run_to(Stop::interrupted);
  }
  alarm_in(0);
  expect_said(vm, {1, 2, 3});
}

void injected_exception() {
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  kvm_vcpu_events events{};
  ask(cpu.fd(), KVM_GET_VCPU_EVENTS, "KVM_GET_VCPU_EVENTS", &events);
  events.exception.injected = 1;
  events.exception.nr = kProtection;
  events.exception.has_error_code = 1;
  events.exception.error_code = 0x1230;
  events.flags = 0;
  ask(cpu.fd(), KVM_SET_VCPU_EVENTS, "KVM_SET_VCPU_EVENTS", &events);
  vm.set_word(kData + 0x18, 1);
  cpu.run_to(Stop::done);
  expect_said(vm, {0x1230, 0});
}

void single_steps() {
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  kvm_guest_debug debug{};
  debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  ask(cpu.fd(), KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG", &debug);
  constexpr std::array<uint64_t, 3> kLoop = {5, 8, 13};  // behind movl or je, incq, cmpq
  for (size_t i = 0; i < 12; ++i) {
    cpu.run_to(Stop::debug);
    const uint64_t at = cpu.registers().rip - kLoad;
    expect(at == kLoop[i % 3], "step " + std::to_string(i) + " ends at +" + hex(at));
  }
  expect(vm.word(kData) == 4, "twelve steps counted " + hex(vm.word(kData)));
  debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
  debug.arch.debugreg[0] = kLoad + kLoop[1];
  debug.arch.debugreg[7] = 0x602;  // G0, an instruction breakpoint
  ask(cpu.fd(), KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG", &debug);
  cpu.run_to(Stop::debug);
  expect(cpu.shared().debug.arch.pc == kLoad + kLoop[1], "the breakpoint is elsewhere");
  expect((cpu.shared().debug.arch.dr6 & 1) != 0, "DR6 does not name the breakpoint");
}

// KVM may call a page dirty when it first maps it; afterwards only what is written.
void dirty_pages() {
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  std::array<uint64_t, kMemory / 4096 / 64> bits{};
  kvm_dirty_log log{};
  log.dirty_bitmap = bits.data();
  vm.set_slot(KVM_MEM_LOG_DIRTY_PAGES);
  for (int i = 0; i < 2; ++i) {
    alarm_in(kSlice);
    cpu.run_to(Stop::interrupted);
    ask(vm.fd(), KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &log);
    expect((bits[0] >> 9 & 1) == 1, "a written page is not dirty, round " + std::to_string(i));
    expect(bits[4] == 0, "a page that nobody touched is dirty");
  }
  expect((bits[0] >> 1 & 1) == 0, "a page of code is dirty again");
}

void read_only_memory() {
  constexpr uint64_t kSecondView = 0x800000;
  Vm vm;
  Vcpu& cpu = start_spinning(vm);
  vm.add_read_only_page(kSecondView);
  vm.set_word(kData, 0x1234);
  kvm_regs registers = cpu.registers();
  registers.rip = kLoad + 5;  // behind the instruction that loads RBX
  registers.rbx = kSecondView;
  cpu.set(registers);
  const int result = ioctl(cpu.fd(), KVM_RUN, 0);
  const auto& run = cpu.shared();
  expect(result == 0 && run.exit_reason == KVM_EXIT_MMIO,
         "a write to read-only memory gives exit " + std::to_string(run.exit_reason));
  const bool right = run.mmio.is_write != 0 && run.mmio.phys_addr == kSecondView &&
                     run.mmio.len == 8 && run.mmio.data[0] == 0x35 && run.mmio.data[1] == 0x12;
  expect(right, "the write is seen at " + hex(run.mmio.phys_addr));
  expect(vm.word(kData) == 0x1234, "read-only memory was written");
}

void triple_fault() {
  Vm vm;
  vm.load(kLong);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::long_mode);
  cpu.run_to(Stop::shutdown);
}

void migration() {
  Vm first;
  Vcpu& old_cpu = start_spinning(first);
  alarm_in(kSlice);
  old_cpu.run_to(Stop::interrupted);
  const uint64_t count = first.word(kData);

  Vm second;
  Vcpu& new_cpu = second.add_vcpu();
  new_cpu.set_cpuid();
  std::memcpy(second.memory(), first.memory(), kMemory);
  const auto move = [&](unsigned long get, unsigned long set, auto state) {
    ask(old_cpu.fd(), get, "reading state", &state);
    ask(new_cpu.fd(), set, "writing state", &state);
  };
  move(KVM_GET_SREGS, KVM_SET_SREGS, kvm_sregs{});
  move(KVM_GET_REGS, KVM_SET_REGS, kvm_regs{});
  move(KVM_GET_FPU, KVM_SET_FPU, kvm_fpu{});
  move(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, kvm_vcpu_events{});
  move(KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, kvm_debugregs{});
  alarm_in(kSlice);
  new_cpu.run_to(Stop::interrupted);
  expect(first.word(kData) == count, "the old machine still runs");
  expect(second.word(kData) > count, "the new machine does not go on");
  second.set_word(kData + 0x18, 1);
  alarm_in(100);
  new_cpu.run_to(Stop::done);
}

void timer_ticks() {
  Vm vm(true);
  kvm_pit_config pit{};
  ask(vm.fd(), KVM_CREATE_PIT2, "KVM_CREATE_PIT2", &pit);
  vm.load(kTicks);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid();
  cpu.start(Mode::long_mode);
  vm.gate(Mode::long_mode, 0x20, kTicks, ticks_vector);
  cpu.run_to(Stop::done);
  expect_said(vm, {10});
}

void local_apic() {
  Vm vm(true);
  vm.load(kApic);
  Vcpu& cpu = vm.add_vcpu();
  cpu.set_cpuid([](kvm_cpuid_entry2& leaf) {
    if (leaf.function == 1) leaf.ecx |= 1U << 24;  // the deadline timer
  });
  cpu.start(Mode::long_mode);
  vm.gate(Mode::long_mode, kVector, kApic, apic_vector);
  vm.gate(Mode::long_mode, 0x41, kApic, apic_self);
  cpu.run_to(Stop::done);
  expect_said(vm, {5, 6, 0, 1});
}

void two_processors() {
  Vm vm(true);
  vm.load(kPair);
  vm.load(kSecond, kSecondLoad);
  Vcpu& first = vm.add_vcpu();
  Vcpu& second = vm.add_vcpu();
  first.set_cpuid();
  second.set_cpuid([](kvm_cpuid_entry2& leaf) {
    if (leaf.function == 1) leaf.ebx = (leaf.ebx & 0xFFFFFF) | 1U << 24;
  });
  first.start(Mode::long_mode);
  vm.gate(Mode::long_mode, kVector, kPair, pair_vector);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
  std::string trouble;
  std::atomic<bool> over = false;
  std::thread other([&] {
    try {
      while (!over) second.run();
    } catch (const Failure& failure) {
      trouble = failure.why;
    }
  });
  pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  std::string mine;
  try {
    first.run_to(Stop::done);
  } catch (const Failure& failure) {
    mine = failure.why;
  }
  over = true;
  second.shared().immediate_exit = 1;
  pthread_kill(other.native_handle(), SIGUSR1);
  other.join();
  expect(trouble.empty(), "the second processor: " + trouble);
  expect(mine.empty(), mine);
  expect_said(vm, {40000, 1});
}

constexpr std::array kCases = {
    Case{"real mode", real_mode, true},
    Case{"changes of mode", mode_changes, true},
    Case{"page faults", page_faults},
    Case{"long mode", long_mode},
    Case{"device memory", device_memory},
    Case{"interrupt window", interrupt_window},
    Case{"signals", signals},
    Case{"non-maskable interrupts", nmi},
    Case{"injected exception", injected_exception},
    Case{"single steps", single_steps},
    Case{"dirty pages", dirty_pages},
    Case{"read-only memory", read_only_memory},
    Case{"triple fault", triple_fault},
    Case{"migration", migration},
    Case{"timer ticks", timer_ticks},
    Case{"local APIC", local_apic},
    Case{"two processors", two_processors, true},
};

}  // namespace

std::span<const Case> cases() { return kCases; }

void alarm_in(long ms, bool again) {
  itimerval when{};
  when.it_value.tv_usec = ms * 1000;
  if (again) when.it_interval = when.it_value;
  setitimer(ITIMER_REAL, &when, nullptr);
}

}  // namespace vitrine::test::kvm
