// The XSAVE family: plans, headers, initial states; XCR0; FS and GS bases; random numbers.
#include <catch2/catch.hpp>

#include "emu/cpu/state_area.h"
#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;

namespace {

constexpr uint64_t kHeader = Rig::kData + 512;

/// 64-bit ring 0 with OSXSAVE, x87 and SSE on, and EDX:EAX asking for both.
void enable(Rig& r, uint64_t asked = 3) {
  r.long_mode();
  r.s().cr4 |= arch::cr4::osxsave;
  r.s().xcr0 = 3;
  r.s().regs[arch::rax] = asked;
  r.s().regs[arch::rdx] = 0;
  r.s().x87.fcw = 0x37F;
}

// Forms with a 32-bit address and REX.W: OP [20000H].
void xsave(Rig& r, uint64_t limit = 1) { r.run({0x48, 0x0F, 0xAE, 0x24, 0x25, 0, 0, 2, 0}, limit); }
void xrstor(Rig& r, uint64_t limit = 1) {
  r.run({0x48, 0x0F, 0xAE, 0x2C, 0x25, 0, 0, 2, 0}, limit);
}
void xsaveopt(Rig& r) { r.run({0x48, 0x0F, 0xAE, 0x34, 0x25, 0, 0, 2, 0}, 1); }
void xsavec(Rig& r) { r.run({0x48, 0x0F, 0xC7, 0x24, 0x25, 0, 0, 2, 0}, 1); }
void xsaves(Rig& r, uint64_t limit = 1) {
  r.run({0x48, 0x0F, 0xC7, 0x2C, 0x25, 0, 0, 2, 0}, limit);
}
void xrstors(Rig& r, uint64_t limit = 1) {
  r.run({0x48, 0x0F, 0xC7, 0x1C, 0x25, 0, 0, 2, 0}, limit);
}

}  // namespace

TEST_CASE("XSAVE writes every requested component and reports those in use", "[xsave]") {
  Rig r;
  enable(r);
  r.s().vector.ymm[2][0] = 0x1122;
  r.poke<uint64_t>(kHeader, 0x4);  // a bit that was not asked for stays
  xsave(r);
  CHECK(r.peek<uint64_t>(kHeader) == 0x6);
  CHECK(r.peek<uint64_t>(kHeader + 8) == 0);
  CHECK(r.peek<uint16_t>(Rig::kData) == 0x37F);
  CHECK(r.peek<uint64_t>(Rig::kData + 160 + 32) == 0x1122);
  CHECK(r.peek<uint32_t>(Rig::kData + 24) == 0x1F80);
}

TEST_CASE("XSAVE touches only what was asked for", "[xsave]") {
  Rig r;
  enable(r, 1);
  r.poke<uint32_t>(Rig::kData + 24, 0x12345678);
  r.poke<uint64_t>(Rig::kData + 160, 0x55);
  xsave(r);
  CHECK(r.peek<uint32_t>(Rig::kData + 24) == 0x12345678);
  CHECK(r.peek<uint64_t>(Rig::kData + 160) == 0x55);
}

TEST_CASE("XSAVEOPT and XSAVEC leave components in their initial state unwritten", "[xsave]") {
  Rig r;
  enable(r);
  r.poke<uint16_t>(Rig::kData, 0xDEAD);
  r.s().vector.ymm[0][0] = 7;
  SECTION("XSAVEOPT") {
    xsaveopt(r);
    CHECK(r.peek<uint64_t>(kHeader) == 2);
    CHECK(r.peek<uint64_t>(kHeader + 8) == 0);
  }
  SECTION("XSAVEC") {
    xsavec(r);
    CHECK(r.peek<uint64_t>(kHeader) == 2);
    CHECK(r.peek<uint64_t>(kHeader + 8) == (StateArea::kCompacted | 3));
  }
  CHECK(r.peek<uint16_t>(Rig::kData) == 0xDEAD);
  CHECK(r.peek<uint64_t>(Rig::kData + 160) == 7);
}

TEST_CASE("XSAVEC counts an unusual MXCSR as SSE in use", "[xsave]") {
  Rig r;
  enable(r);
  r.s().vector.mxcsr = 0x1FA0;
  xsavec(r);
  CHECK(r.peek<uint64_t>(kHeader) == 2);
  CHECK(r.peek<uint32_t>(Rig::kData + 24) == 0x1FA0);
}

