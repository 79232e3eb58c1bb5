// Instructions that exit by a control: each control in both settings, with its qualification.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::CrAccess;
using arch::ExitReason;

namespace {

struct SimpleRow {
  Intercept intercept;
  ExitReason reason;
  uint32_t primary = 0;
  uint32_t secondary = 0;
  uint32_t enabling = 0;
};

// clang-format off
const std::array<SimpleRow, 14> kSimple = {{
    {Intercept::hlt,              ExitReason::hlt,              primary::hlt_exiting},
    {Intercept::rdtsc,            ExitReason::rdtsc,            primary::rdtsc_exiting},
    {Intercept::rdtscp,           ExitReason::rdtscp,           primary::rdtsc_exiting, 0, secondary::enable_rdtscp},
    {Intercept::rdpmc,            ExitReason::rdpmc,            primary::rdpmc_exiting},
    {Intercept::pause,            ExitReason::pause,            primary::pause_exiting},
    {Intercept::monitor,          ExitReason::monitor,          primary::monitor_exiting},
    {Intercept::mwait,            ExitReason::mwait,            primary::mwait_exiting},
    {Intercept::invlpg,           ExitReason::invlpg,           primary::invlpg_exiting},
    {Intercept::invpcid,          ExitReason::invpcid,          primary::invlpg_exiting, 0, secondary::enable_invpcid},
    {Intercept::wbinvd,           ExitReason::wbinvd,           0, secondary::wbinvd_exiting},
    {Intercept::rdrand,           ExitReason::rdrand,           0, secondary::rdrand_exiting},
    {Intercept::rdseed,           ExitReason::rdseed,           0, secondary::rdseed_exiting},
    {Intercept::gdtr_idtr_access, ExitReason::gdtr_idtr_access, 0, secondary::descriptor_table_exiting},
    {Intercept::ldtr_tr_access,   ExitReason::ldtr_tr_access,   0, secondary::descriptor_table_exiting},
}};
// clang-format on

/// A guest with these controls on top of a valid VMCS.
struct Guest : Rig {
  explicit Guest(uint32_t primary_mask = 0, uint32_t secondary_mask = 0) {
    become_root();
    add(Field::primary_controls, primary_mask);
    if (secondary_mask != 0) secondary_bits(secondary_mask);
  }
  void go() {
    enter();
    REQUIRE(cpu.vmx.nonroot);
  }
};

}  // namespace

TEST_CASE("Outside non-root operation nothing exits", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::primary_controls, 0xFFFFFFFF);
  rig.set(Field::exception_bitmap, 0xFFFFFFFF);
  const Insn insn = rig.plain_insn();
  uint64_t value = 0;
  REQUIRE_FALSE(exits(rig.cpu, Intercept::cpuid, insn));
  REQUIRE_FALSE(exits(rig.cpu, Intercept::hlt, insn));
  REQUIRE_FALSE(exits_on_port(rig.cpu, insn, 0x80, 1, false, false, false, true, 0, 3));
  REQUIRE_FALSE(exits_on_rdmsr(rig.cpu, insn, 0x10));
  REQUIRE_FALSE(exits_on_cr_write(rig.cpu, insn, 3, 0, value));
  REQUIRE_FALSE(exits_on_exception(rig.cpu, kUndefinedOpcode, 0, 0, false));
  REQUIRE_FALSE(exits_on_external_interrupt(rig.cpu));
  REQUIRE_FALSE(exits_on_nmi(rig.cpu));
  REQUIRE_FALSE(exits_on_init(rig.cpu));
  REQUIRE_FALSE(exits_at_boundary(rig.cpu));
  REQUIRE(init_blocked(rig.cpu));
  REQUIRE(preemption_deadline(rig.cpu) == kNever);
}

TEST_CASE("CPUID, INVD, XSETBV and GETSEC always exit", "[vmx]") {
  for (const auto& [intercept, reason] : {std::pair{Intercept::cpuid, ExitReason::cpuid},
                                          std::pair{Intercept::invd, ExitReason::invd},
                                          std::pair{Intercept::xsetbv, ExitReason::xsetbv},
                                          std::pair{Intercept::getsec, ExitReason::getsec}}) {
    Guest guest;
    guest.go();
    const uint64_t rip = guest.cpu.state.rip();
    const Insn insn = guest.plain_insn();
    REQUIRE(exits(guest.cpu, intercept, insn));
    REQUIRE(guest.left_with(reason));
    REQUIRE(guest.vmcs()[Field::exit_instruction_length] == 2);
    REQUIRE(guest.vmcs()[Field::guest_rip] == rip);
  }
}

