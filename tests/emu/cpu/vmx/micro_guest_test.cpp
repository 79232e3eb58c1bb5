// Small guests that really run: entries, exits and resumes through the engine, stepped and free.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/guest.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;

namespace {

constexpr std::initializer_list<uint8_t> kLoop = {
    0xFF, 0xC0,        // inc eax
    0x0F, 0x01, 0xC1,  // vmcall
    0xEB, 0xF9,        // jmp to the inc
};

}  // namespace

TEST_CASE("A guest and its hypervisor take turns a thousand times", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, kLoop);
  g.put_resuming_host();
  g.cpu.state.regs[arch::rax] = 0;
  g.cpu.state.regs[arch::rbx] = 0;
  g.cpu.run({.max_retired = g.cpu.state.retired + 8'001});
  REQUIRE(g.cpu.state.regs[arch::rbx] >= 999);
  REQUIRE(g.cpu.state.regs[arch::rax] - g.cpu.state.regs[arch::rbx] <= 1);
}

TEST_CASE("Stepping through entries and exits gives the state and clock of running freely",
          "[vmx][run]") {
  Guest free;
  Guest stepped;
  for (Guest* g : {&free, &stepped}) {
    g->put(kGuestCode, kLoop);
    g->put_resuming_host();
  }
  free.cpu.run({.max_retired = free.cpu.state.retired + 1'000});
  for (int i = 0; i < 1'000; ++i) {
    stepped.cpu.run({.max_retired = stepped.cpu.state.retired + 1});
  }
  REQUIRE(free.cpu.state.regs == stepped.cpu.state.regs);
  REQUIRE(free.cpu.state.clock == stepped.cpu.state.clock);
  REQUIRE(free.cpu.state.retired == stepped.cpu.state.retired);
  REQUIRE(free.cpu.vmx.nonroot == stepped.cpu.vmx.nonroot);
  REQUIRE(free.vmcs().values == stepped.vmcs().values);
}

TEST_CASE("The monitor trap flag stops behind every single instruction", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0x90, 0xFF, 0xC0, 0x48, 0xFF, 0xC1, 0xEB, 0x02});
  g.add(Field::primary_controls, primary::monitor_trap_flag);
  g.run_to_exit();
  for (const uint64_t rip : {1u, 3u, 6u, 10u}) {
    REQUIRE(g.left_with(ExitReason::monitor_trap_flag));
    REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode + rip);
    g.resume();
  }
}

TEST_CASE("The preemption timer ends a guest that spins, at the same cycle stepped or free",
          "[vmx][run]") {
  std::array<uint64_t, 2> left{};
  for (const bool step : {false, true}) {
    Guest g;
    g.put(kGuestCode, {0xEB, 0xFE});
    g.put(kHostCode, {0xEB, 0xFE});
    g.add(Field::pin_controls, pin::preemption_timer);
    g.set(Field::preemption_timer_value, 100);
    Cycle entered{};
    Cycle due{};
    while (g.cpu.state.clock.value < 100'000) {
      if (step) {
        g.cpu.run({.max_retired = g.cpu.state.retired + 1});
      } else {
        g.cpu.run({.deadline = g.cpu.state.clock + 700});
      }
      if (g.cpu.vmx.nonroot && entered == Cycle{}) {
        entered = g.cpu.state.clock;
        due = preemption_deadline(g.cpu);
      }
      if (entered != Cycle{} && !g.cpu.vmx.nonroot) break;
    }
    REQUIRE(g.left_with(ExitReason::preemption_timer));
    REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode);
    left[step ? 1 : 0] = due.value;
  }
  REQUIRE(left[0] == left[1]);
}

TEST_CASE("A store into an unmapped guest-physical page exits in front of it and can be resumed",
          "[vmx][run]") {
  Guest g;
  g.use_ept();
  g.put(kGuestCode, {
                        0xC7, 0x04, 0x25, 0x00, 0x00, 0x06, 0x00, 0x78, 0x56, 0x34, 0x12,  // mov
                        0x0F, 0x01, 0xC1,                                                  // vmcall
                    });
  g.poke<uint64_t>(Guest::ept_entry(0x60000), 0);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::ept_violation));
  REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode);
  REQUIRE(g.vmcs()[Field::guest_physical_address] == 0x60000);
  REQUIRE((g.qualification() & 7) == 2);
  g.poke<uint64_t>(Guest::ept_entry(0x60000), 0x61000 | 6u << 3 | 7);
  g.resume();
  REQUIRE(g.left_with(ExitReason::vmcall));
  REQUIRE(g.peek<uint32_t>(0x61000) == 0x12345678);
  REQUIRE(g.peek<uint32_t>(0x60000) == 0);
}

TEST_CASE("A fetch from an unmapped guest-physical page exits", "[vmx][run]") {
  Guest g;
  g.use_ept();
  g.put(kGuestCode, {0xE9, 0xFB, 0xBF, 0x05, 0x00});  // jmp 0x60000
  g.poke<uint64_t>(Guest::ept_entry(0x60000), 0x60000 | 6u << 3 | 3);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::ept_violation));
  REQUIRE(g.vmcs()[Field::guest_rip] == 0x60000);
  REQUIRE((g.qualification() & 0x3F) == (4 | 3 << 3));
}

