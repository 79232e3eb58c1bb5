// Segment registers and descriptors: loads, limits, questions, table registers.
#include "emu/cpu/segmentation.h"

#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

namespace {

struct Load {
  uint16_t selector;
  int vector;
  uint64_t error;
};

}  // namespace

TEST_CASE("a data-segment load makes its checks in the manual's order", "[segments]") {
  Rig r;
  r.protected_mode(3);
  r.descriptor(Rig::kSpare, (Rig::kFlatData | Rig::dpl(3)) & ~(1ull << 47));
  r.descriptor(Rig::kSpare2, (0x00CF99000000FFFF | Rig::dpl(3)));  // execute-only
  const Load l = GENERATE(
      Load{0, -1, 0}, Load{3, -1, 0}, Load{Rig::kData3 | 3, -1, 0}, Load{Rig::kCode3 | 3, -1, 0},
      Load{Rig::kData0, 13, Rig::kData0}, Load{Rig::kSpare | 3, 11, Rig::kSpare},
      Load{Rig::kSpare2 | 3, 13, Rig::kSpare2}, Load{Rig::kTssSelector, 13, Rig::kTssSelector},
      Load{0x100, 13, 0x100}, Load{0x0C, 13, 0x0C}, Load{Rig::kConforming | 3, -1, 0});
  r.s().regs[arch::rax] = l.selector;
  r.run({0x8E, 0xD8}, l.vector < 0 ? 1 : 5);
  CHECK(r.vector() == l.vector);
  if (l.vector < 0) {
    CHECK(r.s().segments[arch::ds].selector == l.selector);
  } else {
    CHECK(r.frame(0, 4) == l.error);
  }
}

TEST_CASE("a stack-segment load wants a writable segment of exactly this level", "[segments]") {
  Rig r;
  r.protected_mode();
  r.descriptor(Rig::kSpare, Rig::kFlatData & ~(1ull << 47));
  const Load l =
      GENERATE(Load{Rig::kData0, -1, 0}, Load{0, 13, 0}, Load{Rig::kData3, 13, Rig::kData3},
               Load{Rig::kData0 | 3, 13, Rig::kData0}, Load{Rig::kCode0, 13, Rig::kCode0},
               Load{Rig::kSpare, 12, Rig::kSpare});
  r.s().regs[arch::rax] = l.selector;
  r.run({0x8E, 0xD0}, l.vector < 0 ? 1 : 5);
  CHECK(r.vector() == l.vector);
  if (l.vector >= 0) CHECK(r.frame(0, 4) == l.error);
}

