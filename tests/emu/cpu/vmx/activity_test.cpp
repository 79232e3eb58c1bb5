// Guests that do not execute: which events leave HLT, shutdown and wait-for-SIPI, and what is saved.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/guest.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;

namespace {

constexpr uint64_t kActive = 0, kHlt = 1, kShutdown = 2, kWaitForSipi = 3;

/// A guest that is entered in an activity state and found idle.
struct Idle : Guest {
  explicit Idle(uint64_t activity) { set(Field::guest_activity, activity); }
  void fall_asleep() {
    REQUIRE(cpu.run({}) == RunStop::idle);
    REQUIRE(cpu.vmx.nonroot);
    REQUIRE(cpu.idle());
  }
  /// What the machine does with a processor that got something to look at.
  bool wakes() {
    cpu.attention();
    cpu.run({.max_retired = cpu.state.retired + 1});
    return cpu.vmx.nonroot ? cpu.state.activity == Activity::active : true;
  }
  uint64_t saved() { return vmcs()[Field::guest_activity]; }
};

}  // namespace

TEST_CASE("An external interrupt that exits out of HLT saves the HLT state", "[vmx][activity]") {
  Idle g(kHlt);
  g.add(Field::pin_controls, pin::external_interrupt_exiting);
  g.fall_asleep();
  g.ports.pending = 0x41;
  REQUIRE(g.wakes());
  REQUIRE(g.left_with(ExitReason::external_interrupt));
  REQUIRE(g.saved() == kHlt);
  REQUIRE(g.cpu.state.activity == Activity::active);
}

TEST_CASE("An NMI that exits saves the HLT or shutdown state it found", "[vmx][activity]") {
  for (const uint64_t state : {kHlt, kShutdown}) {
    Idle g(state);
    g.add(Field::pin_controls, pin::nmi_exiting);
    g.fall_asleep();
    g.cpu.state.nmi_pending = true;
    REQUIRE(g.wakes());
    REQUIRE(g.left_with(ExitReason::exception_or_nmi));
    REQUIRE(g.saved() == state);
  }
}

TEST_CASE("An NMI that is delivered wakes the guest", "[vmx][activity]") {
  for (const uint64_t state : {kHlt, kShutdown}) {
    Idle g(state);
    g.put(kHandler, {0x0F, 0x01, 0xC1});  // vmcall
    g.fall_asleep();
    g.cpu.state.nmi_pending = true;
    g.run_to_exit();
    REQUIRE(g.left_with(ExitReason::vmcall));
    REQUIRE(g.vmcs()[Field::guest_rip] == kHandler);
    REQUIRE(g.saved() == kActive);
  }
}

TEST_CASE("Shutdown ignores interrupts; wait-for-SIPI everything but a SIPI", "[vmx][activity]") {
  Idle shut(kShutdown);
  shut.add(Field::pin_controls, pin::external_interrupt_exiting);
  shut.set(Field::guest_rflags, 0x202);
  shut.fall_asleep();
  shut.ports.pending = 0x41;
  REQUIRE_FALSE(shut.wakes());

  Idle waits(kWaitForSipi);
  waits.add(Field::pin_controls, pin::external_interrupt_exiting | pin::nmi_exiting |
                                     pin::virtual_nmis | pin::preemption_timer);
  waits.add(Field::primary_controls, primary::nmi_window_exiting | primary::monitor_trap_flag |
                                         primary::interrupt_window_exiting);
  waits.set(Field::guest_rflags, 0x202);
  waits.fall_asleep();
  REQUIRE(waits.cpu.wake_time() == kNever);
  waits.ports.pending = 0x41;
  waits.cpu.state.nmi_pending = true;
  waits.cpu.state.init_pending = true;
  REQUIRE_FALSE(waits.wakes());
  REQUIRE(waits.cpu.state.init_pending);
  waits.cpu.state.sipi_pending = true;
  waits.cpu.state.sipi_vector = 0x9A;
  REQUIRE(waits.wakes());
  REQUIRE(waits.left_with(ExitReason::startup_ipi));
  REQUIRE(waits.saved() == kWaitForSipi);
}