TEST_CASE("Instructions with one control exit exactly when it is 1", "[vmx]") {
  for (const SimpleRow& row : kSimple) {
    CAPTURE(static_cast<int>(row.reason));
    Guest off{0, row.enabling};
    off.go();
    const Insn insn = off.plain_insn();
    CHECK_FALSE(exits(off.cpu, row.intercept, insn));
    Guest on{row.primary, row.secondary | row.enabling};
    on.go();
    const Insn other = on.plain_insn();
    CHECK(exits(on.cpu, row.intercept, other, 0x1234));
    CHECK(on.left_with(row.reason));
  }
}

TEST_CASE("RDTSCP, INVPCID and XSAVES are disabled without their enabling control", "[vmx]") {
  for (const auto& [intercept, mask] : {std::pair{Intercept::rdtscp, secondary::enable_rdtscp},
                                        std::pair{Intercept::invpcid, secondary::enable_invpcid},
                                        std::pair{Intercept::xsaves, secondary::enable_xsaves}}) {
    Guest off;
    REQUIRE_FALSE(disabled(off.cpu, intercept));  // root operation
    off.go();
    REQUIRE(disabled(off.cpu, intercept));
    Guest on{0, mask};
    on.go();
    REQUIRE_FALSE(disabled(on.cpu, intercept));
  }
  Guest guest;
  guest.go();
  REQUIRE_FALSE(disabled(guest.cpu, Intercept::rdtsc));
}

TEST_CASE("XSAVES exits for components of the XSS-exiting bitmap", "[vmx]") {
  Guest guest{0, secondary::enable_xsaves};
  guest.set(Field::xss_exiting_bitmap, 0x100);
  guest.go();
  guest.cpu.state.regs[arch::rax] = 0xFFFFFFFF;
  const Insn insn = guest.plain_insn();
  REQUIRE_FALSE(exits(guest.cpu, Intercept::xsaves, insn));
  guest.cpu.state.msr.xss = 0x100;
  REQUIRE(exits(guest.cpu, Intercept::xsaves, insn));
  REQUIRE(guest.left_with(ExitReason::xsaves));
}

TEST_CASE("Descriptor-table exits describe the memory operand", "[vmx]") {
  Guest guest{0, secondary::descriptor_table_exiting};
  guest.go();
  Insn insn = guest.plain_insn();
  insn.op[0] = kMemory;
  insn.base = arch::rbx;
  insn.disp = -8;
  REQUIRE(exits(guest.cpu, Intercept::gdtr_idtr_access, insn, 0, 3u << 28));
  REQUIRE(guest.qualification() == ~uint64_t{7});
  const arch::InstructionInfo info{guest.vmcs().word(Field::exit_instruction_information)};
  REQUIRE(info.identity() == 3);
  REQUIRE(info.base() == arch::rbx);
  REQUIRE(info.index_invalid());
  REQUIRE(info.operand_size() == 1);
}

TEST_CASE("Port access exits unconditionally or by bitmap", "[vmx]") {
  const auto ask = [](Guest& guest, uint16_t port, unsigned size) {
    const Insn insn = guest.plain_insn();
    return exits_on_port(guest.cpu, insn, port, size, true, false, false, false, 0, 3);
  };
  Guest neither;
  neither.go();
  REQUIRE_FALSE(ask(neither, 0x60, 1));
  Guest always{primary::unconditional_io_exiting};
  always.go();
  REQUIRE(ask(always, 0x60, 1));

  for (const uint16_t selected :
       {uint16_t{0x63}, uint16_t{0x7FFF}, uint16_t{0x8000}, uint16_t{0xFFFF}}) {
    for (const int distance : {-4, -3, 0, 1}) {
      // Bitmaps rule even when unconditional exiting is set.
      Guest guest{primary::unconditional_io_exiting | primary::use_io_bitmaps};
      guest.set(Field::io_bitmap_a, kBitmaps);
      guest.set(Field::io_bitmap_b, kBitmaps + 0x1000);
      guest.poke<uint8_t>(kBitmaps + selected / 8, static_cast<uint8_t>(1u << (selected % 8)));
      guest.go();
      const int port = selected + distance;
      if (port > 0xFFFF) continue;
      const bool covers = (distance >= -3 && distance <= 0) || port + 4 > 0x10000;
      CAPTURE(selected, distance);
      CHECK(ask(guest, static_cast<uint16_t>(port), 4) == covers);
    }
  }
}

