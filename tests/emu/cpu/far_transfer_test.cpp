// Far JMP, CALL, RET and IRET: levels, gates, frames and refusals in every mode.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

namespace {

/// A far pointer m16:32 at kData for JMP/CALL FAR [kData].
void far_pointer(Rig& r, uint16_t selector, uint32_t offset) {
  r.poke<uint32_t>(Rig::kData, offset);
  r.poke<uint16_t>(Rig::kData + 4, selector);
}
/// JMP/CALL FAR [disp32] in 64-bit code.
void jump(Rig& r) { r.run({0xFF, 0x2C, 0x25, 0, 0, 2, 0}); }
void call(Rig& r) { r.run({0xFF, 0x1C, 0x25, 0, 0, 2, 0}); }

constexpr uint64_t kTarget = Rig::kHandlers + 0x80 * 16;

void push_frame(Rig& r, std::initializer_list<uint64_t> items, unsigned width) {
  uint64_t at = r.s().regs[arch::rsp] - items.size() * width;
  r.s().regs[arch::rsp] = at;
  for (const uint64_t item : items) {
    if (width == 8) r.poke<uint64_t>(at, item);
    if (width == 4) r.poke<uint32_t>(at, static_cast<uint32_t>(item));
    if (width == 2) r.poke<uint16_t>(at, static_cast<uint16_t>(item));
    at += width;
  }
}

}  // namespace

TEST_CASE("64-bit code jumps to compatibility code and back", "[far]") {
  Rig r;
  r.long_mode();
  far_pointer(r, Rig::kCode0_32, kTarget);
  jump(r);
  CHECK(r.vector() == 0x80);
  CHECK_FALSE(r.s().code64());
  CHECK(r.cpu.mode().code_size == 4);
}

TEST_CASE("a far JMP refuses what the level rules refuse", "[far]") {
  Rig r;
  r.long_mode();
  struct Case {
    uint16_t selector;
    int vector;
    uint64_t error;
  };
  const Case c =
      GENERATE(Case{0, 13, 0}, Case{Rig::kCode3, 13, Rig::kCode3},
               Case{Rig::kData0, 13, Rig::kData0}, Case{0x108, 13, 0x108},
               Case{Rig::kTssSelector, 13, Rig::kTssSelector}, Case{Rig::kSpare, 11, Rig::kSpare});
  r.descriptor(Rig::kSpare, Rig::kFlatCode64 & ~(1ull << 47));
  far_pointer(r, c.selector, kTarget);
  jump(r);
  REQUIRE(r.vector() == c.vector);
  CHECK(r.frame(0) == c.error);
  CHECK(r.frame(1) == Rig::kCode);
}

TEST_CASE("a code segment with L and D set is refused", "[far]") {
  Rig r;
  r.long_mode();
  r.descriptor(Rig::kSpare, Rig::kFlatCode64 | uint64_t{1} << 54);
  far_pointer(r, Rig::kSpare, kTarget);
  jump(r);
  REQUIRE(r.vector() == 13);
  CHECK(r.frame(0) == Rig::kSpare);
}

TEST_CASE("a 64-bit call gate changes level and stack", "[far]") {
  Rig r;
  r.long_mode(3);
  r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 3));
  r.descriptor(Rig::kGate + 8, 0);
  far_pointer(r, Rig::kGate | 3, 0x12345678);
  const uint64_t rsp = r.s().regs[arch::rsp];
  call(r);
  REQUIRE(r.vector() == 0x80);
  CHECK(r.s().cpl == 0);
  CHECK(r.frame(0) == Rig::kCode + 7);
  CHECK(r.frame(1) == (Rig::kCode3 | 3));
  CHECK(r.frame(2) == rsp);
  CHECK(r.frame(3) == (Rig::kData3 | 3));
  CHECK(r.s().regs[arch::rsp] == Rig::kStack0 - 32);
}

TEST_CASE("a call gate of too low a DPL, or absent, is refused with its selector", "[far]") {
  Rig r;
  r.long_mode(3);
  r.descriptor(Rig::kGate + 8, 0);
  far_pointer(r, Rig::kGate | 3, 0);
  SECTION("DPL") {
    r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 0));
    call(r);
    CHECK(r.vector() == 13);
    CHECK(r.frame(0) == Rig::kGate);
  }
  SECTION("absent") {
    r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 3) & ~(1ull << 47));
    call(r);
    CHECK(r.vector() == 11);
    CHECK(r.frame(0) == Rig::kGate);
  }
  SECTION("to 32-bit code") {
    r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0_32, kTarget, 12, 3));
    call(r);
    CHECK(r.vector() == 13);
    CHECK(r.frame(0) == Rig::kCode0_32);
  }
  SECTION("a type in the upper half") {
    r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 3));
    r.descriptor(Rig::kGate + 8, uint64_t{1} << 40);
    call(r);
    CHECK(r.vector() == 13);
    CHECK(r.frame(0) == Rig::kGate);
  }
}