TEST_CASE("The preemption timer says when it wakes a guest in HLT or shutdown, and exits",
          "[vmx][activity]") {
  for (const uint64_t state : {kHlt, kShutdown}) {
    Idle g(state);
    g.add(Field::pin_controls, pin::preemption_timer);
    g.set(Field::preemption_timer_value, 100);
    g.fall_asleep();
    const Cycle due = g.cpu.wake_time();
    REQUIRE(due != kNever);
    REQUIRE(due > g.cpu.state.clock);
    g.cpu.state.clock = due;
    REQUIRE(g.wakes());
    REQUIRE(g.left_with(ExitReason::preemption_timer));
    REQUIRE(g.saved() == state);
  }
}

TEST_CASE("The monitor trap flag exits behind HLT with the HLT state", "[vmx][activity]") {
  Guest g;
  g.put(kGuestCode, {0xF4});
  g.add(Field::primary_controls, primary::monitor_trap_flag);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::monitor_trap_flag));
  REQUIRE(g.vmcs()[Field::guest_activity] == kHlt);
  REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode + 1);
}

TEST_CASE("The NMI window opens in HLT and in shutdown, the interrupt window in HLT alone",
          "[vmx][activity]") {
  for (const uint64_t state : {kHlt, kShutdown}) {
    Guest nmi;
    nmi.set(Field::guest_activity, state);
    nmi.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis);
    nmi.add(Field::primary_controls, primary::nmi_window_exiting);
    nmi.run_to_exit();
    REQUIRE(nmi.left_with(ExitReason::nmi_window));
    REQUIRE(nmi.vmcs()[Field::guest_activity] == state);
  }
  Guest g;
  g.set(Field::guest_activity, kHlt);
  g.set(Field::guest_rflags, 0x202);
  g.add(Field::primary_controls, primary::interrupt_window_exiting);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::interrupt_window));
  REQUIRE(g.vmcs()[Field::guest_activity] == kHlt);
  Idle shut(kShutdown);
  shut.set(Field::guest_rflags, 0x202);
  shut.add(Field::primary_controls, primary::interrupt_window_exiting);
  shut.fall_asleep();
}

TEST_CASE("An interrupt injected into HLT wakes the guest before it is delivered",
          "[vmx][activity]") {
  Guest g;
  g.put(kHandler, {0x0F, 0x01, 0xC1});
  g.set(Field::guest_activity, kHlt);
  g.set(Field::guest_rflags, 0x202);
  g.set(Field::entry_interruption_information,
        InterruptionInfo::make(EventType::external_interrupt, 0x31, false).value);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  REQUIRE(g.vmcs()[Field::guest_rip] == kHandler);
  REQUIRE(g.vmcs()[Field::guest_activity] == kActive);
}

TEST_CASE("A pending single-step trap wakes HLT; its exit saves HLT, its delivery does not",
          "[vmx][activity]") {
  for (const bool exits : {false, true}) {
    Guest g;
    g.put(kHandler, {0x0F, 0x01, 0xC1});
    g.set(Field::guest_activity, kHlt);
    g.set(Field::guest_rflags, 0x102);
    g.set(Field::guest_pending_debug, arch::pending_debug::single_step);
    g.set(Field::exception_bitmap, exits ? 1u << 1 : 0);
    g.run_to_exit();
    REQUIRE(g.left_with(exits ? ExitReason::exception_or_nmi : ExitReason::vmcall));
    REQUIRE(g.vmcs()[Field::guest_activity] == (exits ? kHlt : kActive));
  }
}

