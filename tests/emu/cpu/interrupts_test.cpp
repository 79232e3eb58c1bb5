// Delivery of interrupts and exceptions: gates, frames, error codes, CR2, shadows, double faults.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

TEST_CASE("a long-mode exception pushes SS:RSP, RFLAGS, CS:RIP with RF set", "[interrupts]") {
  Rig r;
  r.long_mode();
  const uint64_t rsp = r.s().regs[arch::rsp];
  r.run({0x0F, 0x0B});  // UD2
  REQUIRE(r.vector() == 6);
  CHECK(r.frame(0) == Rig::kCode);
  CHECK(r.frame(1) == Rig::kCode0);
  CHECK((r.frame(2) & rflags::rf) != 0);
  CHECK(r.frame(3) == rsp);
  CHECK(r.frame(4) == Rig::kData0);
  CHECK(r.s().regs[arch::rsp] == (rsp & ~15ull) - 40);
}

TEST_CASE("an exception from CPL 3 switches to RSP0 and a null SS", "[interrupts]") {
  Rig r;
  r.long_mode(3);
  const uint64_t rsp = r.s().regs[arch::rsp];
  r.run({0xF4});  // HLT is privileged
  REQUIRE(r.vector() == 13);
  CHECK(r.frame(0) == 0);  // #GP(0)
  CHECK(r.frame(1) == Rig::kCode);
  CHECK(r.frame(2) == (Rig::kCode3 | 3));
  CHECK(r.frame(4) == rsp);
  CHECK(r.frame(5) == (Rig::kData3 | 3));
  CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 48);
  CHECK(r.s().segments[arch::ss].selector == 0);
  CHECK(r.s().cpl == 0);
}

TEST_CASE("an IST gate switches stacks at the same level", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.idt64(6, 14, 0, 1);
  r.run({0x0F, 0x0B});
  REQUIRE(r.vector() == 6);
  CHECK(r.s().regs[arch::rsp] == Rig::kIst - 40);
  CHECK(r.s().segments[arch::ss].selector == Rig::kData0);
}

TEST_CASE("a page fault gives CR2 and its error code", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.poke<uint64_t>(Rig::kPt + 8, 0);
  r.run({0xC6, 0x04, 0x25, 0x34, 0x12, 0x20, 0x00, 0x01});  // MOV BYTE [201234H], 1
  REQUIRE(r.vector() == 14);
  CHECK(r.s().cr2 == 0x201234);
  CHECK(r.frame(0) == arch::pf::write);
  CHECK(r.frame(1) == Rig::kCode);
}

TEST_CASE("INT n needs a gate whose DPL allows the CPL", "[interrupts]") {
  Rig r;
  r.long_mode(3);
  SECTION("refused: #GP(vector*8+2)") {
    r.run({0xCD, 0x40});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == 0x40 * 8 + 2);
    CHECK(r.frame(1) == Rig::kCode);
  }
  SECTION("allowed: the return address is behind it") {
    r.idt64(0x40, 14, 3);
    r.run({0xCD, 0x40});
    REQUIRE(r.vector() == 0x40);
    CHECK(r.frame(0) == Rig::kCode + 2);
    CHECK((r.frame(2) & rflags::rf) == 0);
  }
}

TEST_CASE("an absent gate is #NP, an entry outside the table #GP, both with the IDT bit",
          "[interrupts]") {
  Rig r;
  r.long_mode();
  SECTION("absent") {
    r.poke<uint64_t>(Rig::kIdt + 0x40 * 16, Rig::gate(Rig::kCode0, 0, 14, 0) & ~(1ull << 47));
    r.run({0xCD, 0x40});
    REQUIRE(r.vector() == 11);
    CHECK(r.frame(0) == 0x40 * 8 + 2);
  }
  SECTION("outside") {
    r.s().idtr.limit = 0x3FF;
    r.run({0xCD, 0x40});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == 0x40 * 8 + 2);
  }
  SECTION("during an exception the EXT bit is set") {
    r.poke<uint64_t>(Rig::kIdt + 6 * 16, Rig::gate(Rig::kCode0, 0, 14, 0) & ~(1ull << 47));
    r.run({0x0F, 0x0B});
    REQUIRE(r.vector() == 11);
    CHECK(r.frame(0) == 6 * 8 + 3);
    CHECK(r.frame(1) == Rig::kCode);
  }
  SECTION("a target that is no code segment names the selector") {
    r.idt64(0x40, 14, 0, 0, Rig::kData0);
    r.run({0xCD, 0x40});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == Rig::kData0);
  }
}

