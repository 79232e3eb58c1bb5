// What the SDM leaves undefined, or the host's processor does differently, by our own rule; no oracle.
#include "tests/silicon/divergences.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <initializer_list>

#include "emu/arch/registers.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::test {
namespace {

namespace arch = emu::arch;
namespace rflags = emu::arch::rflags;

constexpr uint64_t kAllFlags = rflags::arithmetic;

/// One instruction on our processor, every flag set before it.
class Single {
 public:
  explicit Single(std::initializer_list<uint8_t> bytes, CodeSize size = CodeSize::bits64) {
    for (const uint8_t byte : bytes) case_.bytes[case_.length++] = byte;
    case_.size = size;
    case_.before.rflags |= kAllFlags;
    case_.before.gpr[arch::rsp] = kWindow + 0x1000;
  }
  Single& set(uint8_t number, uint64_t value) {
    case_.before.gpr[number] = value;
    return *this;
  }
  const Outcome& run() {
    emu::Insn insn;
    outcome_ = processor_.execute(case_, insn);
    return outcome_;
  }
  uint64_t flags() { return run().after.rflags & kAllFlags; }
  uint64_t gpr(uint8_t number) { return run().after.gpr[number]; }
  OurProcessor& processor() { return processor_; }
  emu::VectorState& vectors() {
    case_.with_vectors = true;
    return case_.before.vector;
  }

