// CR0, CR3, CR4, DR and the mode changes they bring.
#include "emu/cpu/control_registers.h"

#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace cr0 = vitrine::emu::arch::cr0;
namespace cr4 = vitrine::emu::arch::cr4;
namespace efer = vitrine::emu::arch::efer;

TEST_CASE("MOV CR needs CPL 0", "[cr]") {
  Rig r;
  r.long_mode(3);
  r.run({0x0F, 0x20, 0xC0});
  CHECK(r.vector() == 13);
}

TEST_CASE("CR0 refuses inconsistent values", "[cr]") {
  Rig r;
  r.protected_mode();
  CHECK_FALSE(write_cr0(r.cpu, cr0::pg | cr0::et));
  CHECK_FALSE(write_cr0(r.cpu, cr0::nw | cr0::pe));
  CHECK_FALSE(write_cr0(r.cpu, uint64_t{1} << 32 | cr0::pe));
  CHECK(write_cr0(r.cpu, cr0::pe | cr0::cd | cr0::nw));
  CHECK((r.s().cr0 & cr0::et) != 0);
}

TEST_CASE("paging starts IA-32e mode when LME and PAE are set, and ends it", "[cr]") {
  Rig r;
  r.protected_mode();
  r.s().efer = efer::lme;
  CHECK_FALSE(write_cr0(r.cpu, cr0::pe | cr0::pg));
  REQUIRE(write_cr4(r.cpu, cr4::pae));
  r.s().segments[arch::tr].rights.bits = 0x83;
  CHECK_FALSE(write_cr0(r.cpu, cr0::pe | cr0::pg));
  r.s().segments[arch::tr].rights.bits = 0x8B;
  REQUIRE(write_cr0(r.cpu, cr0::pe | cr0::pg));
  CHECK(r.s().long_mode());
  CHECK_FALSE(write_cr4(r.cpu, 0));
  REQUIRE(write_cr0(r.cpu, cr0::pe));
  CHECK_FALSE(r.s().long_mode());
}

TEST_CASE("64-bit code cannot end paging", "[cr]") {
  Rig r;
  r.long_mode();
  CHECK_FALSE(write_cr0(r.cpu, cr0::pe));
}

TEST_CASE("CR4 refuses bits the profile does not have", "[cr]") {
  Rig r;
  r.long_mode();
  CHECK_FALSE(write_cr4(r.cpu, cr4::pae | cr4::la57));
  CHECK_FALSE(write_cr4(r.cpu, cr4::pae | uint64_t{1} << 31));
  CHECK(write_cr4(r.cpu, cr4::pae | cr4::pge));
}

TEST_CASE("PCIDs need IA-32e mode and a CR3 without one", "[cr]") {
  Rig r;
  if (!r.cpu.profile().has(arch::CpuFeature::pcid)) return;
  r.long_mode();
  r.s().cr3 |= 5;
  CHECK_FALSE(write_cr4(r.cpu, r.s().cr4 | cr4::pcide));
  r.s().cr3 &= ~uint64_t{0xFFF};
  REQUIRE(write_cr4(r.cpu, r.s().cr4 | cr4::pcide));
  CHECK_FALSE(write_cr0(r.cpu, cr0::pe));
  REQUIRE(write_cr3(r.cpu, Rig::kPml4 | 7 | uint64_t{1} << 63));
  CHECK(r.s().cr3 == (Rig::kPml4 | 7));
}

TEST_CASE("CR3 refuses bits beyond the physical width", "[cr]") {
  Rig r;
  r.long_mode();
  CHECK_FALSE(write_cr3(r.cpu, uint64_t{1} << 46));
  CHECK_FALSE(write_cr3(r.cpu, uint64_t{1} << 63));
}

TEST_CASE("PAE paging loads the PDPTEs with CR3 and refuses reserved bits", "[cr]") {
  Rig r;
  r.protected_mode();
  r.poke<uint64_t>(Rig::kPdpt, Rig::kPd | 1);
  r.poke<uint64_t>(Rig::kPd, 0x83);
  REQUIRE(write_cr4(r.cpu, cr4::pae));
  REQUIRE(write_cr3(r.cpu, Rig::kPdpt));
  REQUIRE(write_cr0(r.cpu, cr0::pe | cr0::pg));
  CHECK(r.s().pdpte[0] == (Rig::kPd | 1));
  r.poke<uint64_t>(Rig::kPdpt + 8, 0x1E7);
  CHECK_FALSE(write_cr3(r.cpu, Rig::kPdpt));
  CHECK(r.s().pdpte[1] == 0);
}

TEST_CASE("LMSW sets PE and cannot clear it", "[cr]") {
  Rig r;
  r.real_mode();
  r.s().regs[arch::rax] = 1;
  r.run({0x0F, 0x01, 0xF0}, 1);
  CHECK((r.s().cr0 & cr0::pe) != 0);
  r.s().regs[arch::rax] = 8;
  r.s().set_rip(0);
  r.cpu.run(RunLimits{.max_retired = r.s().retired + 1});
  CHECK((r.s().cr0 & (cr0::pe | cr0::ts)) == (cr0::pe | cr0::ts));
}

TEST_CASE("DR7.GD makes MOV DR a #DB with BD; CR4.DE forbids the aliases", "[cr]") {
  Rig r;
  r.long_mode();
  SECTION("GD") {
    r.s().dr7 |= 0x2000;
    r.run({0x0F, 0x21, 0xC0});
    REQUIRE(r.vector() == 1);
    CHECK(r.frame(0) == Rig::kCode);
    CHECK((r.s().dr6 & 0x2000) != 0);
    CHECK((r.s().dr7 & 0x2000) == 0);
  }
  SECTION("alias") {
    r.run({0x0F, 0x21, 0xE0, 0xF4});
    CHECK(r.s().regs[arch::rax] == r.s().dr6);
    r.s().cr4 |= cr4::de;
    r.run({0x0F, 0x21, 0xE0, 0xF4});
    CHECK(r.vector() == 6);
  }
  SECTION("upper half") {
    r.s().regs[arch::rax] = uint64_t{1} << 32;
    r.run({0x0F, 0x23, 0xF8});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("CR8 is the task priority", "[cr]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rax] = 9;
  r.run({0x44, 0x0F, 0x22, 0xC0}, 1);
  CHECK(r.ports.priority == 9);
  r.s().regs[arch::rax] = 16;
  r.run({0x44, 0x0F, 0x22, 0xC0});
  CHECK(r.vector() == 13);
}
