// Task switches: JMP, CALL, IRET and task gates between 32- and 16-bit TSSs.
#include "emu/cpu/task_switch.h"

#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

namespace {

constexpr uint64_t kEntry = Rig::kHandlers + 0x90 * 16;  // a HLT

/// A second task in ring 0 whose first instruction is the HLT at kEntry.
void second_task(Rig& r, uint16_t ss = Rig::kData0) {
  const uint64_t t = Rig::kTss2;
  r.descriptor(Rig::kTss2Selector, Rig::system_descriptor(t, 103, 9, 0));
  r.poke<uint32_t>(t + 32, static_cast<uint32_t>(kEntry));
  r.poke<uint32_t>(t + 36, 2);
  r.poke<uint32_t>(t + 40, 0xAAAA);
  r.poke<uint32_t>(t + 56, static_cast<uint32_t>(Rig::kIst));
  for (unsigned i = 0; i < 6; ++i) r.poke<uint32_t>(t + 72 + 4 * i, Rig::kData0);
  r.poke<uint32_t>(t + 76, Rig::kCode0);
  r.poke<uint32_t>(t + 80, ss);
}

uint8_t type_byte(Rig& r, uint16_t selector) { return r.peek<uint8_t>(Rig::kGdt + selector + 5); }

}  // namespace

TEST_CASE("JMP to a TSS saves the old task and frees it", "[task]") {
  Rig r;
  r.protected_mode();
  second_task(r);
  r.s().regs[arch::rbx] = 0xB0B0;
  r.run({0xEA, 0, 0, 0, 0, Rig::kTss2Selector, 0});
  REQUIRE(r.vector() == 0x90);
  CHECK(r.s().regs[arch::rax] == 0xAAAA);
  CHECK(r.s().regs[arch::rsp] == Rig::kIst);
  CHECK(r.peek<uint32_t>(Rig::kTss + 32) == Rig::kCode + 7);
  CHECK(r.peek<uint32_t>(Rig::kTss + 52) == 0xB0B0);
  CHECK(r.peek<uint16_t>(Rig::kTss + 76) == Rig::kCode0);
  CHECK(type_byte(r, Rig::kTssSelector) == 0x89);
  CHECK(type_byte(r, Rig::kTss2Selector) == 0x8B);
  CHECK((r.s().cr0 & arch::cr0::ts) != 0);
  CHECK((r.s().rflags() & rflags::nt) == 0);
}

TEST_CASE("CALL nests the new task and IRET returns", "[task]") {
  Rig r;
  r.protected_mode();
  second_task(r);
  r.poke<uint8_t>(kEntry, 0xCF);
  r.run({0x9A, 0, 0, 0, 0, Rig::kTss2Selector, 0, 0xF4}, 1);
  CHECK((r.s().rflags() & rflags::nt) != 0);
  CHECK(r.peek<uint16_t>(Rig::kTss2) == Rig::kTssSelector);
  CHECK(type_byte(r, Rig::kTssSelector) == 0x8B);
  r.cpu.run(RunLimits{.max_retired = r.s().retired + 2});
  CHECK(r.s().activity == Activity::hlt);
  CHECK(r.s().rip() == Rig::kCode + 8);
  CHECK(r.s().segments[arch::tr].selector == Rig::kTssSelector);
  CHECK(type_byte(r, Rig::kTss2Selector) == 0x89);
}

TEST_CASE("a busy or absent TSS is refused in the old task", "[task]") {
  Rig r;
  r.protected_mode();
  SECTION("busy") {
    r.run({0xEA, 0, 0, 0, 0, Rig::kTssSelector, 0});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0, 4) == Rig::kTssSelector);
  }
  SECTION("absent") {
    r.descriptor(Rig::kTss2Selector, Rig::system_descriptor(Rig::kTss2, 103, 9, 0) & ~(1ull << 47));
    r.run({0xEA, 0, 0, 0, 0, Rig::kTss2Selector, 0});
    REQUIRE(r.vector() == 11);
    CHECK(r.frame(0, 4) == Rig::kTss2Selector);
  }
  SECTION("too short") {
    r.descriptor(Rig::kTss2Selector, Rig::system_descriptor(Rig::kTss2, 102, 9, 0));
    r.run({0xEA, 0, 0, 0, 0, Rig::kTss2Selector, 0});
    REQUIRE(r.vector() == 10);
    CHECK(r.frame(0, 4) == Rig::kTss2Selector);
  }
}

TEST_CASE("a bad selector in the new TSS is #TS in the new task", "[task]") {
  Rig r;
  r.protected_mode();
  second_task(r);
  r.poke<uint32_t>(Rig::kTss2 + 84, Rig::kTssSelector);  // DS
  r.run({0xEA, 0, 0, 0, 0, Rig::kTss2Selector, 0});
  REQUIRE(r.vector() == 10);
  CHECK(r.frame(0, 4) == Rig::kTssSelector);
  CHECK(r.frame(1, 4) == kEntry);
  CHECK(r.s().segments[arch::tr].selector == Rig::kTss2Selector);
}

TEST_CASE("a task gate in the IDT pushes the error code on the new stack", "[task]") {
  Rig r;
  r.protected_mode();
  second_task(r);
  r.poke<uint64_t>(Rig::kIdt + 13 * 8, Rig::gate(Rig::kTss2Selector, 0, 5, 0));
  r.s().regs[arch::rax] = 0x200;
  r.run({0x8E, 0xD8});  // MOV DS, AX outside the GDT
  REQUIRE(r.vector() == 0x90);
  CHECK(r.frame(0, 4) == 0x200);
  CHECK(r.peek<uint32_t>(Rig::kTss + 32) == Rig::kCode);
  CHECK((r.s().rflags() & rflags::nt) != 0);
}

TEST_CASE("the T bit of a TSS is a #DB with BT in the new task", "[task]") {
  Rig r;
  r.protected_mode();
  second_task(r);
  r.poke<uint16_t>(Rig::kTss2 + 100, 1);
  r.run({0xEA, 0, 0, 0, 0, Rig::kTss2Selector, 0});
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0, 4) == kEntry);
  CHECK((r.s().dr6 & 0x8000) != 0);
}