 private:
  Case case_;
  OurProcessor processor_;
  Outcome outcome_;
};

TEST_CASE("flags not compared with the host are undefined in the instruction's row", "[silicon]") {
  for (const auto& entry : undefined_flags()) {
    INFO(entry.mnemonic);
    bool found = false;
    for (const auto& row : emu::instruction_table()) {
      if (row.mnemonic != entry.mnemonic) continue;
      found = true;
      CHECK((entry.flags & ~uint64_t{row.flags.undefined}) == 0);
    }
    CHECK(found);
  }
}

TEST_CASE("AF is 0 after shifts", "[silicon]") {
  CHECK((Single({0xC1, 0xE0, 4}).set(arch::rax, 0x1F).flags() & rflags::af) == 0);
  CHECK((Single({0xC1, 0xE8, 4}).set(arch::rax, 0x1F).flags() & rflags::af) == 0);
  CHECK((Single({0xC1, 0xF8, 4}).set(arch::rax, 0x1F).flags() & rflags::af) == 0);
  CHECK((Single({0x0F, 0xA4, 0xC8, 4}).set(arch::rax, 0x1F).flags() & rflags::af) == 0);
  CHECK((Single({0x0F, 0xAC, 0xC8, 4}).set(arch::rax, 0x1F).flags() & rflags::af) == 0);
}

TEST_CASE("SHLD and SHRD of 16 bits by more than 16 shift the destination in again", "[silicon]") {
  // SHLD AX, CX, 20: the 48 bits 1234:ABCD:1234 shifted left by 20
  Single left({0x66, 0x0F, 0xA4, 0xC8, 20});
  left.set(arch::rax, 0x1234).set(arch::rcx, 0xABCD);
  CHECK(left.gpr(arch::rax) == 0xBCD1);
  Single right({0x66, 0x0F, 0xAC, 0xC8, 20});
  right.set(arch::rax, 0x1234).set(arch::rcx, 0xABCD);
  CHECK(right.gpr(arch::rax) == 0x4ABC);
}

TEST_CASE("BSF and BSR give ZF alone and keep the destination for 0", "[silicon]") {
  for (const uint8_t opcode : {uint8_t{0xBC}, uint8_t{0xBD}}) {
    Single zero({0x0F, opcode, 0xC1});
    zero.set(arch::rax, 0x123456789ABCDEF0).set(arch::rcx, 0);
    CHECK(zero.flags() == rflags::zf);
    CHECK(zero.gpr(arch::rax) == 0x123456789ABCDEF0);
    CHECK(Single({0x0F, opcode, 0xC1}).set(arch::rcx, 0x80).flags() == 0);
  }
}

TEST_CASE("TZCNT and LZCNT clear the undefined flags", "[silicon]") {
  CHECK(Single({0xF3, 0x0F, 0xBC, 0xC1}).set(arch::rcx, 0).flags() == rflags::cf);
  CHECK(Single({0xF3, 0x0F, 0xBC, 0xC1}).set(arch::rcx, 1).flags() == rflags::zf);
  CHECK(Single({0xF3, 0x0F, 0xBD, 0xC1}).set(arch::rcx, 0).flags() == rflags::cf);
  CHECK(Single({0xF3, 0x0F, 0xBD, 0xC1}).set(arch::rcx, 1).flags() == 0);
}

TEST_CASE("the BMI instructions clear the undefined flags", "[silicon]") {
  // ANDN EAX, ECX, EDX; BEXTR EAX, ECX, EDX; BLSI, BLSMSK, BLSR EAX, ECX; BZHI EAX, ECX, EDX
  CHECK(Single({0xC4, 0xE2, 0x70, 0xF2, 0xC2}).set(arch::rcx, 0).set(arch::rdx, 3).flags() == 0);
  CHECK(Single({0xC4, 0xE2, 0x68, 0xF7, 0xC1}).set(arch::rcx, 0x30).set(arch::rdx, 0x204).flags() ==
        0);
  CHECK(Single({0xC4, 0xE2, 0x78, 0xF3, 0xD9}).set(arch::rcx, 3).flags() == rflags::cf);
  CHECK(Single({0xC4, 0xE2, 0x78, 0xF3, 0xD1}).set(arch::rcx, 2).flags() == 0);
  CHECK(Single({0xC4, 0xE2, 0x78, 0xF3, 0xC9}).set(arch::rcx, 7).flags() == 0);
  CHECK(Single({0xC4, 0xE2, 0x68, 0xF5, 0xC1}).set(arch::rcx, 7).set(arch::rdx, 2).flags() == 0);
}

TEST_CASE("a product sets SF, ZF and PF by its low half and clears AF", "[silicon]") {
  Single small({0xF7, 0xE1});
  small.set(arch::rax, 3).set(arch::rcx, 1);
  CHECK(small.flags() == rflags::pf);
  Single negative({0xF7, 0xE1});
  negative.set(arch::rax, 0x80000001).set(arch::rcx, 1);
  CHECK(negative.flags() == rflags::sf);
  Single vanishing({0x0F, 0xAF, 0xC1});
  vanishing.set(arch::rax, 0x10000).set(arch::rcx, 0x10000);
  CHECK(vanishing.flags() == (rflags::cf | rflags::of | rflags::zf | rflags::pf));
}

TEST_CASE("a division clears the six flags", "[silicon]") {
  CHECK(Single({0xF7, 0xF1}).set(arch::rax, 7).set(arch::rcx, 2).flags() == 0);
  CHECK(Single({0xF7, 0xF9}).set(arch::rax, 7).set(arch::rcx, 2).flags() == 0);
}

TEST_CASE("decimal adjustments clear their undefined flags", "[silicon]") {
  const auto on = [](std::initializer_list<uint8_t> bytes, uint64_t rax) {
    return Single(bytes, CodeSize::bits32).set(arch::rax, rax).flags();
  };
  CHECK(on({0x37}, 0x0002) == (rflags::af | rflags::cf));
  CHECK(on({0x3F}, 0x0002) == (rflags::af | rflags::cf));
  CHECK((on({0x27}, 0x79) & rflags::of) == 0);
  CHECK((on({0x2F}, 0x79) & rflags::of) == 0);
  CHECK(on({0xD5, 0x0A}, 0x0101) == 0);
  CHECK(on({0xD4, 0x0A}, 0x000B) == 0);
}

TEST_CASE("POPA that faults on the way leaves every register", "[silicon]") {
  Single popa({0x61}, CodeSize::bits32);
  popa.set(arch::rsp, kUnmapped - 8).set(arch::rdi, 0x1234);
  const Outcome& end = popa.run();
  REQUIRE(end.faulted);
  CHECK(end.fault.vector == arch::Vector::page_fault);
  CHECK(end.fault_address == kUnmapped);
  CHECK(end.after.gpr[arch::rdi] == 0x1234);
  CHECK(end.after.gpr[arch::rsp] == kUnmapped - 8);
}

TEST_CASE("CMPS reads its source first", "[silicon]") {
  Single cmps({0xA6});
  cmps.set(arch::rsi, kUnmapped + 0x10).set(arch::rdi, kUnmapped + 0x20);
  CHECK(cmps.run().fault_address == kUnmapped + 0x10);
}

TEST_CASE("CALL judges its target before it pushes", "[silicon]") {
  Single call({0xFF, 0xD0});
  call.set(arch::rax, 0x8000'0000'0000'0000).set(arch::rsp, kUnmapped + 0x10);
  const Outcome& end = call.run();
  REQUIRE(end.faulted);
  CHECK(end.fault.vector == arch::Vector::general_protection);
  CHECK(end.after.rip == kEntry);
}

TEST_CASE("an operand-size prefix does not truncate a near branch in 64-bit mode", "[silicon]") {
  CHECK(Single({0x66, 0xEB, 0x10}).run().after.rip == kEntry + 0x13);
  CHECK(Single({0x66, 0xE9, 0x10, 0, 0, 0}).run().after.rip == kEntry + 0x16);
}

TEST_CASE("0F 0D with a register operand is a NOP", "[silicon]") {
  CHECK_FALSE(Single({0x0F, 0x0D, 0xC0}).run().faulted);
}

TEST_CASE("a gather that faults leaves a mask of whole elements, cleared above them", "[silicon]") {
  // VPGATHERDD XMM0, [RAX + XMM2 * 4], XMM1: the second element lies in nothing.
  Single gather({0xC4, 0xE2, 0x71, 0x90, 0x04, 0x90});
  gather.set(arch::rax, kUnmapped - 4);
  auto& ymm = gather.vectors().ymm;
  ymm[0] = {1, 2, 3, 4};
  ymm[1] = {0x8765432187654321, 0x8000000012345678, 5, 6};
  ymm[2] = {uint64_t{1} << 32, uint64_t{1} << 32, 0, 0};
  const Outcome& end = gather.run();
  REQUIRE(end.faulted);
  CHECK(end.fault_address == kUnmapped);
  CHECK(end.after.vector.ymm[0] == std::array<uint64_t, 4>{0, 2, 3, 4});
  CHECK(end.after.vector.ymm[1] ==
        std::array<uint64_t, 4>{0xFFFFFFFF00000000, 0xFFFFFFFF00000000, 0, 0});
}

TEST_CASE("bytes that VMASKMOVDQU leaves out do not fault", "[silicon]") {
  Single store({0xC5, 0xF9, 0xF7, 0xC1});
  store.set(arch::rdi, kReadOnly - 8);
  store.vectors().ymm[0] = {0x1122334455667788, 0x99, 0, 0};
  store.vectors().ymm[1] = {0x8080808080808080, 0, 0, 0};
  CHECK_FALSE(store.run().faulted);
}

TEST_CASE("VRCPPS and VRSQRTPS give one value within the manual's bound", "[silicon]") {
  for (const uint8_t opcode : {uint8_t{0x52}, uint8_t{0x53}}) {
    Single estimate({0xC5, 0xFC, opcode, 0xC1});
    estimate.vectors().ymm[1].fill(0x4080000040800000);  // 4.0
    for (const uint64_t pair : estimate.run().after.vector.ymm[0]) {
      const auto value = double{std::bit_cast<float>(static_cast<uint32_t>(pair))};
      const double exact = opcode == 0x52 ? 0.5 : 0.25;
      CHECK(std::fabs(value - exact) <= exact * 1.5 / 4096);
      CHECK(pair >> 32 == (pair & 0xFFFFFFFF));
    }
  }
}

TEST_CASE("LDMXCSR refuses bit 17", "[silicon]") {
  Single load({0x0F, 0xAE, 0x10});
  load.set(arch::rax, kWindow + 0x400);
  load.processor().memory()[0x402] = 2;
  const Outcome& end = load.run();
  REQUIRE(end.faulted);
  CHECK(end.fault.vector == arch::Vector::general_protection);
}

}  // namespace
}  // namespace vitrine::test