TEST_CASE("A port exit reports size, direction, string form and operand", "[vmx]") {
  Guest guest{primary::unconditional_io_exiting};
  guest.go();
  const Insn insn = guest.plain_insn();
  REQUIRE(exits_on_port(guest.cpu, insn, 0x1F0, 2, true, true, true, false, 0x5678, arch::es));
  REQUIRE(guest.left_with(ExitReason::io_instruction));
  const arch::IoAccess io{guest.qualification()};
  REQUIRE(io.port() == 0x1F0);
  REQUIRE(io.size() == 2);
  REQUIRE(io.in());
  REQUIRE(io.string());
  REQUIRE(io.rep());
  REQUIRE(guest.vmcs()[Field::guest_linear_address] == 0x5678);
  const arch::InstructionInfo info{guest.vmcs().word(Field::exit_instruction_information)};
  REQUIRE(info.address_size() == 2);
  REQUIRE(info.segment() == arch::es);
}

TEST_CASE("MSR accesses exit without bitmaps, by bitmap, and outside the ranges", "[vmx]") {
  struct Case {
    uint32_t msr;
    bool write;
    uint64_t byte;
    unsigned bit;
  };
  for (const Case& c : {Case{0x10, false, 0x002, 0}, Case{0x1FFF, false, 0x3FF, 7},
                        Case{0xC0000080, false, 0x410, 0}, Case{0x10, true, 0x802, 0},
                        Case{0xC0001FFF, true, 0xFFF, 7}}) {
    CAPTURE(c.msr, c.write);
    const auto ask = [&](Guest& guest, bool write) {
      const Insn insn = guest.plain_insn();
      return write ? exits_on_wrmsr(guest.cpu, insn, c.msr)
                   : exits_on_rdmsr(guest.cpu, insn, c.msr);
    };
    Guest plain;
    plain.go();
    CHECK(ask(plain, c.write));
    Guest clear{primary::use_msr_bitmaps};
    clear.set(Field::msr_bitmaps, kBitmaps);
    clear.go();
    CHECK_FALSE(ask(clear, c.write));
    Guest set{primary::use_msr_bitmaps};
    set.set(Field::msr_bitmaps, kBitmaps);
    set.poke<uint8_t>(kBitmaps + c.byte, static_cast<uint8_t>(1u << c.bit));
    set.go();
    CHECK_FALSE(ask(set, !c.write));
    CHECK(ask(set, c.write));
    CHECK(set.left_with(c.write ? ExitReason::wrmsr : ExitReason::rdmsr));
  }
  Guest outside{primary::use_msr_bitmaps};
  outside.set(Field::msr_bitmaps, kBitmaps);
  outside.go();
  const Insn insn = outside.plain_insn();
  REQUIRE(exits_on_rdmsr(outside.cpu, insn, 0x40000000));
}

TEST_CASE("Writes of CR0 and CR4 are judged by mask and shadow", "[vmx]") {
  Guest guest;
  guest.set(Field::cr0_mask, arch::cr0::ts | arch::cr0::pg);
  guest.set(Field::cr0_shadow, arch::cr0::ts);
  guest.go();
  const Insn insn = guest.plain_insn();
  uint64_t value = arch::cr0::ts | arch::cr0::em;  // owned bits as in the shadow
  REQUIRE_FALSE(exits_on_cr_write(guest.cpu, insn, 0, 0, value));
  REQUIRE(value == (arch::cr0::em | arch::cr0::pg));  // owned bits keep their real values
  value = guest.cpu.state.cr0;
  REQUIRE_FALSE(exits_on_cr_read(guest.cpu, insn, 0, 0, value));
  REQUIRE(value == ((guest.cpu.state.cr0 & ~arch::cr0::pg) | arch::cr0::ts));
  value = 0;
  REQUIRE(exits_on_cr_write(guest.cpu, insn, 0, arch::r11, value));
  REQUIRE(guest.left_with(ExitReason::control_register_access));
  REQUIRE(guest.qualification() == CrAccess::mov(CrAccess::Type::mov_to_cr, 0, arch::r11).value);

  Guest four;
  four.set(Field::cr4_mask, arch::cr4::vmxe);
  four.go();
  const Insn next = four.plain_insn();
  value = arch::cr4::pae;
  REQUIRE_FALSE(exits_on_cr_write(four.cpu, next, 4, 0, value));
  REQUIRE(value == (arch::cr4::pae | arch::cr4::vmxe));
  value = four.cpu.state.cr4;
  REQUIRE_FALSE(exits_on_cr_read(four.cpu, next, 4, 0, value));
  REQUIRE((value & arch::cr4::vmxe) == 0);
  value = arch::cr4::vmxe;
  REQUIRE(exits_on_cr_write(four.cpu, next, 4, 0, value));
}

