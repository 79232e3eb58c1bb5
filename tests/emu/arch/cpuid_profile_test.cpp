// CPU profiles: leaves of the Skylake-SP identity, and that nothing unimplemented shows.
#include "emu/arch/cpuid_profile.h"

#include <catch2/catch.hpp>
#include <string>

using namespace vitrine::emu::arch;

namespace {

std::string text_of(uint32_t value) {
  std::string s;
  for (unsigned i = 0; i < 32; i += 8) s += static_cast<char>(value >> i & 0xFF);
  return s;
}

uint32_t reg_of(const CpuidResult& r, CpuidRegister reg) {
  const std::array<uint32_t, 4> all = {r.eax, r.ebx, r.ecx, r.edx};
  return all[static_cast<size_t>(reg)];
}

}  // namespace

TEST_CASE("CPUID names a GenuineIntel 06_55H stepping 4", "[arch][cpuid]") {
  const CpuidResult vendor = cpuid(kSkylakeSp, 0, 0, {});
  REQUIRE(text_of(vendor.ebx) + text_of(vendor.edx) + text_of(vendor.ecx) == "GenuineIntel");
  REQUIRE(vendor.eax == 0x16);
  REQUIRE(cpuid(kSkylakeSp, 1, 0, {}).eax == 0x50654);
  REQUIRE(cpuid(kSkylakeSp, 0x80000000, 0, {}).eax == 0x80000008);
  REQUIRE(cpuid(kSkylakeSp, 0x80000008, 0, {}).eax == 0x302E);
  REQUIRE(kSkylakeSp.microcode >= 0x02000014);
}

TEST_CASE("A CPUID bit shows exactly when the profile has the feature", "[arch][cpuid]") {
  for (const CpuProfile* profile : kProfiles) {
    for (const FeatureRow& row : kFeatures) {
      CAPTURE(std::string(row.name));
      CpuidInputs in;
      const CpuidResult r = cpuid(*profile, row.leaf, row.subleaf, in);
      const bool leaf_shows = row.leaf != 0xD || legal_xcr0(*profile) != 0;
      const bool bit_set = (reg_of(r, row.reg) >> row.position & 1) != 0;
      CHECK(bit_set == (leaf_shows && profile->has(row.feature)));
      if (!row.implemented) CHECK_FALSE(profile->has(row.feature));
      CHECK(((legal_cr4(*profile) & row.cr4) != 0) == (row.cr4 != 0 && profile->has(row.feature)));
    }
  }
}

TEST_CASE("skylake-sp shows no feature of later processors", "[arch][cpuid]") {
  REQUIRE_FALSE(kSkylakeSp.has(CpuFeature::sha));
  REQUIRE_FALSE(kSkylakeSp.has(CpuFeature::umip));
  REQUIRE_FALSE(kSkylakeSp.has(CpuFeature::rdpid));
  // AVX-512F, RTM, HLE, MPX and SGX: bits 16, 11, 4, 14, 2.
  REQUIRE((cpuid(kSkylakeSp, 7, 0, {}).ebx & 0x00014814) == 0);
}

TEST_CASE("CPUID follows CR4.OSXSAVE, the APIC enable, the mode and the APIC id", "[arch][cpuid]") {
  CpuidInputs in;
  REQUIRE((cpuid(kSkylakeSp, 1, 0, in).ecx >> 27 & 1) == 0);
  REQUIRE((cpuid(kSkylakeSp, 1, 0, in).edx >> 9 & 1) == 1);
  in = {.apic_id = 3, .processors = 4, .osxsave = true, .apic_enabled = false, .bit64 = false};
  const CpuidResult r = cpuid(kSkylakeSp, 1, 0, in);
  REQUIRE((r.ecx >> 27 & 1) == 1);
  REQUIRE((r.edx >> 9 & 1) == 0);
  REQUIRE((r.edx >> 28 & 1) == 1);
  REQUIRE(r.ebx == 0x03040800);
  REQUIRE((cpuid(kSkylakeSp, 0x80000001, 0, in).edx >> 11 & 1) == 0);
  const CpuidResult core = cpuid(kSkylakeSp, 0xB, 1, in);
  REQUIRE(core.eax == 2);
  REQUIRE(core.ebx == 4);
  REQUIRE(core.ecx == 0x201);
  REQUIRE(core.edx == 3);
}

