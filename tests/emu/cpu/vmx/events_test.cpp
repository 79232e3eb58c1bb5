// Exceptions, interrupts, windows, timers and traps that exit: each control in both settings.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;
using arch::Vector;

namespace {

InterruptionInfo interruption(Rig& rig) {
  return {rig.vmcs().word(Field::exit_interruption_information)};
}

}  // namespace

TEST_CASE("An exception exits when its bit of the exception bitmap is 1", "[vmx]") {
  for (const bool bit : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.set(Field::exception_bitmap, bit ? 1u << 13 : ~(1u << 13));
    rig.enter();
    const uint64_t rip = rig.cpu.state.rip();
    const Fault gp = fault(Vector::general_protection, 0x28);
    REQUIRE(exits_on_exception(rig.cpu, gp, 0, 0, false) == bit);
    if (!bit) continue;
    REQUIRE(rig.left_with(ExitReason::exception_or_nmi));
    REQUIRE(interruption(rig).value ==
            InterruptionInfo::make(EventType::hardware_exception, 13, true).value);
    REQUIRE(rig.vmcs()[Field::exit_interruption_error_code] == 0x28);
    REQUIRE(rig.vmcs()[Field::guest_rip] == rip);
    REQUIRE((rig.vmcs()[Field::guest_rflags] & arch::rflags::rf) != 0);
  }
}

TEST_CASE("A page fault exits by bitmap, mask and match", "[vmx]") {
  struct Case {
    bool bit;
    uint32_t mask, match, code;
    bool exits;
  };
  for (const Case& c :
       {Case{true, 0, 0, 2, true}, Case{false, 0, 0, 2, false}, Case{true, 0, 1, 2, false},
        Case{false, 0, 1, 2, true}, Case{true, 1, 1, 3, true}, Case{true, 1, 1, 2, false},
        Case{false, 1, 1, 2, true}, Case{false, 1, 1, 3, false}}) {
    Rig rig;
    rig.become_root();
    rig.set(Field::exception_bitmap, c.bit ? 1u << 14 : 0);
    rig.set(Field::page_fault_mask, c.mask);
    rig.set(Field::page_fault_match, c.match);
    rig.enter();
    CAPTURE(c.bit, c.mask, c.match, c.code);
    const Fault pf = fault(Vector::page_fault, c.code);
    CHECK(exits_on_exception(rig.cpu, pf, 0, 0, false) == c.exits);
  }
}

TEST_CASE("A page-fault exit leaves CR2 alone and reports the address", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::exception_bitmap, 1u << 14);
  rig.enter();
  rig.cpu.state.cr2 = 0x111;
  const auto r = rig.cpu.mmu.read<uint32_t>(Gva{uint64_t{1} << 40});
  REQUIRE_FALSE(r);
  REQUIRE(exits_on_exception(rig.cpu, r.error(), 0, 0, false));
  REQUIRE(rig.qualification() == uint64_t{1} << 40);
  REQUIRE(rig.cpu.state.cr2 == 0x111);
}

TEST_CASE("Software exceptions report type, length and where they start", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::exception_bitmap, 1u << 3 | 1u << 1);
  rig.enter();
  const uint64_t start = rig.cpu.state.rip();
  rig.cpu.state.set_rip(start + 1);
  REQUIRE(exits_on_exception(rig.cpu, fault(Vector::breakpoint), 0, 1, true));
  REQUIRE(interruption(rig).type() == EventType::software_exception);
  REQUIRE(rig.vmcs()[Field::exit_instruction_length] == 1);
  REQUIRE(rig.vmcs()[Field::guest_rip] == start);
  rig.enter();
  REQUIRE(exits_on_exception(rig.cpu, fault(Vector::debug), 0, 1, true));
  REQUIRE(interruption(rig).type() == EventType::privileged_software_exception);
  rig.enter();
  REQUIRE(exits_on_exception(rig.cpu, fault(Vector::debug), 0x4001, 0, false));
  REQUIRE(rig.qualification() == 0x4001);
  REQUIRE((rig.vmcs()[Field::guest_rflags] & arch::rflags::rf) == 0);
}