TEST_CASE("CR3 exits by its controls, except for targets", "[vmx]") {
  uint64_t value = 0x5000;
  Guest off;
  off.go();
  Insn insn = off.plain_insn();
  REQUIRE_FALSE(exits_on_cr_write(off.cpu, insn, 3, 0, value));
  REQUIRE_FALSE(exits_on_cr_read(off.cpu, insn, 3, 0, value));
  Guest on{primary::cr3_load_exiting | primary::cr3_store_exiting};
  on.set(Field::cr3_target_1, 0x5000);
  on.set(Field::cr3_target_count, 2);
  on.go();
  insn = on.plain_insn();
  REQUIRE_FALSE(exits_on_cr_write(on.cpu, insn, 3, 0, value));
  value = 0x6000;
  REQUIRE(exits_on_cr_write(on.cpu, insn, 3, 2, value));
  REQUIRE(on.qualification() == CrAccess::mov(CrAccess::Type::mov_to_cr, 3, 2).value);
  on.set(Field::cr3_target_count, 1);
  on.go();
  insn = on.plain_insn();
  value = 0x5000;
  REQUIRE(exits_on_cr_write(on.cpu, insn, 3, 0, value));
  on.go();
  insn = on.plain_insn();
  REQUIRE(exits_on_cr_read(on.cpu, insn, 3, 7, value));
  REQUIRE(on.qualification() == CrAccess::mov(CrAccess::Type::mov_from_cr, 3, 7).value);
}

TEST_CASE("CR8 and debug registers exit by their controls", "[vmx]") {
  uint64_t value = 5;
  Guest off;
  off.go();
  Insn insn = off.plain_insn();
  REQUIRE_FALSE(exits_on_cr_write(off.cpu, insn, 8, 0, value));
  REQUIRE_FALSE(exits_on_cr_read(off.cpu, insn, 8, 0, value));
  REQUIRE_FALSE(exits_on_dr_access(off.cpu, insn, 7, 0, false));
  Guest on{primary::cr8_load_exiting | primary::cr8_store_exiting | primary::mov_dr_exiting};
  on.go();
  insn = on.plain_insn();
  REQUIRE(exits_on_cr_write(on.cpu, insn, 8, 0, value));
  on.go();
  insn = on.plain_insn();
  REQUIRE(exits_on_cr_read(on.cpu, insn, 8, 0, value));
  on.go();
  insn = on.plain_insn();
  REQUIRE(exits_on_dr_access(on.cpu, insn, 6, arch::rbp, true));
  REQUIRE(on.left_with(ExitReason::mov_dr));
  REQUIRE(on.qualification() == arch::DrAccess::make(6, true, arch::rbp).value);
}

TEST_CASE("CLTS exits when mask and shadow have TS, else it clears only what the guest owns",
          "[vmx]") {
  struct Case {
    bool mask, shadow, exits, clears;
  };
  for (const Case& c : {Case{false, false, false, true}, Case{false, true, false, true},
                        Case{true, false, false, false}, Case{true, true, true, false}}) {
    Guest guest;
    guest.set(Field::cr0_mask, c.mask ? arch::cr0::ts : 0);
    guest.set(Field::cr0_shadow, c.shadow ? arch::cr0::ts : 0);
    guest.go();
    const Insn insn = guest.plain_insn();
    bool clears = false;
    CHECK(exits_on_clts(guest.cpu, insn, clears) == c.exits);
    CHECK(clears == c.clears);
    if (c.exits) CHECK(guest.qualification() == CrAccess::clts().value);
  }
}