TEST_CASE("a contributory fault while delivering one is a double fault", "[interrupts]") {
  Rig r;
  r.long_mode();
  // #GP's gate is absent: #NP while delivering #GP.
  r.poke<uint64_t>(Rig::kIdt + 13 * 16, Rig::gate(Rig::kCode0, 0, 14, 0) & ~(1ull << 47));
  SECTION("#GP then #NP is #DF(0)") {
    r.s().idtr.limit = 0x3FF;
    r.run({0xCD, 0x80});
    REQUIRE(r.vector() == 8);
    CHECK(r.frame(0) == 0);
    CHECK(r.frame(1) == Rig::kCode);
  }
  SECTION("and with no double-fault gate either, a triple fault") {
    r.s().idtr.limit = 0;
    CHECK(r.run({0x0F, 0x0B}) == RunStop::idle);
    CHECK(r.ports.triple_faults == 1);
    CHECK(r.s().activity == Activity::shutdown);
  }
}

TEST_CASE("a page fault on the new stack while delivering a page fault is a double fault",
          "[interrupts]") {
  Rig r;
  r.long_mode(3);
  r.poke<uint64_t>(Rig::kPt, 0);
  r.poke<uint64_t>(Rig::kPt + 8, 0);
  r.poke<uint64_t>(Rig::kTss + 4, Rig::kPage + 0x800);
  r.idt64(8, 14, 0, 1);
  r.run({0xA0, 0x34, 0x12, 0x20, 0, 0, 0, 0, 0});  // MOV AL, [201234H]
  REQUIRE(r.vector() == 8);
  CHECK(r.s().cr2 == Rig::kPage + 0x7F8);
  CHECK(r.s().regs[arch::rsp] == Rig::kIst - 48);
}

TEST_CASE("protected mode: frames of 32- and 16-bit gates, with and without a stack switch",
          "[interrupts]") {
  Rig r;
  SECTION("same level, 32-bit") {
    r.protected_mode();
    r.run({0x0F, 0x0B});
    REQUIRE(r.vector() == 6);
    CHECK(r.frame(0, 4) == Rig::kCode);
    CHECK(r.frame(1, 4) == Rig::kCode0);
    CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 0x100 - 12);
  }
  SECTION("inward, 32-bit") {
    r.protected_mode(3);
    r.run({0xF4});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0, 4) == 0);
    CHECK(r.frame(1, 4) == Rig::kCode);
    CHECK(r.frame(2, 4) == (Rig::kCode3 | 3));
    CHECK(r.frame(4, 4) == Rig::kStack3);
    CHECK(r.frame(5, 4) == (Rig::kData3 | 3));
    CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 24);
    CHECK(r.s().segments[arch::ss].selector == Rig::kData0);
  }
  SECTION("same level, 16-bit gate cuts the offset") {
    r.protected_mode();
    r.idt32(0x40, 6);
    r.poke<uint8_t>(0x8400, 0xF4);
    r.run({0xCD, 0x40}, 1);
    CHECK(r.s().rip() == (Rig::kHandlers + 0x400) % 0x10000);
    CHECK(r.frame(0, 2) == (Rig::kCode + 2) % 0x10000);
    CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 0x100 - 6);
  }
  SECTION("without a usable inner stack nothing can be delivered: triple fault") {
    r.protected_mode(3);
    r.poke<uint32_t>(Rig::kTss + 8, Rig::kData3);
    r.run({0xF4}, 5);
    CHECK(r.ports.triple_faults == 1);
  }
  SECTION("an inner stack selector of the wrong level is #TS, delivered on another one") {
    r.protected_mode(3);
    r.poke<uint32_t>(Rig::kTss + 8, Rig::kData3);
    r.idt32(0x40, 14, 3);
    r.idt32(10, 14, 0, Rig::kCode1);
    r.run({0xCD, 0x40}, 1);
    CHECK(r.s().rip() == Rig::kHandlers + 10 * 16);
    CHECK(r.s().cpl == 1);
    CHECK(r.frame(0, 4) == Rig::kData3);
    CHECK(r.frame(1, 4) == Rig::kCode);
  }
}

TEST_CASE("an interrupt gate clears IF, a trap gate keeps it; both clear TF", "[interrupts]") {
  Rig r;
  r.long_mode();
  const bool trap = GENERATE(false, true);
  r.idt64(0x40, trap ? 15 : 14);
  r.s().rflags_system |= rflags::if_;
  r.run({0xCD, 0x40});
  REQUIRE(r.vector() == 0x40);
  CHECK(((r.s().rflags() & rflags::if_) != 0) == trap);
  CHECK((r.frame(2) & rflags::if_) != 0);
}

TEST_CASE("real mode: the IVT, a frame of three words", "[interrupts]") {
  Rig r;
  r.real_mode();
  r.run({0xCD, 0x21});
  REQUIRE(r.vector() == 0x21);
  CHECK(r.frame(0, 2) == 2);
  CHECK(r.frame(1, 2) == 0x1000);
  CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 6);
}

