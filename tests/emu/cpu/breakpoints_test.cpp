// Breakpoints and traps: what DR7 watches, when the trap comes, and what DR6 says of it.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

namespace {

constexpr uint64_t kBs = 1u << 14;

/// DR7 with breakpoint 0 enabled: R/W is 1 for writes, 2 for I/O, 3 for reads and writes.
constexpr uint64_t armed(unsigned read_write, unsigned length) {
  return 0x400 | 2 | uint64_t{read_write} << 16 | uint64_t{length} << 18;
}
constexpr unsigned kOne = 0, kTwo = 1, kEight = 2, kFour = 3;

struct Watched : Rig {
  Watched(uint64_t address, uint64_t dr7) {
    long_mode();
    s().dr[0] = address;
    s().dr7 = dr7;
    cpu.context_changed();
  }
  /// Number of bytes of code in front of the reported RIP; fails when no #DB came.
  uint64_t trapped_behind() {
    REQUIRE(vector() == 1);
    return frame(0) - kCode;
  }
};

constexpr std::initializer_list<int> kStore = {
    0xC6, 0x04, 0x25, 0x10, 0x00, 0x02, 0x00, 0x05, 0x90, 0xF4};  // MOV BYTE [20010H], 5; NOP; HLT
constexpr std::initializer_list<int> kLoad = {
    0x8A, 0x04, 0x25, 0x10, 0x00, 0x02, 0x00, 0x90, 0xF4};  // MOV AL, [20010H]; NOP; HLT

}  // namespace

TEST_CASE("a write breakpoint traps behind the store, which has been done", "[debug]") {
  Watched r(Rig::kData + 0x10, armed(1, kOne));
  r.run(kStore);
  CHECK(r.trapped_behind() == 8);
  CHECK(r.s().dr6 == (0xFFFF0FF0 | 1));
  CHECK(r.peek<uint8_t>(Rig::kData + 0x10) == 5);
  CHECK((r.frame(2) & rflags::rf) == 0);
}

TEST_CASE("a write breakpoint ignores loads, an access breakpoint does not", "[debug]") {
  Watched writes(Rig::kData + 0x10, armed(1, kOne));
  writes.run(kLoad);
  CHECK(writes.vector() == -1);
  Watched both(Rig::kData + 0x10, armed(3, kOne));
  both.run(kLoad);
  CHECK(both.trapped_behind() == 7);
}

TEST_CASE("a breakpoint covers its length from an aligned address", "[debug]") {
  struct Case {
    uint64_t address;
    unsigned length;
    bool hit;
  };
  for (const Case& c : {Case{0x0F, kOne, false}, Case{0x11, kOne, false}, Case{0x11, kTwo, true},
                        Case{0x0E, kTwo, false}, Case{0x13, kFour, true}, Case{0x0C, kFour, false},
                        Case{0x17, kEight, true}, Case{0x18, kEight, false}}) {
    CAPTURE(c.address, c.length);
    Watched r(Rig::kData + c.address, armed(1, c.length));
    r.run(kStore);
    CHECK((r.vector() == 1) == c.hit);
  }
}

TEST_CASE("a disabled breakpoint watches nothing", "[debug]") {
  Watched r(Rig::kData + 0x10, armed(1, kOne) & ~uint64_t{3});
  r.run(kStore);
  CHECK(r.vector() == -1);
}

TEST_CASE("a read-modify-write and a push are writes", "[debug]") {
  Watched modify(Rig::kData + 0x10, armed(1, kFour));
  modify.run({0xFF, 0x04, 0x25, 0x10, 0x00, 0x02, 0x00, 0xF4});  // INC DWORD [20010H]
  CHECK(modify.trapped_behind() == 7);
  Watched push(0, armed(1, kEight));
  push.s().dr[0] = push.s().regs[arch::rsp] - 8;
  push.run({0x50, 0xF4});
  CHECK(push.trapped_behind() == 1);
}