TEST_CASE("External interrupts exit by control and are acknowledged by control", "[vmx]") {
  Rig off;
  off.become_guest();
  off.ports.pending = 0x41;
  REQUIRE_FALSE(interrupts_exit(off.cpu));
  REQUIRE_FALSE(exits_on_external_interrupt(off.cpu));
  for (const bool acknowledge : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.add(Field::pin_controls, pin::external_interrupt_exiting);
    if (acknowledge) rig.add(Field::exit_controls, exit_control::acknowledge_interrupt);
    rig.enter();
    rig.ports.pending = 0x41;
    REQUIRE(exits_on_external_interrupt(rig.cpu));
    REQUIRE(rig.left_with(ExitReason::external_interrupt));
    REQUIRE(interruption(rig).valid() == acknowledge);
    REQUIRE(rig.ports.pending.has_value() == !acknowledge);
    if (acknowledge) REQUIRE(interruption(rig).vector() == 0x41);
  }
}

TEST_CASE("NMIs exit by control and then block further ones", "[vmx]") {
  Rig off;
  off.become_guest();
  REQUIRE_FALSE(exits_on_nmi(off.cpu));
  Rig on;
  on.become_root();
  on.add(Field::pin_controls, pin::nmi_exiting);
  on.enter();
  REQUIRE(exits_on_nmi(on.cpu));
  REQUIRE(interruption(on).value == InterruptionInfo::make(EventType::nmi, 2, false).value);
  REQUIRE(on.cpu.state.nmi_blocked);
}

TEST_CASE("Virtual NMIs block virtually: physical ones still exit", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis);
  rig.set(Field::guest_interruptibility, 8);
  rig.enter();
  REQUIRE(rig.cpu.state.nmi_blocked);
  REQUIRE_FALSE(nmi_blocked(rig.cpu));
  REQUIRE(iret_unblocks_nmi(rig.cpu));
  rig.run("vmcall");
  REQUIRE(rig.vmcs()[Field::guest_interruptibility] == 8);
  REQUIRE_FALSE(rig.cpu.state.nmi_blocked);

  Rig plain;
  plain.become_root();
  plain.add(Field::pin_controls, pin::nmi_exiting);
  plain.enter();
  REQUIRE_FALSE(iret_unblocks_nmi(plain.cpu));
}

TEST_CASE("The interrupt window opens with IF and no shadow", "[vmx]") {
  struct Case {
    bool control, if_flag, sti, exits;
  };
  for (const Case& c : {Case{false, true, false, false}, Case{true, false, false, false},
                        Case{true, true, true, false}, Case{true, true, false, true}}) {
    Rig rig;
    rig.become_root();
    if (c.control) rig.add(Field::primary_controls, primary::interrupt_window_exiting);
    rig.set(Field::guest_rflags, c.if_flag ? 0x202 : 2);
    rig.set(Field::guest_interruptibility, c.sti ? 1 : 0);
    rig.enter();
    CHECK(exits_at_boundary(rig.cpu) == c.exits);
    if (c.exits) CHECK(rig.left_with(ExitReason::interrupt_window));
  }
}

TEST_CASE("The NMI window opens without virtual-NMI blocking", "[vmx]") {
  for (const bool blocked : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis);
    rig.add(Field::primary_controls, primary::nmi_window_exiting);
    rig.set(Field::guest_interruptibility, blocked ? 8 : 0);
    rig.enter();
    CHECK(exits_at_boundary(rig.cpu) == !blocked);
    if (!blocked) CHECK(rig.left_with(ExitReason::nmi_window));
  }
}

TEST_CASE("Windows open in HLT too", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::primary_controls, primary::interrupt_window_exiting);
  rig.set(Field::guest_rflags, 0x202);
  rig.set(Field::guest_activity, 1);
  rig.enter();
  REQUIRE(exits_at_boundary(rig.cpu));
  REQUIRE(rig.vmcs()[Field::guest_activity] == 1);
  REQUIRE(rig.cpu.state.activity == Activity::active);
}