TEST_CASE("A leaf above the highest answers as the highest basic leaf", "[arch][cpuid]") {
  const CpuidResult highest = cpuid(kSkylakeSp, 0x16, 0, {});
  REQUIRE(cpuid(kSkylakeSp, 0x17, 0, {}) == highest);
  REQUIRE(cpuid(kSkylakeSp, 0x40000000, 0, {}) == highest);
  REQUIRE(cpuid(kSkylakeSp, 0x80000009, 0, {}) == highest);
}

TEST_CASE("Caches are 32K, 32K, 1M and 22M", "[arch][cpuid]") {
  const std::array<uint32_t, 4> kKib = {32, 32, 1024, 22528};
  for (uint32_t i = 0; i < 4; ++i) {
    const CpuidResult r = cpuid(kSkylakeSp, 4, i, {});
    const uint64_t ways = (r.ebx >> 22) + 1;
    const uint64_t line = (r.ebx & 0xFFF) + 1;
    REQUIRE(ways * line * (uint64_t{r.ecx} + 1) == kKib[i] * uint64_t{1024});
  }
  REQUIRE((cpuid(kSkylakeSp, 4, 4, {}).eax & 0x1F) == 0);
}

TEST_CASE("The TSC frequency is the crystal times the ratio of leaf 15H", "[arch][cpuid]") {
  const CpuidResult r = cpuid(kSkylakeSp, 0x15, 0, {});
  REQUIRE(uint64_t{r.ecx} * r.ebx / r.eax == kSkylakeSp.tsc_hz());
  REQUIRE(cpuid(kSkylakeSp, 0x16, 0, {}).eax == kSkylakeSp.tsc_hz() / 1'000'000);
  REQUIRE((profile_msr(kSkylakeSp, msr::platform_info) >> 8 & 0xFF) == 20);
}

TEST_CASE("MSRs of features the profile lacks do not exist", "[arch][cpuid]") {
  CpuProfile plain = kSkylakeSp;
  plain.features = {};
  REQUIRE_FALSE(msr_exists(plain, msr::ia32_vmx_basic));
  REQUIRE_FALSE(msr_exists(plain, msr::ia32_spec_ctrl));
  REQUIRE(profile_msr(plain, msr::ia32_feature_control) == 1);
  plain.features[static_cast<size_t>(CpuFeature::vmx)] = true;
  REQUIRE(msr_exists(plain, msr::ia32_vmx_basic));
  REQUIRE(profile_msr(plain, msr::ia32_feature_control) == 5);
  REQUIRE(msr_exists(kSkylakeSp, msr::ia32_efer));
  REQUIRE_FALSE(msr_exists(kSkylakeSp, 0xC1));
}

TEST_CASE("The profile is an x86-64-v3 processor", "[arch][cpuid]") {
  for (const CpuFeature feature :
       {CpuFeature::avx, CpuFeature::avx2, CpuFeature::fma, CpuFeature::f16c, CpuFeature::bmi1,
        CpuFeature::bmi2, CpuFeature::lzcnt, CpuFeature::movbe, CpuFeature::xsave}) {
    CHECK(kSkylakeSp.has(feature));
  }
}

TEST_CASE("Leaf 0DH gives AVX state 256 bytes at 576, and sizes by XCR0", "[arch][cpuid]") {
  REQUIRE(legal_xcr0(kSkylakeSp) == 7);
  REQUIRE(cpuid(kSkylakeSp, 0xD, 0, {.xcr0 = 3}) == CpuidResult{7, 576, 832, 0});
  REQUIRE(cpuid(kSkylakeSp, 0xD, 0, {.xcr0 = 7}) == CpuidResult{7, 832, 832, 0});
  REQUIRE(cpuid(kSkylakeSp, 0xD, 1, {.xcr0 = 7}).ebx == 832);
  REQUIRE(cpuid(kSkylakeSp, 0xD, 2, {}) == CpuidResult{256, 576, 0, 0});
  REQUIRE(cpuid(kSkylakeSp, 0xD, 3, {}) == CpuidResult{});
}