TEST_CASE("an instruction that faults leaves no data trap behind", "[debug]") {
  Watched r(Rig::kData + 0x10, armed(3, kOne));
  r.poke<uint64_t>(Rig::kPt, 0);
  r.s().regs[arch::rsi] = Rig::kData + 0x10;
  r.s().regs[arch::rdi] = Rig::kPage;
  r.run({0xA4, 0xF4});  // MOVSB into an absent page
  CHECK(r.vector() == 14);
  CHECK(r.s().pending_debug == 0);
}

TEST_CASE("a repeated string instruction traps behind the iteration that hit, and resumes",
          "[debug]") {
  Watched r(Rig::kData + 3, armed(1, kOne));
  r.s().regs[arch::rcx] = 8;
  r.s().regs[arch::rdi] = Rig::kData;
  r.run({0xF3, 0xAA, 0xF4});  // REP STOSB
  REQUIRE(r.trapped_behind() == 0);
  CHECK(r.s().regs[arch::rcx] == 4);
  CHECK((r.frame(2) & rflags::rf) != 0);
  r.poke<uint8_t>(Rig::kHandlers + 16, 0x48);  // IRETQ
  r.poke<uint8_t>(Rig::kHandlers + 17, 0xCF);
  r.s().set_rip(Rig::kHandlers + 16);
  r.s().activity = Activity::active;
  r.cpu.run({.max_retired = r.s().retired + 10});
  CHECK(r.s().regs[arch::rcx] == 0);
  CHECK(r.s().rip() == Rig::kCode + 3);
  CHECK((r.s().rflags_system & rflags::rf) == 0);
}

TEST_CASE("an interrupt between two iterations pushes RF", "[debug]") {
  Rig r;
  r.long_mode();
  r.s().rflags_system |= rflags::if_;
  r.s().regs[arch::rcx] = 100;
  r.s().regs[arch::rdi] = Rig::kData;
  uint64_t at = Rig::kCode;
  for (const int byte : {0xF3, 0xAA, 0xF4}) r.poke<uint8_t>(at++, static_cast<uint8_t>(byte));
  r.s().set_rip(Rig::kCode);
  r.cpu.run({.deadline = r.s().clock + 20});
  REQUIRE(r.s().rip() == Rig::kCode);
  REQUIRE(r.s().regs[arch::rcx] < 100);
  r.ports.pending = 0x40;
  r.cpu.attention();
  r.cpu.run({});
  REQUIRE(r.vector() == 0x40);
  CHECK(r.frame(0) == Rig::kCode);
  CHECK((r.frame(2) & rflags::rf) != 0);
}

TEST_CASE("TF traps behind every iteration", "[debug]") {
  Rig r;
  r.long_mode();
  r.s().rflags_system |= rflags::tf;
  r.s().regs[arch::rcx] = 8;
  r.s().regs[arch::rdi] = Rig::kData;
  r.run({0xF3, 0xAA, 0xF4});
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kCode);
  CHECK(r.s().regs[arch::rcx] == 7);
  CHECK((r.s().dr6 & kBs) != 0);
}

TEST_CASE("IA32_DEBUGCTL.BTF makes TF trap behind branches alone", "[debug]") {
  Rig r;
  r.long_mode();
  r.s().rflags_system |= rflags::tf;
  r.s().msr.debugctl = arch::bit(1);
  r.run({0x90, 0x90, 0xEB, 0x01, 0xF4, 0x90, 0xF4});  // NOP; NOP; JMP +1
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kCode + 5);
  CHECK(r.s().msr.debugctl == 0);
}