TEST_CASE("XRSTOR initialises what XSTATE_BV says is absent", "[xsave]") {
  Rig r;
  enable(r);
  r.s().vector.ymm[1][0] = 9;
  r.s().x87.fsw = 0x3800;
  r.poke<uint32_t>(Rig::kData + 24, 0x1FA0);
  xrstor(r);
  CHECK(r.s().vector.ymm[1][0] == 0);
  CHECK(r.s().x87.fsw == 0);
  CHECK(r.s().x87.fcw == 0x37F);
  CHECK(r.s().vector.mxcsr == 0x1FA0);
}

TEST_CASE("XSAVE and XRSTOR are inverse", "[xsave]") {
  Rig r;
  enable(r);
  r.s().vector.ymm[14] = {1, 2, 3, 4};
  r.s().x87.valid = 0x80;
  r.s().x87.significand[7] = 0xC000000000000000;
  r.s().x87.sign_exponent[7] = 0xBFFF;
  const auto saved = r.s().x87;
  xsave(r);
  r.s().vector.ymm[14] = {};
  r.s().x87 = {};
  xrstor(r);
  CHECK(r.s().vector.ymm[14][1] == 2);
  CHECK(r.s().x87.significand == saved.significand);
  CHECK(r.s().x87.valid == saved.valid);
}

TEST_CASE("XRSTOR refuses bad headers", "[xsave]") {
  Rig r;
  enable(r);
  SECTION("component that XCR0 does not enable") { r.poke<uint64_t>(kHeader, 8); }
  SECTION("reserved header bytes") { r.poke<uint64_t>(kHeader + 16, 1); }
  SECTION("XCOMP_BV without bit 63") { r.poke<uint64_t>(kHeader + 8, 1); }
  SECTION("XSTATE_BV beyond XCOMP_BV") {
    r.poke<uint64_t>(kHeader, 2);
    r.poke<uint64_t>(kHeader + 8, StateArea::kCompacted | 1);
  }
  SECTION("MXCSR") { r.poke<uint32_t>(Rig::kData + 24, 0x10000); }
  xrstor(r, 5);
  CHECK(r.vector() == 13);
}