TEST_CASE("a 32-bit call gate copies its parameters", "[far]") {
  Rig r;
  r.protected_mode(3);
  r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 3, 2));
  push_frame(r, {0x11, 0x22}, 4);
  const uint64_t rsp = r.s().regs[arch::rsp];
  r.run({0x9A, 0, 0, 0, 0, Rig::kGate | 3, 0});
  REQUIRE(r.vector() == 0x80);
  CHECK(r.frame(0, 4) == Rig::kCode + 7);
  CHECK(r.frame(1, 4) == (Rig::kCode3 | 3));
  CHECK(r.frame(2, 4) == 0x11);
  CHECK(r.frame(3, 4) == 0x22);
  CHECK(r.frame(4, 4) == rsp);
  CHECK(r.frame(5, 4) == (Rig::kData3 | 3));
}

TEST_CASE("JMP through a gate cannot change the level; CALL to conforming code keeps it", "[far]") {
  Rig r;
  r.protected_mode(3);
  SECTION("JMP") {
    r.descriptor(Rig::kGate, Rig::gate(Rig::kCode0, kTarget, 12, 3));
    r.run({0xEA, 0, 0, 0, 0, Rig::kGate | 3, 0});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0, 4) == Rig::kCode0);
  }
  SECTION("CALL, conforming") {
    r.run({0x9A, 0, 0x88, 1, 0, Rig::kConforming | 3, 0}, 1);
    CHECK(r.s().cpl == 3);
    CHECK(r.s().segments[arch::cs].selector == (Rig::kConforming | 3));
    CHECK(r.frame(0, 4) == Rig::kCode + 7);
  }
}

TEST_CASE("a far offset beyond the segment limit is #GP(0)", "[far]") {
  Rig r;
  r.protected_mode();
  r.descriptor(Rig::kSpare, 0x00409B000000FFFF);  // byte granular, 64 KiB
  r.run({0xEA, 0, 0, 1, 0, Rig::kSpare, 0});
  REQUIRE(r.vector() == 13);
  CHECK(r.frame(0, 4) == 0);
}

TEST_CASE("real-mode far CALL and RET", "[far]") {
  Rig r;
  r.real_mode();
  r.poke<uint8_t>(Rig::kHandlers + 0x805, 0xCB);  // RETF
  r.run({0x9A, 0x05, 0x08, 0x00, 0x18, 0xF4});
  CHECK(r.s().activity == Activity::hlt);
  CHECK(r.s().rip() == 6);
  CHECK(r.s().regs[arch::rsp] == Rig::kStack0);
}

TEST_CASE("far RET to an outer level drops inner data segments", "[far]") {
  Rig r;
  r.protected_mode();
  push_frame(r, {Rig::kCode + 0x100, Rig::kCode3 | 3, 0xAA, 0xBB, Rig::kStack3, Rig::kData3 | 3},
             4);
  r.run({0xCA, 8, 0}, 1);
  CHECK(r.s().cpl == 3);
  CHECK(r.s().rip() == Rig::kCode + 0x100);
  CHECK(r.s().regs[arch::rsp] == Rig::kStack3 + 8);
  CHECK(r.s().segments[arch::ds].selector == 0);
  CHECK(r.s().segments[arch::ds].rights.unusable());
}

TEST_CASE("far RET refuses inner levels and bad stacks", "[far]") {
  Rig r;
  r.protected_mode(3);
  SECTION("inner") {
    push_frame(r, {Rig::kCode, Rig::kCode0}, 4);
    r.run({0xCB});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0, 4) == Rig::kCode0);
  }
  SECTION("null CS") {
    push_frame(r, {Rig::kCode, 0}, 4);
    r.run({0xCB});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0, 4) == 0);
  }
  SECTION("stack of another level") {
    Rig k;
    k.protected_mode();
    push_frame(k, {Rig::kCode, Rig::kCode3 | 3, Rig::kStack3, Rig::kData0}, 4);
    k.run({0xCB});
    REQUIRE(k.vector() == 13);
    CHECK(k.frame(0, 4) == Rig::kData0);
  }
}