TEST_CASE("The preemption timer counts once every 32 ticks and is saved on demand", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::pin_controls, pin::preemption_timer);
  rig.add(Field::exit_controls, exit_control::save_preemption_timer);
  rig.set(Field::preemption_timer_value, 100);
  rig.cpu.state.clock = Cycle{1000};
  rig.enter();
  const uint64_t entered = rig.cpu.now().value;
  const Cycle deadline = preemption_deadline(rig.cpu);
  REQUIRE(deadline.value == (entered / 32 + 100) * 32);
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
  rig.cpu.state.clock = Cycle{deadline.value - entered + rig.cpu.state.clock.value - 64};
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
  rig.run("vmcall");
  REQUIRE(rig.vmcs()[Field::preemption_timer_value] == 2);
  REQUIRE(preemption_deadline(rig.cpu) == kNever);
  rig.set(Field::preemption_timer_value, 0);
  rig.enter();
  REQUIRE(exits_at_boundary(rig.cpu));
  REQUIRE(rig.left_with(ExitReason::preemption_timer));
  REQUIRE(rig.vmcs()[Field::preemption_timer_value] == 0);
}

TEST_CASE("Without the control the preemption timer does not run", "[vmx]") {
  Rig rig;
  rig.become_guest();
  REQUIRE(preemption_deadline(rig.cpu) == kNever);
}

TEST_CASE("The monitor trap flag exits behind one instruction", "[vmx]") {
  Rig off;
  off.become_guest();
  REQUIRE_FALSE(wants_step(off.cpu));
  Rig rig;
  rig.become_root();
  rig.add(Field::primary_controls, primary::monitor_trap_flag);
  rig.enter();
  REQUIRE(wants_step(rig.cpu));
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));  // a stop at the boundary does not count
  ++rig.cpu.state.retired;
  REQUIRE(exits_at_boundary(rig.cpu));
  REQUIRE(rig.left_with(ExitReason::monitor_trap_flag));
}

TEST_CASE("An injected pending MTF exits before the first instruction", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::entry_interruption_information,
          InterruptionInfo::make(EventType::other, 0, false).value);
  rig.enter();
  REQUIRE(wants_step(rig.cpu));
  REQUIRE(exits_at_boundary(rig.cpu));
  REQUIRE(rig.left_with(ExitReason::monitor_trap_flag));
}

TEST_CASE("A pending debug exception outranks timer and windows but not the monitor trap",
          "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::pin_controls, pin::preemption_timer);
  rig.set(Field::preemption_timer_value, 0);
  rig.set(Field::guest_pending_debug, 0x4000);
  rig.enter();
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
  rig.cpu.state.pending_debug = 0;
  REQUIRE(exits_at_boundary(rig.cpu));
}

TEST_CASE("A pending NMI outranks the interrupt window", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::primary_controls, primary::interrupt_window_exiting);
  rig.set(Field::guest_rflags, 0x202);
  rig.enter();
  rig.cpu.state.nmi_pending = true;
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
}

TEST_CASE("INIT and SIPI exit in non-root operation", "[vmx]") {
  Rig rig;
  rig.become_guest();
  REQUIRE_FALSE(init_blocked(rig.cpu));
  REQUIRE(exits_on_init(rig.cpu));
  REQUIRE(rig.left_with(ExitReason::init_signal));
  rig.set(Field::guest_activity, 3);
  rig.enter();
  REQUIRE(init_blocked(rig.cpu));
  REQUIRE(exits_on_sipi(rig.cpu, 0x9A));
  REQUIRE(rig.left_with(ExitReason::startup_ipi));
  REQUIRE(rig.qualification() == 0x9A);
  rig.set(Field::guest_activity, 0);
  rig.enter();
  REQUIRE_FALSE(exits_on_sipi(rig.cpu, 0x9A));
}