TEST_CASE("XSAVES and XRSTORS use the compacted form and need CPL 0", "[xsave]") {
  Rig r;
  SECTION("round trip") {
    enable(r);
    r.s().vector.ymm[3][1] = 0x77;
    xsaves(r);
    CHECK(r.peek<uint64_t>(kHeader + 8) == (StateArea::kCompacted | 3));
    r.s().vector.ymm[3][1] = 0;
    xrstors(r);
    CHECK(r.s().vector.ymm[3][1] == 0x77);
  }
  SECTION("standard form") {
    enable(r);
    xrstors(r, 5);
    CHECK(r.vector() == 13);
  }
  SECTION("CPL 3") {
    r.long_mode(3);
    r.s().cr4 |= arch::cr4::osxsave;
    xsaves(r, 5);
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("without CR4.OSXSAVE the family is #UD; CR0.TS is #NM; 64 bytes of alignment",
          "[xsave]") {
  Rig r;
  SECTION("OSXSAVE") {
    r.long_mode();
    xsave(r, 5);
    CHECK(r.vector() == 6);
  }
  SECTION("TS") {
    enable(r);
    r.s().cr0 |= arch::cr0::ts;
    xsave(r, 5);
    CHECK(r.vector() == 7);
  }
  SECTION("alignment") {
    enable(r);
    r.run({0x48, 0x0F, 0xAE, 0x24, 0x25, 0x10, 0, 2, 0});
    CHECK(r.vector() == 13);
  }
  SECTION("a page missing in the middle leaves nothing written") {
    enable(r);
    r.poke<uint64_t>(Rig::kPt + 8, 0);
    r.run({0x48, 0x0F, 0xAE, 0x24, 0x25, 0xC0, 0x0E, 0x20, 0});  // [200EC0H]
    REQUIRE(r.vector() == 14);
    CHECK(r.s().cr2 == 0x201000);
    CHECK(r.peek<uint16_t>(0x200EC0) == 0);
  }
}

TEST_CASE("XSETBV wants x87 and only legal bits; XGETBV reads", "[xsave]") {
  Rig r;
  enable(r, 1);
  r.s().regs[arch::rcx] = 0;
  r.run({0x0F, 0x01, 0xD1}, 1);
  CHECK(r.s().xcr0 == 1);
  r.run({0x0F, 0x01, 0xD0}, 1);
  CHECK(r.s().regs[arch::rax] == 1);
  r.s().regs[arch::rax] = GENERATE(uint64_t{0}, 2, 4, 1 << 9);
  r.run({0x0F, 0x01, 0xD1});
  CHECK(r.vector() == 13);
}

TEST_CASE("WRFSBASE needs CR4.FSGSBASE and a canonical base", "[fsgsbase]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rax] = 0xFFFF800000001234;
  SECTION("off") {
    r.run({0xF3, 0x48, 0x0F, 0xAE, 0xD0});
    CHECK(r.vector() == 6);
  }
  SECTION("on") {
    r.s().cr4 |= arch::cr4::fsgsbase;
    r.run({0xF3, 0x48, 0x0F, 0xAE, 0xD0}, 1);
    CHECK(r.s().segments[arch::fs].base == 0xFFFF800000001234);
    CHECK(r.cpu.segment_base(arch::fs) == 0xFFFF800000001234);
    r.s().regs[arch::rax] = uint64_t{1} << 47;
    r.run({0xF3, 0x48, 0x0F, 0xAE, 0xD0});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("RDRAND is a function of the seed alone", "[random]") {
  Rig a, b;
  a.long_mode();
  b.long_mode();
  a.cpu.seed_random(5);
  b.cpu.seed_random(5);
  a.run({0x48, 0x0F, 0xC7, 0xF0}, 1);
  b.run({0x48, 0x0F, 0xC7, 0xF0}, 1);
  CHECK(a.s().regs[arch::rax] == b.s().regs[arch::rax]);
  CHECK(a.s().flags.arithmetic() == arch::rflags::cf);
  const uint64_t first = a.s().regs[arch::rax];
  a.run({0x48, 0x0F, 0xC7, 0xF0}, 1);
  CHECK(a.s().regs[arch::rax] != first);
}

TEST_CASE("INVPCID checks its type and descriptor", "[cr]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rcx] = GENERATE(uint64_t{0}, 1, 2, 3, 4);
  const bool individual = r.s().regs[arch::rcx] < 2;
  const bool pcid = GENERATE(false, true);
  r.poke<uint64_t>(Rig::kData, pcid ? 5 : 0);
  r.poke<uint64_t>(Rig::kData + 8, 0x1000);
  r.run({0x66, 0x0F, 0x38, 0x82, 0x0C, 0x25, 0, 0, 2, 0, 0xF4});
  const bool refused = r.s().regs[arch::rcx] == 4 || (individual && pcid);
  CHECK(r.vector() == (refused ? 13 : -1));
}

TEST_CASE("STAC and CLAC are #UD outside CPL 0", "[cr]") {
  Rig r;
  SECTION("CPL 3") {
    r.long_mode(3);
    r.run({0x0F, 0x01, 0xCB});
    CHECK(r.vector() == 6);
  }
  SECTION("CPL 0") {
    r.long_mode();
    r.run({0x0F, 0x01, 0xCB}, 1);
    CHECK((r.s().rflags() & arch::rflags::ac) != 0);
  }
}

TEST_CASE("virtual-8086 mode: INT n and CLI need IOPL 3", "[v8086]") {
  Rig r;
  r.protected_mode();
  const bool trusted = GENERATE(false, true);
  const uint64_t flags = 0x20202 | (trusted ? 0x3000u : 0u);
  r.idt32(0x40, 14, 3);
  uint64_t at = r.s().regs[arch::rsp];
  for (const uint64_t v : {uint64_t{0x20}, uint64_t{0x1000}, flags, uint64_t{0x7F0},
                           uint64_t{0x800}, uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0}}) {
    r.poke<uint32_t>(at, static_cast<uint32_t>(v));
    at += 4;
  }
  r.poke<uint16_t>(Rig::kCode + 0x20, 0x40CD);
  r.run({0xCF});
  CHECK(r.vector() == (trusted ? 0x40 : 13));
  CHECK(r.frame(trusted ? 0 : 1, 4) == (trusted ? 0x22 : 0x20));
}