TEST_CASE("IRETQ returns to CPL 3, and to the same level with a stack", "[far]") {
  Rig r;
  r.long_mode();
  SECTION("outer") {
    push_frame(r, {Rig::kCode + 0x100, Rig::kCode3 | 3, 0x202, Rig::kStack3, Rig::kData3 | 3}, 8);
    r.run({0x48, 0xCF}, 1);
    CHECK(r.s().cpl == 3);
    CHECK(r.s().rip() == Rig::kCode + 0x100);
    CHECK(r.s().regs[arch::rsp] == Rig::kStack3);
    CHECK((r.s().rflags() & rflags::if_) != 0);
  }
  SECTION("same level, null SS") {
    push_frame(r, {Rig::kCode + 0x100, Rig::kCode0, 0x2, 0x9990, 0}, 8);
    r.run({0x48, 0xCF}, 1);
    CHECK(r.s().rip() == Rig::kCode + 0x100);
    CHECK(r.s().regs[arch::rsp] == 0x9990);
    CHECK(r.s().segments[arch::ss].selector == 0);
  }
  SECTION("a null SS for CPL 3 is #GP(0)") {
    push_frame(r, {Rig::kCode, Rig::kCode3 | 3, 0x202, Rig::kStack3, 3}, 8);
    r.run({0x48, 0xCF});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == 0);
  }
  SECTION("a non-canonical RIP is #GP(0) at the IRET") {
    push_frame(r, {uint64_t{1} << 47, Rig::kCode0, 2, 0x9990, Rig::kData0}, 8);
    r.run({0x48, 0xCF});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == 0);
    CHECK(r.frame(1) == Rig::kCode);
  }
  SECTION("NT is #GP(0)") {
    r.s().rflags_system |= rflags::nt;
    r.run({0x48, 0xCF});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("IRET at CPL 3 keeps IOPL and IF", "[far]") {
  Rig r;
  r.long_mode(3);
  push_frame(r, {Rig::kCode + 0x100, Rig::kCode3 | 3, 0x3202, Rig::kStack3, Rig::kData3 | 3}, 8);
  r.run({0x48, 0xCF}, 1);
  CHECK((r.s().rflags() & (rflags::if_ | rflags::iopl)) == 0);
}

TEST_CASE("IRETD enters virtual-8086 mode, and an exception leaves it", "[far]") {
  Rig r;
  r.protected_mode();
  push_frame(r, {0x20, 0x1000, 0x20202, 0x7F0, 0x800, 0x11, 0x22, 0x33, 0x44}, 4);
  r.poke<uint8_t>(Rig::kCode + 0x20, 0xF4);
  r.run({0xCF});
  REQUIRE(r.vector() == 13);
  CHECK_FALSE(r.s().v8086());
  CHECK(r.frame(0, 4) == 0);
  CHECK(r.frame(1, 4) == 0x20);
  CHECK(r.frame(2, 4) == 0x1000);
  CHECK((r.frame(3, 4) & rflags::vm) != 0);
  CHECK(r.frame(4, 4) == 0x7F0);
  CHECK(r.frame(5, 4) == 0x800);
  CHECK(r.frame(6, 4) == 0x11);  // ES DS FS GS
  CHECK(r.frame(7, 4) == 0x22);
  CHECK(r.frame(8, 4) == 0x33);
  CHECK(r.frame(9, 4) == 0x44);
  CHECK(r.s().segments[arch::ds].rights.unusable());
}

TEST_CASE("SYSCALL and SYSRET", "[far]") {
  Rig r;
  r.long_mode(3);
  CpuState& s = r.s();
  s.msr.star = uint64_t{0x20 - 0x10 + 0} << 48 | uint64_t{Rig::kCode0} << 32;
  s.msr.lstar = kTarget;
  s.msr.sfmask = rflags::if_;
  s.rflags_system |= rflags::if_;
  r.run({0x0F, 0x05});
  REQUIRE(r.vector() == 0x80);
  CHECK(s.regs[arch::rcx] == Rig::kCode + 2);
  CHECK((s.regs[arch::r11] & rflags::if_) != 0);
  CHECK((s.rflags() & rflags::if_) == 0);
  CHECK(s.cpl == 0);
  CHECK(s.segments[arch::cs].selector == Rig::kCode0);
  CHECK(s.segments[arch::ss].selector == Rig::kCode0 + 8);
  r.run({0x48, 0x0F, 0x07}, 1);
  CHECK(s.cpl == 3);
  CHECK(s.rip() == Rig::kCode + 2);
  CHECK(s.segments[arch::cs].selector == (0x10 + 16 | 3));
  CHECK(s.segments[arch::ss].selector == (0x10 + 8 | 3));
  CHECK((s.rflags() & rflags::if_) != 0);
}

TEST_CASE("SYSCALL without EFER.SCE or outside 64-bit mode is #UD", "[far]") {
  Rig r;
  SECTION("SCE") {
    r.long_mode();
    r.s().efer &= ~arch::efer::sce;
    r.run({0x0F, 0x05});
    CHECK(r.vector() == 6);
  }
  SECTION("protected mode") {
    r.protected_mode();
    r.run({0x0F, 0x05});
    CHECK(r.vector() == 6);
  }
}

TEST_CASE("SYSENTER and SYSEXIT", "[far]") {
  Rig r;
  r.protected_mode(3);
  CpuState& s = r.s();
  SECTION("no IA32_SYSENTER_CS: #GP(0)") {
    r.run({0x0F, 0x34});
    CHECK(r.vector() == 13);
  }
  SECTION("there and back") {
    s.msr.sysenter_cs = Rig::kCode0;
    s.msr.sysenter_eip = kTarget;
    s.msr.sysenter_esp = Rig::kStack0;
    r.run({0x0F, 0x34});
    REQUIRE(r.vector() == 0x80);
    CHECK(s.cpl == 0);
    CHECK(s.regs[arch::rsp] == Rig::kStack0);
    s.regs[arch::rdx] = Rig::kCode + 0x40;
    s.regs[arch::rcx] = Rig::kStack3;
    r.run({0x0F, 0x35}, 1);
    CHECK(s.cpl == 3);
    CHECK(s.rip() == Rig::kCode + 0x40);
    CHECK(s.segments[arch::cs].selector == (Rig::kCode0 + 16 | 3));
  }
}