TEST_CASE("an I/O breakpoint needs CR4.DE and traps behind IN and OUT", "[debug]") {
  for (const bool de : {false, true}) {
    for (const int opcode : {0xE4, 0xE6}) {  // IN AL, 80H; OUT 80H, AL
      Watched r(Rig::kPort, armed(2, kOne));
      if (de) r.s().cr4 |= arch::cr4::de;
      r.run({opcode, Rig::kPort, 0x90, 0xF4});
      CHECK((r.vector() == 1) == de);
      if (de) CHECK(r.frame(0) == Rig::kCode + 2);
    }
  }
  Watched data(Rig::kPort, armed(3, kOne));
  data.s().cr4 |= arch::cr4::de;
  data.run({0xE4, Rig::kPort, 0xF4});
  CHECK(data.vector() == -1);
}

TEST_CASE("an instruction breakpoint faults in front, until its handler sets RF", "[debug]") {
  Watched r(Rig::kCode + 1, armed(0, kOne));
  uint64_t at = Rig::kHandlers + 16;
  // OR BYTE [RSP+18], 1: RF of the image; IRETQ
  for (const int byte : {0x80, 0x4C, 0x24, 0x12, 0x01, 0x48, 0xCF}) {
    r.poke<uint8_t>(at++, static_cast<uint8_t>(byte));
  }
  r.run({0x90, 0x90, 0xF4});
  CHECK(r.s().exceptions == 1);
  CHECK(r.s().rip() == Rig::kCode + 3);
  CHECK(r.s().dr6 == (0xFFFF0FF0 | 1));
}

TEST_CASE("MOV SS holds its own data trap off until the next instruction is done", "[debug]") {
  Rig r;
  r.protected_mode();
  r.s().dr[0] = Rig::kData;
  r.s().dr7 = armed(3, kTwo);
  r.cpu.context_changed();
  r.poke<uint32_t>(Rig::kData, Rig::kData0);
  r.run({0x8E, 0x15, 0x00, 0x00, 0x02, 0x00, 0x90, 0x90, 0xF4});  // MOV SS, [20000H]; NOP
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0, 4) == Rig::kCode + 7);
}

TEST_CASE("MOV DR7 arms data breakpoints at once and DR7.GD guards the registers", "[debug]") {
  Rig r;
  r.long_mode();
  r.s().dr[0] = Rig::kData + 0x10;
  r.s().regs[arch::rax] = armed(1, kOne);
  r.run({0x0F, 0x23, 0xF8,                                              // MOV DR7, RAX
         0xC6, 0x04, 0x25, 0x10, 0x00, 0x02, 0x00, 0x05, 0x90, 0xF4});  // MOV BYTE [20010H], 5
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kCode + 11);
  Rig guarded;
  guarded.long_mode();
  guarded.s().dr7 = 0x2400;
  guarded.run({0x0F, 0x21, 0xC0, 0xF4});  // MOV RAX, DR0
  REQUIRE(guarded.vector() == 1);
  CHECK(guarded.frame(0) == Rig::kCode);
  CHECK((guarded.s().dr6 & 1u << 13) != 0);
  CHECK((guarded.s().dr7 & 1u << 13) == 0);
}

TEST_CASE("the push of an interrupt's frame meets a data breakpoint", "[debug]") {
  Watched r(0, armed(1, kEight));
  r.s().dr[0] = (r.s().regs[arch::rsp] & ~uint64_t{15}) - 8;
  r.run({0xCD, 0x40});
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kHandlers + 0x40 * 16);
}

TEST_CASE("an unknown MSR is #GP and counted by its number", "[msr]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rcx] = 0x12345;
  r.run({0x0F, 0x32, 0xF4});  // RDMSR
  REQUIRE(r.vector() == 13);
  r.run({0x0F, 0x30, 0xF4});  // WRMSR
  REQUIRE(r.vector() == 13);
  r.s().regs[arch::rcx] = 0x10;
  r.run({0x0F, 0x32, 0xF4});
  CHECK(r.vector() == -1);
  REQUIRE(r.cpu.unknown_msrs().size() == 1);
  CHECK(r.cpu.unknown_msrs().at(0x12345) == 2);
}