TEST_CASE("real mode: a vector outside the IVT is #GP", "[interrupts]") {
  Rig r;
  r.real_mode();
  r.s().idtr.limit = 0x7F;
  r.run({0xCD, 0x21});
  CHECK(r.vector() == 13);
  CHECK(r.frame(0, 2) == 0);
}

TEST_CASE("a maskable interrupt waits for IF and for the end of the STI shadow", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.ports.pending = 0x50;
  SECTION("masked") {
    r.run({0x90, 0xF4});
    CHECK(r.vector() == -1);
    CHECK(r.ports.pending.has_value());
  }
  SECTION("STI holds it off for one instruction") {
    r.run({0xFB, 0x90, 0x90, 0xF4});
    REQUIRE(r.vector() == 0x50);
    CHECK(r.frame(0) == Rig::kCode + 2);
  }
  SECTION("STI; HLT wakes with RIP behind HLT") {
    r.run({0xFB, 0xF4});
    REQUIRE(r.vector() == 0x50);
    CHECK(r.frame(0) == Rig::kCode + 2);
  }
  SECTION("MOV SS holds it off for one instruction") {
    r.s().rflags_system |= rflags::if_;
    r.ports.pending.reset();
    r.s().regs[arch::rax] = Rig::kData0;
    r.run({0x8E, 0xD0, 0x90, 0xF4}, 1);
    r.ports.pending = 0x51;
    r.cpu.attention();
    CHECK(r.cpu.run(RunLimits{.max_retired = r.s().retired + 5}) == RunStop::idle);
    REQUIRE(r.vector() == 0x51);
    CHECK(r.frame(0) == Rig::kCode + 3);
  }
}

TEST_CASE("an NMI is taken with IF clear, and blocks NMIs until IRET", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.poke<uint16_t>(Rig::kHandlers + 2 * 16, 0xCF48);  // IRETQ
  r.s().nmi_pending = true;
  r.run({0x90, 0xF4}, 1);
  CHECK_FALSE(r.s().nmi_blocked);
  CHECK(r.s().rip() == Rig::kCode);
  r.s().nmi_pending = true;
  r.poke<uint8_t>(Rig::kHandlers + 2 * 16, 0xF4);
  r.cpu.attention();
  r.cpu.run(RunLimits{.max_retired = r.s().retired + 5});
  CHECK(r.vector() == 2);
  CHECK(r.s().nmi_blocked);
}

TEST_CASE("TF traps after the instruction, with DR6.BS", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.s().rflags_system |= rflags::tf;
  r.run({0x90, 0x90});
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kCode + 1);
  CHECK((r.frame(2) & rflags::tf) != 0);
  CHECK((r.s().dr6 & 0x4000) != 0);
  CHECK((r.s().rflags() & rflags::tf) == 0);
}

TEST_CASE("INT n with TF set does not trap behind it", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.s().rflags_system |= rflags::tf;
  r.run({0xCD, 0x40});
  CHECK(r.vector() == 0x40);
}

TEST_CASE("MOV SS holds off the trap of TF", "[interrupts]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rax] = Rig::kData0;
  r.s().rflags_system |= rflags::tf;
  r.run({0x8E, 0xD0, 0x90, 0x90});
  REQUIRE(r.vector() == 1);
  CHECK(r.frame(0) == Rig::kCode + 3);
}

TEST_CASE("an execution breakpoint is a fault before the instruction; RF passes it",
          "[interrupts]") {
  Rig r;
  r.long_mode();
  r.s().dr[0] = Rig::kCode + 1;
  r.s().dr7 |= 2;
  SECTION("fault") {
    r.run({0x90, 0x90, 0xF4});
    REQUIRE(r.vector() == 1);
    CHECK(r.frame(0) == Rig::kCode + 1);
    CHECK((r.s().dr6 & 0xF) == 1);
  }
  SECTION("RF") {
    r.s().dr[0] = Rig::kCode;
    r.s().rflags_system |= rflags::rf;
    r.run({0x90, 0x90, 0xF4});
    CHECK(r.vector() == -1);
    CHECK((r.s().rflags() & rflags::rf) == 0);
  }
}

TEST_CASE("INT3, INTO and INT1 are software exceptions", "[interrupts]") {
  Rig r;
  r.protected_mode();
  SECTION("INT3") {
    r.run({0xCC});
    CHECK(r.vector() == 3);
    CHECK(r.frame(0, 4) == Rig::kCode + 1);
  }
  SECTION("INTO with OF") {
    r.s().flags.set_arithmetic(rflags::of);
    r.run({0xCE});
    CHECK(r.vector() == 4);
  }
  SECTION("INTO without OF") {
    r.run({0xCE, 0xF4});
    CHECK(r.vector() == -1);
  }
  SECTION("INT1 does not look at the gate's DPL") {
    Rig u;
    u.protected_mode(3);
    u.run({0xF1});
    CHECK(u.vector() == 1);
  }
}
