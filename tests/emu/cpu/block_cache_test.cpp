// BlockCache: code whose bytes change is decoded again, however its two pages lie.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;

namespace {

/// The two linear pages behind kPage, mapped as told, with MOV EAX, 11223344H and HLT across them.
struct Crossing : Rig {
  static constexpr uint64_t kEntry = kPage + 0xFFD;
  uint64_t first, second;

  Crossing(uint64_t first_page, uint64_t second_page) : first(first_page), second(second_page) {
    long_mode();
    poke<uint64_t>(kPt, first | 7);
    poke<uint64_t>(kPt + 8, second | 7);
    poke<uint8_t>(first + 0xFFD, 0xB8);
    poke<uint16_t>(first + 0xFFE, 0x3344);
    poke<uint16_t>(second, 0x1122);
    poke<uint8_t>(second + 2, 0xF4);
  }
  uint64_t eax_after(uint64_t entry = kEntry) {
    s().regs[arch::rax] = 0;
    s().set_rip(entry);
    s().activity = Activity::active;
    cpu.attention();
    cpu.run(RunLimits{.max_retired = s().retired + 40});
    REQUIRE(s().activity == Activity::hlt);
    return s().regs[arch::rax];
  }
};

void check_rewriting(uint64_t first_page, uint64_t second_page) {
  CAPTURE(first_page, second_page);
  Crossing r(first_page, second_page);
  CHECK(r.eax_after() == 0x11223344);
  r.poke<uint16_t>(r.second, 0x5566);
  CHECK(r.eax_after() == 0x55663344);
  r.poke<uint16_t>(r.first + 0xFFE, 0x7788);
  CHECK(r.eax_after() == 0x55667788);

  // A neighbour in each page comes and goes; what is left is still watched.
  for (const uint64_t page : {first_page, second_page}) {
    const uint64_t linear = Rig::kPage + (page == first_page ? 0 : 0x1000) + 0x800;
    r.poke<uint8_t>(page + 0x800, 0xF4);
    r.eax_after(linear);
    r.poke<uint16_t>(page + 0x800, 0xF490);
    r.eax_after(linear);
  }
  CHECK(r.eax_after() == 0x55667788);
  r.poke<uint16_t>(r.second, 0x99AA);
  CHECK(r.eax_after() == 0x99AA7788);

  // Freed blocks have left every list.
  r.blocks.collect();
  r.poke<uint16_t>(r.second, 0);
  CHECK(r.eax_after() == 0x7788);
}

}  // namespace

TEST_CASE("an instruction across two pages is decoded again when either part changes", "[blocks]") {
  check_rewriting(Rig::kPage, Rig::kPage + 0x5000);
}

TEST_CASE("both halves of an instruction may lie in one physical page", "[blocks]") {
  check_rewriting(Rig::kPage, Rig::kPage);
}

TEST_CASE("the second half of an instruction may lie in physical page 0", "[blocks]") {
  check_rewriting(Rig::kPage, 0);
}
