// Virtual-8086 mode with CR4.VME, and CR4.PVI: redirected interrupts, and IF that stands for VIF.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;

namespace {

constexpr uint16_t kSegment = Rig::kCode >> 4;
constexpr uint64_t kStackTop = 0x9000;
constexpr uint32_t kMap = 0x88;  // of the I/O permission bits; the redirection bits lie below

struct V86 : Rig {
  explicit V86(unsigned io_level, bool vme = true) {
    protected_mode();
    if (vme) s().cr4 |= arch::cr4::vme;
    for (unsigned i = arch::es; i <= arch::gs; ++i) s().segments[i] = {0, 0xFFFF, {0xF3}, 0};
    s().segments[arch::cs] = {kCode, 0xFFFF, {0xF3}, kSegment};
    s().rflags_system |= rflags::vm | rflags::if_ | uint64_t{io_level} << 12;
    s().cpl = 3;
    s().regs[arch::rsp] = kStackTop;
    poke<uint16_t>(kTss + 0x66, static_cast<uint16_t>(kMap));
    poke<uint32_t>(0x21 * 4, uint32_t{kSegment} << 16 | 0x100);
    poke<uint8_t>(kCode + 0x100, 0xF4);
    idt32(0x21, 14, 3);
    cpu.context_changed();
  }
  void keep_from_program(uint8_t vector) {
    poke<uint8_t>(kTss + kMap - 32 + vector / 8u, static_cast<uint8_t>(1u << vector % 8));
  }
  void execute(std::initializer_list<int> bytes) {
    uint64_t at = kCode;
    for (const int byte : bytes) poke<uint8_t>(at++, static_cast<uint8_t>(byte));
    s().set_rip(0);
    cpu.attention();
    cpu.run({.max_retired = s().retired + 30});
  }
  /// HLT at CPL 3 ends a program with #GP: the offset it stood at, from the frame.
  uint32_t stopped_at() {
    REQUIRE(vector() == 13);
    return static_cast<uint32_t>(frame(1, 4));
  }
  uint32_t flags_then() { return static_cast<uint32_t>(frame(3, 4)); }
};

}  // namespace

TEST_CASE("INT n goes to the 8086 program's own handler when its redirection bit is 0", "[v86]") {
  V86 r(3);
  r.execute({0xCD, 0x21, 0xF4});
  CHECK(r.stopped_at() == 0x100);
  CHECK((r.flags_then() & rflags::if_) == 0);
  CHECK(r.peek<uint16_t>(kStackTop - 6) == 2);
  CHECK(r.peek<uint16_t>(kStackTop - 4) == kSegment);
  CHECK((r.peek<uint16_t>(kStackTop - 2) & rflags::if_) != 0);
}

TEST_CASE("A redirection bit of 1, or CR4.VME = 0, sends INT n through the IDT at IOPL 3",
          "[v86]") {
  for (const bool vme : {false, true}) {
    V86 r(3, vme);
    if (vme) r.keep_from_program(0x21);
    r.execute({0xCD, 0x21, 0xF4});
    CHECK(r.vector() == 0x21);
  }
}

TEST_CASE("Below IOPL 3 a redirected INT n shows VIF as IF and clears it", "[v86]") {
  V86 r(0);
  r.s().rflags_system |= rflags::vif;
  r.execute({0xCD, 0x21, 0xF4});
  CHECK(r.stopped_at() == 0x100);
  const uint16_t image = r.peek<uint16_t>(kStackTop - 2);
  CHECK((image & rflags::iopl) == rflags::iopl);
  CHECK((image & rflags::if_) != 0);
  CHECK((r.flags_then() & rflags::vif) == 0);
  CHECK((r.flags_then() & rflags::if_) != 0);
}

TEST_CASE("Below IOPL 3 an INT n that is not redirected is #GP", "[v86]") {
  for (const bool vme : {false, true}) {
    V86 r(0, vme);
    r.keep_from_program(0x21);
    r.execute({0xCD, 0x21});
    CHECK(r.stopped_at() == 0);
  }
}

TEST_CASE("CLI and STI below IOPL 3 work on VIF, and STI faults under VIP", "[v86]") {
  V86 sets(0);
  sets.execute({0xFB, 0xF4});
  CHECK(sets.stopped_at() == 1);
  CHECK((sets.flags_then() & rflags::vif) != 0);
  V86 clears(0);
  clears.s().rflags_system |= rflags::vif;
  clears.execute({0xFA, 0xF4});
  CHECK(clears.stopped_at() == 1);
  CHECK((clears.flags_then() & (rflags::vif | rflags::if_)) == rflags::if_);
  V86 pending(0);
  pending.s().rflags_system |= rflags::vip;
  pending.execute({0xFB, 0xF4});
  CHECK(pending.stopped_at() == 0);
  V86 without(0, false);
  without.execute({0xFB, 0xF4});
  CHECK(without.stopped_at() == 0);
}

TEST_CASE("PUSHF shows VIF as IF and IOPL as 3; PUSHFD is #GP", "[v86]") {
  for (const bool vif : {false, true}) {
    V86 r(0);
    if (vif) r.s().rflags_system |= rflags::vif;
    r.execute({0x9C, 0xF4});
    CHECK(r.stopped_at() == 1);
    const uint16_t image = r.peek<uint16_t>(kStackTop - 2);
    CHECK(((image & rflags::if_) != 0) == vif);
    CHECK((image & rflags::iopl) == rflags::iopl);
  }
  V86 wide(0);
  wide.execute({0x66, 0x9C});
  CHECK(wide.stopped_at() == 0);
}

TEST_CASE("POPF and IRET load VIF from IF, and fault for TF or under VIP", "[v86]") {
  struct Case {
    uint64_t image;
    bool vip;
    bool faults;
  };
  for (const bool iret : {false, true}) {
    for (const Case& c : {Case{rflags::if_ | rflags::cf, false, false}, Case{0, true, false},
                          Case{rflags::tf, false, true}, Case{rflags::if_, true, true}}) {
      CAPTURE(iret, c.image, c.vip);
      V86 r(0);
      if (c.vip) r.s().rflags_system |= rflags::vip;
      r.s().regs[arch::rsp] = kStackTop - 6;
      r.poke<uint16_t>(kStackTop - 6, iret ? 0x100 : static_cast<uint16_t>(c.image));
      r.poke<uint16_t>(kStackTop - 4, kSegment);
      r.poke<uint16_t>(kStackTop - 2, static_cast<uint16_t>(c.image));
      r.execute({iret ? 0xCF : 0x9D, 0xF4});
      CHECK(r.stopped_at() == (c.faults ? 0u : iret ? 0x100u : 1u));
      if (c.faults) continue;
      CHECK(((r.flags_then() & rflags::vif) != 0) == ((c.image & rflags::if_) != 0));
      CHECK((r.flags_then() & rflags::cf) == (c.image & rflags::cf));
      CHECK((r.flags_then() & rflags::if_) != 0);
      CHECK((r.flags_then() & rflags::iopl) == 0);
    }
  }
}

TEST_CASE("CR4.PVI gives protected mode at CPL 3 a VIF for CLI and STI", "[v86]") {
  for (const bool pvi : {false, true}) {
    Rig r;
    r.protected_mode(3);
    if (pvi) r.s().cr4 |= arch::cr4::pvi;
    r.run({0xFB, 0x90, 0xF4});  // STI; NOP; HLT
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(1, 4) == Rig::kCode + (pvi ? 2 : 0));
    CHECK(((r.frame(3, 4) & rflags::vif) != 0) == pvi);
  }
}