TEST_CASE("An exception met in delivery is judged before it makes a double fault", "[vmx]") {
  constexpr uint64_t kUnmapped = uint64_t{1} << 40;
  constexpr uint32_t kPageFault = 1u << 14, kDoubleFault = 1u << 8;
  for (const uint32_t bitmap : {kPageFault, kDoubleFault, 0u}) {
    for (const Vector injected : {Vector::page_fault, Vector::double_fault}) {
      CAPTURE(bitmap, injected);
      Rig rig;
      rig.become_root();
      rig.set(Field::exception_bitmap, bitmap);
      rig.set(Field::guest_idtr_base, kUnmapped);
      rig.set(Field::guest_idtr_limit, 0xFFF);
      const auto info = InterruptionInfo::make(EventType::hardware_exception,
                                               static_cast<uint8_t>(injected), true);
      rig.set(Field::entry_interruption_information, info.value);
      rig.set(Field::entry_exception_error_code, 0);
      rig.enter();
      const bool doubles = injected == Vector::page_fault && bitmap == kDoubleFault;
      if (bitmap == kPageFault) {
        REQUIRE(rig.left_with(ExitReason::exception_or_nmi));
        CHECK(interruption(rig).vector() == 14);
        CHECK(rig.vmcs()[Field::idt_vectoring_information] == info.value);
        CHECK(rig.qualification() == kUnmapped + 16 * static_cast<uint64_t>(injected));
      } else if (doubles) {
        REQUIRE(rig.left_with(ExitReason::exception_or_nmi));
        CHECK(interruption(rig).vector() == 8);
        CHECK(rig.vmcs()[Field::idt_vectoring_information] == 0);
      } else {
        CHECK(rig.left_with(ExitReason::triple_fault));
      }
    }
  }
}

TEST_CASE("A triple fault exits without vectoring information", "[vmx]") {
  Rig rig;
  rig.become_guest();
  begin_vectoring(rig.cpu, 0x80000B0E, 0, 0);
  exit_on_triple_fault(rig.cpu);
  REQUIRE(rig.left_with(ExitReason::triple_fault));
  REQUIRE(rig.vmcs()[Field::idt_vectoring_information] == 0);
}

TEST_CASE("A task switch exits with selector and source", "[vmx]") {
  Rig rig;
  rig.become_guest();
  const Insn insn = rig.plain_insn();
  REQUIRE(exits_on_task_switch(rig.cpu, &insn, 0x38, 2));
  REQUIRE(rig.left_with(ExitReason::task_switch));
  REQUIRE(arch::TaskSwitchExit{rig.qualification()}.selector() == 0x38);
  REQUIRE(arch::TaskSwitchExit{rig.qualification()}.source() == arch::TaskSwitchSource::jmp);
  REQUIRE(rig.vmcs()[Field::exit_instruction_length] == 2);
}

TEST_CASE("EPT violations and misconfigurations report addresses", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.secondary_bits(secondary::enable_ept);
  rig.set(Field::eptp, 0x3000 | 0x1E);
  // The first 2 MiB are mapped read-only and executable.
  rig.poke<uint64_t>(0x3000, 0x4007);
  rig.poke<uint64_t>(0x4000, 0x5007);
  rig.poke<uint64_t>(0x5000, 0x80 | 6u << 3 | 5);
  rig.poke<uint64_t>(0x5008, 0x200000 | 0x80 | 6u << 3 | 2);  // write without read
  rig.enter();
  REQUIRE(rig.cpu.mmu.read<uint32_t>(Gva{0x7000}));
  const auto written = rig.cpu.mmu.write<uint32_t>(Gva{0x7010}, 1);
  REQUIRE_FALSE(written);
  exit_on_ept_fault(rig.cpu, written.error());
  REQUIRE(rig.left_with(ExitReason::ept_violation));
  REQUIRE(rig.vmcs()[Field::guest_physical_address] == 0x7010);
  REQUIRE(rig.vmcs()[Field::guest_linear_address] == 0x7010);
  REQUIRE((rig.qualification() & 0x1BF) == 0x1AA);  // write; readable, executable; linear, final
  rig.enter();
  const auto bad = rig.cpu.mmu.read<uint32_t>(Gva{0x200000});
  REQUIRE_FALSE(bad);
  exit_on_ept_fault(rig.cpu, bad.error());
  REQUIRE(rig.left_with(ExitReason::ept_misconfiguration));
  REQUIRE(rig.vmcs()[Field::guest_physical_address] == 0x200000);
  REQUIRE(rig.qualification() == 0);
}