TEST_CASE("A trap flag of the host and a shadow of the guest do not cross a VM entry",
          "[vmx][activity]") {
  Guest g;
  g.cpu.state.rflags_system |= arch::rflags::tf;
  g.set(Field::guest_rflags, 0x202);
  g.set(Field::guest_interruptibility, arch::interruptibility::blocking_by_sti);
  g.put(kGuestCode, {0x90, 0x0F, 0x01, 0xC1});  // nop; vmcall
  g.cpu.run({.max_retired = g.cpu.state.retired + 1});
  REQUIRE(g.cpu.vmx.nonroot);
  REQUIRE(g.cpu.state.sti_shadow);
  REQUIRE(g.cpu.state.pending_debug == 0);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  REQUIRE(g.vmcs()[Field::guest_interruptibility] == 0);
}

TEST_CASE("A data access that misses EPT reports the length of its instruction, a fetch none",
          "[vmx][run]") {
  Guest g;
  g.use_ept();
  g.put(kGuestCode, {0x8B, 0x04, 0x25, 0x00, 0x00, 0x06, 0x00});  // mov eax, [60000h]
  g.poke<uint64_t>(Guest::ept_entry(0x60000), 0);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::ept_violation));
  REQUIRE(g.vmcs()[Field::exit_instruction_length] == 7);

  Guest fetch;
  fetch.use_ept();
  fetch.poke<uint64_t>(Guest::ept_entry(kGuestCode), 0);
  fetch.run_to_exit();
  REQUIRE(fetch.left_with(ExitReason::ept_violation));
  REQUIRE(fetch.vmcs()[Field::exit_instruction_length] == 0);
}

TEST_CASE("A fault of an IRET that has ended blocking by NMI says so, the next one does not",
          "[vmx][run]") {
  for (const bool ept : {false, true}) {
    Guest g;
    if (ept) g.use_ept();
    if (ept) g.poke<uint64_t>(Guest::ept_entry(0x60000), 0);
    g.put(kGuestCode, {0x48, 0xCF});  // iretq
    g.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis);
    g.set(Field::guest_interruptibility, arch::interruptibility::blocking_by_nmi);
    g.set(Field::exception_bitmap, ~uint32_t{0});
    g.set(Field::guest_rsp, 0x60000);
    g.poke<uint64_t>(0x60008, 0xFFF8);  // no such selector
    g.run_to_exit();
    REQUIRE(g.left_with(ept ? ExitReason::ept_violation : ExitReason::exception_or_nmi));
    REQUIRE(g.vmcs()[Field::guest_interruptibility] == 0);
    const uint64_t told =
        g.vmcs()[ept ? Field::exit_qualification : Field::exit_interruption_information];
    REQUIRE((told & 1u << 12) != 0);
  }
  Guest g;
  g.put(kGuestCode, {0x0F, 0x0B});
  g.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis);
  g.set(Field::guest_interruptibility, arch::interruptibility::blocking_by_nmi);
  g.set(Field::exception_bitmap, ~uint32_t{0});
  g.run_to_exit();
  REQUIRE((g.vmcs()[Field::exit_interruption_information] & 1u << 12) == 0);
}

TEST_CASE("The preemption timer stops a repeated string instruction between iterations",
          "[vmx][run]") {
  std::array<uint64_t, 2> left{};
  for (const bool step : {false, true}) {
    Guest g;
    g.put(kGuestCode, {0xF3, 0xAA, 0x0F, 0x01, 0xC1});  // rep stosb; vmcall
    g.add(Field::pin_controls, pin::preemption_timer);
    g.set(Field::preemption_timer_value, 64);
    g.cpu.state.regs[arch::rcx] = 100'000;
    g.cpu.state.regs[arch::rdi] = 0x60000;
    while (!g.left_with(ExitReason::preemption_timer) && g.cpu.state.clock.value < 300'000) {
      g.cpu.run(step ? RunLimits{.deadline = g.cpu.state.clock + 1}
                     : RunLimits{.deadline = g.cpu.state.clock + 300'000,
                                 .max_retired = g.cpu.state.retired + 1});
    }
    REQUIRE(g.left_with(ExitReason::preemption_timer));
    REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode);
    left[step ? 1 : 0] = g.cpu.state.regs[arch::rcx];
  }
  REQUIRE(left[0] > 90'000);
  REQUIRE(left[0] == left[1]);
}