TEST_CASE("LMSW exits for owned bits that would change and cannot clear PE", "[vmx]") {
  Guest guest;
  guest.set(Field::cr0_mask, arch::cr0::pe | arch::cr0::mp);
  guest.set(Field::cr0_shadow, arch::cr0::mp);
  guest.go();
  const Insn insn = guest.plain_insn();
  uint64_t value = 0;
  const uint64_t before = guest.cpu.state.cr0;
  REQUIRE_FALSE(exits_on_lmsw(guest.cpu, insn, arch::cr0::mp | arch::cr0::ts, false, 0, value));
  REQUIRE(value == (before | arch::cr0::ts));
  REQUIRE(exits_on_lmsw(guest.cpu, insn, arch::cr0::mp | arch::cr0::pe, true, 0x99, value));
  REQUIRE(guest.qualification() == CrAccess::lmsw(arch::cr0::mp | arch::cr0::pe, true).value);
  REQUIRE(guest.vmcs()[Field::guest_linear_address] == 0x99);

  Rig root;
  const Insn plain = root.plain_insn();
  REQUIRE_FALSE(exits_on_lmsw(root.cpu, plain, 0, false, 0, value));
  REQUIRE((value & arch::cr0::pe) != 0);
}

TEST_CASE("In VMX operation CR0 and CR4 keep their fixed bits", "[vmx]") {
  Rig outside;
  REQUIRE(cr0_allowed(outside.cpu, 0));
  REQUIRE(cr4_allowed(outside.cpu, 0));
  Rig root;
  root.become_root();
  REQUIRE_FALSE(cr0_allowed(root.cpu, arch::cr0::pe | arch::cr0::ne));
  REQUIRE(cr0_allowed(root.cpu, arch::cr0::pe | arch::cr0::ne | arch::cr0::pg));
  REQUIRE_FALSE(cr4_allowed(root.cpu, arch::cr4::pae));
  Guest unrestricted{0, secondary::enable_ept | secondary::unrestricted_guest};
  unrestricted.set(Field::eptp, 0x301E);
  unrestricted.go();
  REQUIRE(cr0_allowed(unrestricted.cpu, arch::cr0::ne));
  REQUIRE_FALSE(cr0_allowed(unrestricted.cpu, 0));
}

TEST_CASE("The time-stamp counter is scaled and offset in non-root operation", "[vmx]") {
  Guest off;
  off.set(Field::tsc_offset, 1000);
  off.go();
  REQUIRE(guest_tsc(off.cpu, 500) == 500);
  Guest offset{primary::use_tsc_offsetting};
  offset.set(Field::tsc_offset, ~uint64_t{99});
  offset.go();
  REQUIRE(guest_tsc(offset.cpu, 500) == 400);
  Guest scaled{primary::use_tsc_offsetting, secondary::use_tsc_scaling};
  scaled.set(Field::tsc_offset, 7);
  scaled.set(Field::tsc_multiplier, uint64_t{3} << 47);  // 1.5
  scaled.go();
  REQUIRE(guest_tsc(scaled.cpu, 1001) == 1508);
  REQUIRE(guest_tsc(scaled.cpu, uint64_t{1} << 62) == (uint64_t{3} << 61) + 7);
}

TEST_CASE("A PAUSE loop exits after its window, unless it pauses longer than the gap", "[vmx]") {
  Guest guest{0, secondary::pause_loop_exiting};
  guest.set(Field::ple_gap, 100);
  guest.set(Field::ple_window, 1000);
  guest.go();
  const auto pause_at = [&](uint64_t clock) {
    guest.cpu.state.clock = Cycle{clock};
    const Insn insn = guest.plain_insn();
    return exits(guest.cpu, Intercept::pause, insn);
  };
  for (uint64_t t = 10'000; t <= 11'000; t += 100) REQUIRE_FALSE(pause_at(t));
  REQUIRE_FALSE(pause_at(11'200));  // a new loop
  for (uint64_t t = 11'300; t <= 12'200; t += 100) REQUIRE_FALSE(pause_at(t));
  guest.cpu.state.cpl = 3;
  REQUIRE_FALSE(pause_at(12'250));
  guest.cpu.state.cpl = 0;
  REQUIRE(pause_at(12'270));
  REQUIRE(guest.left_with(ExitReason::pause));
}