TEST_CASE("An intercepted #UD exits at its instruction", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0x90, 0x0F, 0x0B});
  g.set(Field::exception_bitmap, 1u << 6);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::exception_or_nmi));
  REQUIRE(g.vmcs()[Field::exit_interruption_information] == 0x80000306);
  REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode + 1);
}

TEST_CASE("An exception that is not intercepted goes to the guest's own handler", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0x90, 0x0F, 0x0B});
  g.put(kHandler, {0x0F, 0x01, 0xC1});
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  REQUIRE(g.vmcs()[Field::guest_rip] == kHandler);
  REQUIRE(g.peek<uint64_t>(g.vmcs()[Field::guest_rsp]) == kGuestCode + 1);
}

TEST_CASE("An injected fault pushes its error code and RIP; software events push the next RIP",
          "[vmx][run]") {
  for (const bool software : {false, true}) {
    Guest g;
    g.put(kHandler, {0x0F, 0x01, 0xC1});
    const auto event = software ? InterruptionInfo::make(EventType::software_interrupt, 0x80, false)
                                : InterruptionInfo::make(EventType::hardware_exception, 13, true);
    g.set(Field::entry_interruption_information, event.value);
    g.set(Field::entry_exception_error_code, 0x1234);
    g.set(Field::entry_instruction_length, 2);
    g.run_to_exit();
    REQUIRE(g.left_with(ExitReason::vmcall));
    REQUIRE(g.vmcs()[Field::guest_rip] == kHandler);
    const uint64_t rsp = g.vmcs()[Field::guest_rsp];
    if (software) {
      REQUIRE(g.peek<uint64_t>(rsp) == kGuestCode + 2);
    } else {
      REQUIRE(g.peek<uint64_t>(rsp) == 0x1234);
      REQUIRE(g.peek<uint64_t>(rsp + 8) == kGuestCode);
    }
  }
}

TEST_CASE("A fault while an event is injected reports the event", "[vmx][run]") {
  Guest g;
  g.use_ept();
  g.poke<uint64_t>(Guest::ept_entry(kIdt), 0);
  const auto event = InterruptionInfo::make(EventType::external_interrupt, 0x31, false);
  g.set(Field::guest_rflags, 0x202);
  g.set(Field::entry_interruption_information, event.value);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::ept_violation));
  REQUIRE(g.vmcs()[Field::idt_vectoring_information] == event.value);
  REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode);
  REQUIRE((g.vmcs()[Field::guest_rflags] & arch::rflags::if_) != 0);
}

TEST_CASE("A guest without an IDT triple-faults out", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0x0F, 0x0B});
  g.set(Field::guest_idtr_limit, 0);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::triple_fault));
}

TEST_CASE("An external interrupt leaves a guest with interrupts off and is acknowledged",
          "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0xEB, 0xFE});
  g.add(Field::pin_controls, pin::external_interrupt_exiting);
  g.add(Field::exit_controls, exit_control::acknowledge_interrupt);
  g.cpu.run({.max_retired = g.cpu.state.retired + 20});
  REQUIRE(g.cpu.vmx.nonroot);
  g.ports.pending = 0x55;
  g.cpu.attention();
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::external_interrupt));
  REQUIRE(g.vmcs()[Field::exit_interruption_information] == 0x80000055);
}

TEST_CASE("An unrestricted guest runs in real mode", "[vmx][run]") {
  Guest g;
  g.use_ept();
  g.set(Field::entry_controls,
        g.vmcs()[Field::entry_controls] & ~uint64_t{entry_control::ia32e_mode_guest});
  g.set(Field::guest_cr0, 0x20);
  for (unsigned i = arch::es; i <= arch::gs; ++i) {
    g.set(arch::segment_field(Field::guest_es_selector, i), 0x400);
    g.set(arch::segment_field(Field::guest_es_base, i), 0x4000);
    g.set(arch::segment_field(Field::guest_es_limit, i), 0xFFFF);
    g.set(arch::segment_field(Field::guest_es_rights, i), 0x93);
  }
  g.set(Field::guest_rip, 0);
  g.put(kGuestCode, {
                        0xB8, 0x34, 0x12,  // mov ax, 1234h
                        0xA3, 0x00, 0x10,  // mov [1000h], ax
                        0x0F, 0x01, 0xC1,  // vmcall
                    });
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  REQUIRE(g.vmcs()[Field::guest_rip] == 6);
  REQUIRE(g.peek<uint16_t>(0x5000) == 0x1234);
  REQUIRE((g.vmcs()[Field::guest_cr0] & 1) == 0);
}

TEST_CASE("TF in a guest traps behind one instruction", "[vmx][run]") {
  Guest g;
  g.put(kGuestCode, {0x90, 0x90});
  g.set(Field::guest_rflags, 0x102);
  g.set(Field::exception_bitmap, 1u << 1);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::exception_or_nmi));
  REQUIRE(g.vmcs()[Field::guest_rip] == kGuestCode + 1);
  REQUIRE(g.qualification() == 0x4000);
}
