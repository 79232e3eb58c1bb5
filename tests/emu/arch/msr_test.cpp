// MSR table: numbers and values that the manual prints.
#include "emu/arch/msr.h"

#include <catch2/catch.hpp>

using namespace vitrine::emu::arch;

TEST_CASE("MSRs are found by number, runs included", "[arch]") {
  REQUIRE(find_msr(0x1B)->name == "IA32_APIC_BASE");
  REQUIRE(find_msr(0xC0000102)->name == "IA32_KERNEL_GS_BASE");
  REQUIRE(find_msr(0x213)->name == "IA32_MTRR_PHYS");
  REQUIRE(find_msr(0x214) == nullptr);
  REQUIRE(find_msr(0x827)->name == "IA32_X2APIC_IRR");
  REQUIRE(find_msr(0x80E) == nullptr);
  REQUIRE(find_msr(0x831) == nullptr);
  REQUIRE(find_msr(0xFFFFFFFF) == nullptr);
}

TEST_CASE("What kernels touch on 06_55H without asking CPUID exists and does nothing", "[arch]") {
  for (const uint32_t number : {0x710u, 0x71Au, 0xA40u, 0xAFFu}) {
    CAPTURE(number);
    REQUIRE(find_msr(number) != nullptr);
    CHECK(find_msr(number)->kind == MsrKind::ignored);
  }
  REQUIRE(find_msr(0x300) != nullptr);
  CHECK((find_msr(0x300)->reset & bit(63)) == 0);  // no bus numbers
  CHECK(find_msr(0xB00) == nullptr);
}

TEST_CASE("IA32_PAT takes only encodable memory types in every byte", "[arch]") {
  REQUIRE(valid_pat(0x0007040600070406));
  REQUIRE(valid_pat(0x0606060606060607));
  REQUIRE_FALSE(valid_pat(0x0007040600070402));
  REQUIRE_FALSE(valid_pat(0x0307040600070406));
  REQUIRE_FALSE(valid_pat(0x0807040600070406));
}

TEST_CASE("MTRR writes are checked for type and reserved bits", "[arch]") {
  REQUIRE(mtrr::valid_base(0x0000000080000006, 46));
  REQUIRE_FALSE(mtrr::valid_base(0x0000000080000007, 46));
  REQUIRE_FALSE(mtrr::valid_base(0x0000000080000106, 46));
  REQUIRE_FALSE(mtrr::valid_base(bit(46) | 6, 46));
  REQUIRE(mtrr::valid_mask(0x00003FFF80000800, 46));
  REQUIRE_FALSE(mtrr::valid_mask(0x00003FFF80000C00 | 1, 46));
  REQUIRE(mtrr::valid_fixed(0x0606060606060606));
  REQUIRE_FALSE(mtrr::valid_fixed(0x0606060606060602));
  REQUIRE(mtrr::valid_def_type(0xC06));
  REQUIRE_FALSE(mtrr::valid_def_type(0x1C06));
  REQUIRE_FALSE(mtrr::valid_def_type(0xC07));
}