TEST_CASE("64-bit mode takes a null SS below CPL 3 only", "[segments]") {
  Rig r;
  SECTION("CPL 0") {
    r.long_mode();
    r.s().regs[arch::rax] = 0;
    r.run({0x8E, 0xD0, 0xF4});
    CHECK(r.vector() == -1);
    CHECK(r.s().segments[arch::ss].selector == 0);
  }
  SECTION("CPL 3") {
    r.long_mode(3);
    r.s().regs[arch::rax] = 3;
    r.run({0x8E, 0xD0});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("loading a segment sets its accessed bit", "[segments]") {
  Rig r;
  r.protected_mode();
  r.descriptor(Rig::kSpare, Rig::kFlatData & ~(1ull << 40));
  r.s().regs[arch::rax] = Rig::kSpare;
  r.run({0x8E, 0xD8}, 1);
  CHECK(r.peek<uint8_t>(Rig::kGdt + Rig::kSpare + 5) == 0x93);
}

TEST_CASE("limits: growing up, growing down, #SS for the stack", "[segments]") {
  Rig r;
  r.protected_mode();
  r.descriptor(Rig::kSpare, 0x0040930000000FFF);   // 4 KiB, up
  r.descriptor(Rig::kSpare2, 0x0040970000000FFF);  // above 4 KiB, down
  struct Access {
    uint16_t selector;
    uint32_t offset;
    bool refused;
  };
  const Access a = GENERATE(Access{Rig::kSpare, 0xFFC, false}, Access{Rig::kSpare, 0xFFD, true},
                            Access{Rig::kSpare2, 0x1000, false}, Access{Rig::kSpare2, 0xFFF, true},
                            Access{0, 0, true});
  r.s().regs[arch::rax] = a.selector;
  r.s().regs[arch::rbx] = a.offset;
  SECTION("data") {
    r.run({0x8E, 0xD8, 0x8B, 0x0B, 0xF4}, a.refused ? 6 : 3);  // MOV DS, AX; MOV ECX, [EBX]
    CHECK(r.vector() == (a.refused ? 13 : -1));
    if (a.refused) CHECK(r.frame(0, 4) == 0);
  }
}

TEST_CASE("a write through CS or a read-only segment is #GP(0)", "[segments]") {
  Rig r;
  r.protected_mode();
  SECTION("CS") {
    r.run({0x2E, 0xC6, 0x05, 0, 0, 2, 0, 1});
    CHECK(r.vector() == 13);
  }
  SECTION("read-only") {
    r.descriptor(Rig::kSpare, 0x00CF91000000FFFF);
    r.s().regs[arch::rax] = Rig::kSpare;
    r.run({0x8E, 0xD8, 0xC6, 0x05, 0, 0, 2, 0, 1});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("a non-canonical address is #GP(0), through the stack #SS(0)", "[segments]") {
  Rig r;
  r.long_mode();
  r.idt64(12, 14, 0, 1);
  r.s().regs[arch::rbx] = uint64_t{1} << 47;
  SECTION("data") {
    r.run({0x8B, 0x03});
    CHECK(r.vector() == 13);
  }
  SECTION("stack") {
    r.s().regs[arch::rsp] = uint64_t{1} << 50;
    r.run({0x50});
    CHECK(r.vector() == 12);
  }
}

TEST_CASE("LAR, LSL, VERR, VERW answer with ZF", "[segments]") {
  Rig r;
  r.protected_mode(3);
  r.s().regs[arch::rcx] = 0x1234;
  struct Question {
    uint16_t selector;
    bool lar, lsl, verr, verw;
  };
  const Question q = GENERATE(Question{Rig::kData3 | 3, true, true, true, true},
                              Question{Rig::kCode3 | 3, true, true, true, false},
                              Question{Rig::kData0, false, false, false, false},
                              Question{Rig::kConforming, true, true, true, false},
                              Question{0, false, false, false, false},
                              Question{0x200, false, false, false, false});
  r.s().regs[arch::rax] = q.selector;
  const auto zf = [&] { return r.s().flags.zf(); };
  r.run({0x0F, 0x02, 0xC8}, 1);
  CHECK(zf() == q.lar);
  CHECK((r.s().regs[arch::rcx] == 0x1234) == !q.lar);
  r.run({0x0F, 0x03, 0xC8}, 1);
  CHECK(zf() == q.lsl);
  if (q.lsl) CHECK(r.s().regs[arch::rcx] == 0xFFFFFFFF);
  r.run({0x0F, 0x00, 0xE0}, 1);
  CHECK(zf() == q.verr);
  r.run({0x0F, 0x00, 0xE8}, 1);
  CHECK(zf() == q.verw);
}

TEST_CASE("LAR and VERR are #UD in real mode", "[segments]") {
  Rig r;
  r.real_mode();
  r.run({0x0F, 0x02, 0xC8});
  CHECK(r.vector() == 6);
}

TEST_CASE("ARPL raises the RPL", "[segments]") {
  Rig r;
  r.protected_mode();
  r.s().regs[arch::rax] = 0x10;
  r.s().regs[arch::rcx] = 3;
  r.run({0x63, 0xC8}, 1);
  CHECK(r.s().regs[arch::rax] == 0x13);
  CHECK(r.s().flags.zf());
  r.run({0x63, 0xC8}, 1);
  CHECK_FALSE(r.s().flags.zf());
}

TEST_CASE("LTR takes an available TSS and marks it busy", "[segments]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rax] = Rig::kTssSelector;
  SECTION("busy is #GP") {
    r.run({0x0F, 0x00, 0xD8});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == Rig::kTssSelector);
  }
  SECTION("available") {
    r.descriptor(Rig::kTssSelector, Rig::system_descriptor(Rig::kTss2, 0x67, 9, 0));
    r.run({0x0F, 0x00, 0xD8}, 1);
    CHECK(r.s().segments[arch::tr].base == Rig::kTss2);
    CHECK(r.peek<uint8_t>(Rig::kGdt + Rig::kTssSelector + 5) == 0x8B);
  }
}

TEST_CASE("LGDT and SGDT move ten bytes in 64-bit mode, six elsewhere", "[segments]") {
  Rig r;
  SECTION("64-bit") {
    r.long_mode();
    r.poke<uint16_t>(Rig::kData, 0xFF);
    r.poke<uint64_t>(Rig::kData + 2, 0xFFFF800000001000);
    r.run({0x0F, 0x01, 0x14, 0x25, 0, 0, 2, 0, 0x0F, 0x01, 0x04, 0x25, 0, 1, 2, 0}, 2);
    CHECK(r.s().gdtr.base == 0xFFFF800000001000);
    CHECK(r.peek<uint64_t>(Rig::kData + 0x102) == 0xFFFF800000001000);
  }
  SECTION("64-bit, non-canonical") {
    r.long_mode();
    r.poke<uint64_t>(Rig::kData + 2, uint64_t{1} << 60);
    r.run({0x0F, 0x01, 0x14, 0x25, 0, 0, 2, 0});
    CHECK(r.vector() == 13);
  }
  SECTION("a 16-bit operand loads 24 bits") {
    r.real_mode();
    r.poke<uint32_t>(Rig::kStack0 + 2, 0xAB123456);
    r.poke<uint16_t>(Rig::kStack0, 0x77);
    r.run({0x0F, 0x01, 0x16, 0x00, 0x80}, 1);
    CHECK(r.s().gdtr.base == 0x123456);
    CHECK(r.s().gdtr.limit == 0x77);
  }
}

TEST_CASE("SWAPGS exchanges the bases", "[segments]") {
  Rig r;
  r.long_mode();
  r.s().segments[arch::gs].base = 0x1111;
  r.s().msr.kernel_gs_base = 0x2222;
  r.run({0x0F, 0x01, 0xF8}, 1);
  CHECK(r.s().segments[arch::gs].base == 0x2222);
  CHECK(r.s().msr.kernel_gs_base == 0x1111);
  CHECK(r.cpu.segment_base(arch::gs) == 0x2222);
}

TEST_CASE("real mode keeps a large limit that protected mode loaded", "[segments]") {
  Rig r;
  r.real_mode();
  r.s().segments[arch::ds].limit = 0xFFFFFFFF;
  r.s().regs[arch::rax] = 0x1000;
  r.run({0x8E, 0xD8}, 1);
  CHECK(r.s().segments[arch::ds].limit == 0xFFFFFFFF);
  CHECK(r.s().segments[arch::ds].base == 0x10000);
}

TEST_CASE("a null segment of protected mode is usable once real mode has loaded it", "[segments]") {
  Rig r;
  r.real_mode();
  r.s().segments[arch::ds] = {0, 0, {arch::kUnusableSegment}, 0};
  r.s().regs[arch::rax] = 0x2000;
  r.poke<uint8_t>(Rig::kData + 5, 0x5A);
  r.run({0x8E, 0xD8, 0xA0, 5, 0, 0xF4});
  CHECK(r.vector() == -1);
  CHECK((r.s().regs[arch::rax] & 0xFF) == 0x5A);
}
