// CPU profiles: which features a processor shows, and from that every CPUID leaf and legal control
// bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/arch/bits.h"
#include "emu/arch/msr.h"
#include "emu/arch/registers.h"
#include "emu/arch/vmx_controls.h"

namespace vitrine::emu::arch {

/// Output registers of CPUID.
struct CpuidResult {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;

  friend constexpr bool operator==(const CpuidResult&, const CpuidResult&) = default;
};
enum class CpuidRegister : uint8_t { eax, ebx, ecx, edx };

enum class CpuFeature : uint8_t {
  // clang-format off
  fpu, vme, de, pse, tsc, msr, pae, mce, cx8, apic, sep, mtrr, pge, mca, cmov, pat, pse36, clfsh,
  mmx, fxsr, sse, sse2, ss,
  sse3, pclmulqdq, monitor, vmx, ssse3, fma, cx16, pcid, sse41, sse42, x2apic, movbe, popcnt,
  tsc_deadline, aes, xsave, avx, f16c, rdrand,
  arat,
  fsgsbase, tsc_adjust, bmi1, avx2, fdp_excptn_only, smep, bmi2, erms, invpcid, fpu_cs_ds_deprecated,
  rdseed, adx, smap, clflushopt, clwb, sha,
  umip, rdpid,
  md_clear, spec_ctrl, stibp, flush_l1d, arch_capabilities, ssbd,
  xsaveopt, xsavec, xgetbv1, xsaves,
  lahf, lzcnt, prefetchw, syscall, nx, pages_1g, rdtscp, lm,
  invariant_tsc,
  // clang-format on
};
inline constexpr size_t kFeatureCount = static_cast<size_t>(CpuFeature::invariant_tsc) + 1;

/// Which identities have the feature: a Skylake-SP, or only the profile that shows all we
/// implement.
enum class Shown : uint8_t { skylake_sp, max };

/// One feature. `implemented` gates everything: its CPUID bit, its CR4 bits and its XCR0 bits.
struct FeatureRow {
  CpuFeature feature;
  std::string_view name;
  uint32_t leaf;
  uint8_t subleaf;
  CpuidRegister reg;
  uint8_t position;
  Shown shown;
  bool implemented;
  uint64_t cr4 = 0;
  uint64_t xcr0 = 0;
};

/// SDM "XCR0".
namespace xcr0 {
inline constexpr uint64_t x87 = bit(0);
inline constexpr uint64_t sse = bit(1);
inline constexpr uint64_t avx = bit(2);
}  // namespace xcr0

// clang-format off
inline constexpr auto kFeatures = std::to_array<FeatureRow>({
    {CpuFeature::fpu,          "FPU",          1, 0, CpuidRegister::edx,  0, Shown::skylake_sp, true},
    {CpuFeature::vme,          "VME",          1, 0, CpuidRegister::edx,  1, Shown::skylake_sp, true, cr4::vme | cr4::pvi},
    {CpuFeature::de,           "DE",           1, 0, CpuidRegister::edx,  2, Shown::skylake_sp, true,  cr4::de},
    {CpuFeature::pse,          "PSE",          1, 0, CpuidRegister::edx,  3, Shown::skylake_sp, true,  cr4::pse},
    {CpuFeature::tsc,          "TSC",          1, 0, CpuidRegister::edx,  4, Shown::skylake_sp, true,  cr4::tsd},
    {CpuFeature::msr,          "MSR",          1, 0, CpuidRegister::edx,  5, Shown::skylake_sp, true},
    {CpuFeature::pae,          "PAE",          1, 0, CpuidRegister::edx,  6, Shown::skylake_sp, true,  cr4::pae},
    {CpuFeature::mce,          "MCE",          1, 0, CpuidRegister::edx,  7, Shown::skylake_sp, true,  cr4::mce},
    {CpuFeature::cx8,          "CX8",          1, 0, CpuidRegister::edx,  8, Shown::skylake_sp, true},
    {CpuFeature::apic,         "APIC",         1, 0, CpuidRegister::edx,  9, Shown::skylake_sp, true},
    {CpuFeature::sep,          "SEP",          1, 0, CpuidRegister::edx, 11, Shown::skylake_sp, true},
    {CpuFeature::mtrr,         "MTRR",         1, 0, CpuidRegister::edx, 12, Shown::skylake_sp, true},
    {CpuFeature::pge,          "PGE",          1, 0, CpuidRegister::edx, 13, Shown::skylake_sp, true,  cr4::pge},
    {CpuFeature::mca,          "MCA",          1, 0, CpuidRegister::edx, 14, Shown::skylake_sp, true},
    {CpuFeature::cmov,         "CMOV",         1, 0, CpuidRegister::edx, 15, Shown::skylake_sp, true},
    {CpuFeature::pat,          "PAT",          1, 0, CpuidRegister::edx, 16, Shown::skylake_sp, true},
    {CpuFeature::pse36,        "PSE-36",       1, 0, CpuidRegister::edx, 17, Shown::skylake_sp, true},
    {CpuFeature::clfsh,        "CLFSH",        1, 0, CpuidRegister::edx, 19, Shown::skylake_sp, true},
    {CpuFeature::mmx,          "MMX",          1, 0, CpuidRegister::edx, 23, Shown::skylake_sp, true},
    {CpuFeature::fxsr,         "FXSR",         1, 0, CpuidRegister::edx, 24, Shown::skylake_sp, true,  cr4::osfxsr},
    {CpuFeature::sse,          "SSE",          1, 0, CpuidRegister::edx, 25, Shown::skylake_sp, true,  cr4::osxmmexcpt},
    {CpuFeature::sse2,         "SSE2",         1, 0, CpuidRegister::edx, 26, Shown::skylake_sp, true},
    {CpuFeature::ss,           "SS",           1, 0, CpuidRegister::edx, 27, Shown::skylake_sp, true},

    {CpuFeature::sse3,         "SSE3",         1, 0, CpuidRegister::ecx,  0, Shown::skylake_sp, true},
    {CpuFeature::pclmulqdq,    "PCLMULQDQ",    1, 0, CpuidRegister::ecx,  1, Shown::skylake_sp, true},
    {CpuFeature::monitor,      "MONITOR",      1, 0, CpuidRegister::ecx,  3, Shown::skylake_sp, false},
    {CpuFeature::vmx,          "VMX",          1, 0, CpuidRegister::ecx,  5, Shown::skylake_sp, true, cr4::vmxe},
    {CpuFeature::ssse3,        "SSSE3",        1, 0, CpuidRegister::ecx,  9, Shown::skylake_sp, true},
    {CpuFeature::fma,          "FMA",          1, 0, CpuidRegister::ecx, 12, Shown::skylake_sp, true},
    {CpuFeature::cx16,         "CMPXCHG16B",   1, 0, CpuidRegister::ecx, 13, Shown::skylake_sp, true},
    {CpuFeature::pcid,         "PCID",         1, 0, CpuidRegister::ecx, 17, Shown::skylake_sp, true, cr4::pcide},
    {CpuFeature::sse41,        "SSE4.1",       1, 0, CpuidRegister::ecx, 19, Shown::skylake_sp, true},
    {CpuFeature::sse42,        "SSE4.2",       1, 0, CpuidRegister::ecx, 20, Shown::skylake_sp, true},
    {CpuFeature::x2apic,       "x2APIC",       1, 0, CpuidRegister::ecx, 21, Shown::skylake_sp, true},
    {CpuFeature::movbe,        "MOVBE",        1, 0, CpuidRegister::ecx, 22, Shown::skylake_sp, true},
    {CpuFeature::popcnt,       "POPCNT",       1, 0, CpuidRegister::ecx, 23, Shown::skylake_sp, true},
    {CpuFeature::tsc_deadline, "TSC-Deadline", 1, 0, CpuidRegister::ecx, 24, Shown::skylake_sp, true},
    {CpuFeature::aes,          "AESNI",        1, 0, CpuidRegister::ecx, 25, Shown::skylake_sp, true},
    {CpuFeature::xsave,        "XSAVE",        1, 0, CpuidRegister::ecx, 26, Shown::skylake_sp, true, cr4::osxsave, xcr0::x87 | xcr0::sse},
    {CpuFeature::avx,          "AVX",          1, 0, CpuidRegister::ecx, 28, Shown::skylake_sp, true, 0, xcr0::avx},
    {CpuFeature::f16c,         "F16C",         1, 0, CpuidRegister::ecx, 29, Shown::skylake_sp, true},
    {CpuFeature::rdrand,       "RDRAND",       1, 0, CpuidRegister::ecx, 30, Shown::skylake_sp, true},

    {CpuFeature::arat,         "ARAT",         6, 0, CpuidRegister::eax,  2, Shown::skylake_sp, true},

    {CpuFeature::fsgsbase,     "FSGSBASE",     7, 0, CpuidRegister::ebx,  0, Shown::skylake_sp, true, cr4::fsgsbase},
    {CpuFeature::tsc_adjust,   "IA32_TSC_ADJUST", 7, 0, CpuidRegister::ebx, 1, Shown::skylake_sp, true},
    {CpuFeature::bmi1,         "BMI1",         7, 0, CpuidRegister::ebx,  3, Shown::skylake_sp, true},
    {CpuFeature::avx2,         "AVX2",         7, 0, CpuidRegister::ebx,  5, Shown::skylake_sp, true},
    {CpuFeature::fdp_excptn_only, "FDP_EXCPTN_ONLY", 7, 0, CpuidRegister::ebx, 6, Shown::skylake_sp, true},
    {CpuFeature::smep,         "SMEP",         7, 0, CpuidRegister::ebx,  7, Shown::skylake_sp, true,  cr4::smep},
    {CpuFeature::bmi2,         "BMI2",         7, 0, CpuidRegister::ebx,  8, Shown::skylake_sp, true},
    {CpuFeature::erms,         "ERMS",         7, 0, CpuidRegister::ebx,  9, Shown::skylake_sp, true},
    {CpuFeature::invpcid,      "INVPCID",      7, 0, CpuidRegister::ebx, 10, Shown::skylake_sp, true},
    {CpuFeature::fpu_cs_ds_deprecated, "FPU CS/DS deprecated", 7, 0, CpuidRegister::ebx, 13, Shown::skylake_sp, true},
    {CpuFeature::rdseed,       "RDSEED",       7, 0, CpuidRegister::ebx, 18, Shown::skylake_sp, true},
    {CpuFeature::adx,          "ADX",          7, 0, CpuidRegister::ebx, 19, Shown::skylake_sp, true},
    {CpuFeature::smap,         "SMAP",         7, 0, CpuidRegister::ebx, 20, Shown::skylake_sp, true,  cr4::smap},
    {CpuFeature::clflushopt,   "CLFLUSHOPT",   7, 0, CpuidRegister::ebx, 23, Shown::skylake_sp, true},
    {CpuFeature::clwb,         "CLWB",         7, 0, CpuidRegister::ebx, 24, Shown::skylake_sp, true},
    {CpuFeature::sha,          "SHA",          7, 0, CpuidRegister::ebx, 29, Shown::max,        false},
    {CpuFeature::umip,         "UMIP",         7, 0, CpuidRegister::ecx,  2, Shown::max,        false, cr4::umip},
    {CpuFeature::rdpid,        "RDPID",        7, 0, CpuidRegister::ecx, 22, Shown::max,        false},
    {CpuFeature::md_clear,     "MD_CLEAR",     7, 0, CpuidRegister::edx, 10, Shown::skylake_sp, true},
    {CpuFeature::spec_ctrl,    "IBRS_IBPB",    7, 0, CpuidRegister::edx, 26, Shown::skylake_sp, true},
    {CpuFeature::stibp,        "STIBP",        7, 0, CpuidRegister::edx, 27, Shown::skylake_sp, true},
    {CpuFeature::flush_l1d,    "L1D_FLUSH",    7, 0, CpuidRegister::edx, 28, Shown::skylake_sp, true},
    {CpuFeature::arch_capabilities, "IA32_ARCH_CAPABILITIES", 7, 0, CpuidRegister::edx, 29, Shown::skylake_sp, true},
    {CpuFeature::ssbd,         "SSBD",         7, 0, CpuidRegister::edx, 31, Shown::skylake_sp, true},

    {CpuFeature::xsaveopt,     "XSAVEOPT",   0xD, 1, CpuidRegister::eax,  0, Shown::skylake_sp, true},
    {CpuFeature::xsavec,       "XSAVEC",     0xD, 1, CpuidRegister::eax,  1, Shown::skylake_sp, true},
    {CpuFeature::xgetbv1,      "XGETBV_ECX_1", 0xD, 1, CpuidRegister::eax, 2, Shown::skylake_sp, true},
    {CpuFeature::xsaves,       "XSAVES",     0xD, 1, CpuidRegister::eax,  3, Shown::skylake_sp, true},

    {CpuFeature::lahf,         "LAHF64", 0x80000001, 0, CpuidRegister::ecx,  0, Shown::skylake_sp, true},
    {CpuFeature::lzcnt,        "LZCNT",  0x80000001, 0, CpuidRegister::ecx,  5, Shown::skylake_sp, true},
    {CpuFeature::prefetchw,    "PREFETCHW", 0x80000001, 0, CpuidRegister::ecx, 8, Shown::skylake_sp, true},
    {CpuFeature::syscall,      "SYSCALL", 0x80000001, 0, CpuidRegister::edx, 11, Shown::skylake_sp, true},
    {CpuFeature::nx,           "NX",     0x80000001, 0, CpuidRegister::edx, 20, Shown::skylake_sp, true},
    {CpuFeature::pages_1g,     "1-GByte pages", 0x80000001, 0, CpuidRegister::edx, 26, Shown::skylake_sp, true},
    {CpuFeature::rdtscp,       "RDTSCP", 0x80000001, 0, CpuidRegister::edx, 27, Shown::skylake_sp, true},
    {CpuFeature::lm,           "LM",     0x80000001, 0, CpuidRegister::edx, 29, Shown::skylake_sp, true},
    {CpuFeature::invariant_tsc, "Invariant TSC", 0x80000007, 0, CpuidRegister::edx, 8, Shown::skylake_sp, true},
});
// clang-format on

constexpr bool features_in_enum_order() {
  for (size_t i = 0; i < kFeatures.size(); ++i) {
    if (static_cast<size_t>(kFeatures[i].feature) != i) return false;
  }
  return kFeatures.size() == kFeatureCount;
}
static_assert(features_in_enum_order());

/// A processor identity. Timing is chosen separately.
struct CpuProfile {
  std::string_view name;
  std::string_view brand;  ///< at most 47 characters
  uint32_t signature;      ///< CPUID.1:EAX
  uint32_t microcode;      ///< IA32_BIOS_SIGN_ID bits 63:32 after CPUID.1
  uint8_t physical_bits;
  uint8_t linear_bits;
  uint32_t crystal_hz;     ///< also the clock of the local APIC timer
  uint32_t tsc_numerator;  ///< TSC = crystal × numerator / denominator
  uint32_t tsc_denominator;
  std::array<bool, kFeatureCount> features;

  constexpr bool has(CpuFeature f) const { return features[static_cast<size_t>(f)]; }
  constexpr uint64_t tsc_hz() const {
    return uint64_t{crystal_hz} * tsc_numerator / tsc_denominator;
  }
  constexpr uint64_t physical_mask() const { return bit(physical_bits) - 1; }
};

constexpr std::array<bool, kFeatureCount> implemented_features(Shown identity) {
  std::array<bool, kFeatureCount> set{};
  for (const FeatureRow& row : kFeatures) {
    set[static_cast<size_t>(row.feature)] = row.implemented && row.shown <= identity;
  }
  return set;
}

/// Skylake-SP, 06_55H stepping 4, without AVX-512, MPX, PKU, TSX and SGX.
inline constexpr CpuProfile kSkylakeSp = {
    .name = "skylake-sp",
    .brand = "Intel(R) Xeon(R) Processor (Skylake, Vitrine)",
    .signature = 0x00050654,
    // At least 02000014H: older updates of this stepping have a TSC-deadline erratum, and system
    // software reports anything below the last published update as outdated.
    .microcode = 0x0200FF00,
    .physical_bits = 46,
    .linear_bits = 48,
    .crystal_hz = 25'000'000,
    .tsc_numerator = 160,
    .tsc_denominator = 2,
    .features = implemented_features(Shown::skylake_sp),
};

constexpr CpuProfile make_max() {
  CpuProfile profile = kSkylakeSp;
  profile.name = "max";
  profile.brand = "Intel(R) Xeon(R) Processor (Vitrine max)";
  profile.features = implemented_features(Shown::max);
  return profile;
}
/// Everything implemented, features of later processors included.
inline constexpr CpuProfile kMax = make_max();
static_assert(kSkylakeSp.brand.size() <= 47 && kSkylakeSp.tsc_hz() == 2'000'000'000);

inline constexpr std::array<const CpuProfile*, 2> kProfiles = {&kSkylakeSp, &kMax};

/// By name; null if there is none.
constexpr const CpuProfile* find_profile(std::string_view name) {
  for (const CpuProfile* profile : kProfiles) {
    if (profile->name == name) return profile;
  }
  return nullptr;
}

/// CR4 bits that MOV CR4 accepts; the others are #GP. PCE and OSFXSR's companions need no feature.
constexpr uint64_t legal_cr4(const CpuProfile& profile) {
  uint64_t legal = cr4::pce;
  for (const FeatureRow& row : kFeatures) {
    if (profile.has(row.feature)) legal |= row.cr4;
  }
  return legal;
}

/// XCR0 bits that XSETBV accepts (x87 must always be set); 0 without XSAVE.
constexpr uint64_t legal_xcr0(const CpuProfile& profile) {
  uint64_t legal = 0;
  for (const FeatureRow& row : kFeatures) {
    if (profile.has(row.feature)) legal |= row.xcr0;
  }
  return profile.has(CpuFeature::xsave) ? legal : 0;
}

/// EFER bits that WRMSR accepts.
constexpr uint64_t legal_efer(const CpuProfile& profile) {
  return (profile.has(CpuFeature::syscall) ? efer::sce : 0) |
         (profile.has(CpuFeature::lm) ? efer::lme | efer::lma : 0) |
         (profile.has(CpuFeature::nx) ? efer::nxe : 0);
}

/// What CPUID depends on besides the profile.
struct CpuidInputs {
  uint32_t apic_id = 0;
  uint32_t processors = 1;   ///< logical processors of the package, one thread per core
  bool osxsave = false;      ///< CR4.OSXSAVE
  bool apic_enabled = true;  ///< IA32_APIC_BASE bit 11
  bool bit64 = true;         ///< executed in 64-bit mode: Intel shows SYSCALL only there
  uint64_t xcr0 = xcr0::x87;
  uint64_t xss = 0;
};

namespace detail {

/// The feature bits of one register.
constexpr uint32_t feature_bits(const CpuProfile& profile, uint32_t leaf, uint32_t subleaf,
                                CpuidRegister reg) {
  uint32_t value = 0;
  for (const FeatureRow& row : kFeatures) {
    if (row.leaf == leaf && row.subleaf == subleaf && row.reg == reg && profile.has(row.feature)) {
      value |= 1u << row.position;
    }
  }
  return value;
}
constexpr CpuidResult feature_leaf(const CpuProfile& profile, uint32_t leaf, uint32_t subleaf) {
  return {feature_bits(profile, leaf, subleaf, CpuidRegister::eax),
          feature_bits(profile, leaf, subleaf, CpuidRegister::ebx),
          feature_bits(profile, leaf, subleaf, CpuidRegister::ecx),
          feature_bits(profile, leaf, subleaf, CpuidRegister::edx)};
}

/// Four characters, first one lowest.
constexpr uint32_t text(std::string_view s, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    const uint8_t c = at + i < s.size() ? static_cast<uint8_t>(s[at + i]) : 0;
    value |= uint32_t{c} << (8 * i);
  }
  return value;
}

/// Bits needed to number `n` things.
constexpr uint32_t width_for(uint32_t n) {
  uint32_t width = 0;
  while ((uint64_t{1} << width) < n) ++width;
  return width;
}

/// SDM "Deterministic Cache Parameters Leaf". `ways`, `sets` of 64-byte lines.
struct CacheRow {
  uint8_t type;  ///< 1 data, 2 instruction, 3 unified
  uint8_t level;
  uint16_t ways;
  uint32_t sets;
  bool shared;  ///< by the package
  bool complex_indexing;
};
// Skylake-SP: 32 KiB L1, 1 MiB L2; 22 MiB L3 (16 slices of 1.375 MiB), not inclusive.
inline constexpr std::array<CacheRow, 4> kCaches = {{{1, 1, 8, 64, false, false},
                                                     {2, 1, 8, 64, false, false},
                                                     {3, 2, 16, 1024, false, false},
                                                     {3, 3, 11, 32768, true, true}}};

constexpr CpuidResult cache_leaf(uint32_t subleaf, const CpuidInputs& in) {
  if (subleaf >= kCaches.size()) return {};
  const CacheRow& c = kCaches[subleaf];
  const uint32_t package = (1u << width_for(in.processors)) - 1;
  return {
      c.type | uint32_t{c.level} << 5 | 1u << 8 | (c.shared ? package : 0) << 14 | package << 26,
      63u | uint32_t{c.ways - 1u} << 22, c.sets - 1, c.complex_indexing ? 4u : 0u};
}

/// SDM "Extended Topology Enumeration Leaf".
constexpr CpuidResult topology_leaf(uint32_t subleaf, const CpuidInputs& in) {
  CpuidResult r{0, 0, subleaf & 0xFF, in.apic_id};
  if (subleaf == 0) {
    r.ebx = 1;
    r.ecx |= 1u << 8;
  } else if (subleaf == 1) {
    r.eax = width_for(in.processors);
    r.ebx = in.processors;
    r.ecx |= 2u << 8;
  }
  return r;
}

/// SDM "Processor Extended State Enumeration Main Leaf": area of the components in `mask`.
constexpr uint32_t xsave_size(uint64_t mask) { return (mask & xcr0::avx) != 0 ? 832 : 576; }

constexpr CpuidResult xsave_leaf(const CpuProfile& profile, uint32_t subleaf,
                                 const CpuidInputs& in) {
  const uint64_t legal = legal_xcr0(profile);
  if (legal == 0) return {};
  if (subleaf == 0) {
    return {static_cast<uint32_t>(legal), xsave_size(in.xcr0), xsave_size(legal), 0};
  }
  if (subleaf == 1) {
    CpuidResult r = feature_leaf(profile, 0xD, 1);
    r.ebx = profile.has(CpuFeature::xsavec) ? xsave_size(in.xcr0 | in.xss) : 0;
    return r;
  }
  if (subleaf == 2 && (legal & xcr0::avx) != 0) return {256, 576, 0, 0};
  return {};
}

constexpr CpuidResult version_leaf(const CpuProfile& profile, const CpuidInputs& in) {
  CpuidResult r = feature_leaf(profile, 1, 0);
  r.eax = profile.signature;
  const uint32_t ids = 1u << width_for(in.processors);
  r.ebx = 8u << 8 | (ids > 255 ? 255u : ids) << 16 | in.apic_id << 24;
  if (in.processors > 1) r.edx |= 1u << 28;
  if (!in.apic_enabled) r.edx &= ~(1u << 9);
  if (in.osxsave) r.ecx |= 1u << 27;
  return r;
}

constexpr CpuidResult brand_leaf(const CpuProfile& profile, uint32_t leaf) {
  const size_t at = (leaf - 0x80000002) * size_t{16};
  return {text(profile.brand, at), text(profile.brand, at + 4), text(profile.brand, at + 8),
          text(profile.brand, at + 12)};
}

}  // namespace detail

inline constexpr uint32_t kMaxBasicLeaf = 0x16;
inline constexpr uint32_t kMaxExtendedLeaf = 0x80000008;

/// SDM "CPUID—CPU Identification". A leaf above the highest answers as the highest basic leaf does.
constexpr CpuidResult cpuid(const CpuProfile& profile, uint32_t leaf, uint32_t subleaf,
                            const CpuidInputs& in) {
  const bool extended = leaf >= 0x80000000;
  if (extended ? leaf > kMaxExtendedLeaf : leaf > kMaxBasicLeaf) leaf = kMaxBasicLeaf;
  constexpr std::string_view kVendor = "GenuineIntel";
  const auto mhz = static_cast<uint32_t>(profile.tsc_hz() / 1'000'000);
  switch (leaf) {
    case 0x00:
      return {kMaxBasicLeaf, detail::text(kVendor, 0), detail::text(kVendor, 8),
              detail::text(kVendor, 4)};
    case 0x01: return detail::version_leaf(profile, in);
    // TLB and prefetch descriptors of the family; FFH sends the reader to leaf 4.
    case 0x02: return {0x76036301, 0x00F0B5FF, 0, 0x00C30000};
    case 0x04: return detail::cache_leaf(subleaf, in);
    case 0x05:
      return profile.has(CpuFeature::monitor) ? CpuidResult{64, 64, 3, 0x20} : CpuidResult{};
    case 0x06: return detail::feature_leaf(profile, 6, 0);
    case 0x07: return subleaf == 0 ? detail::feature_leaf(profile, 7, 0) : CpuidResult{};
    case 0x0B: return detail::topology_leaf(subleaf, in);
    case 0x0D: return detail::xsave_leaf(profile, subleaf, in);
    case 0x15: return {profile.tsc_denominator, profile.tsc_numerator, profile.crystal_hz, 0};
    case 0x16: return {mhz, mhz, 100, 0};
    case 0x80000000: return {kMaxExtendedLeaf, 0, 0, 0};
    case 0x80000001: {
      CpuidResult r = detail::feature_leaf(profile, leaf, 0);
      if (!in.bit64) r.edx &= ~(1u << 11);
      return r;
    }
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: return detail::brand_leaf(profile, leaf);
    // 1 MiB of L2, 16 ways (encoded 8), 64-byte lines.
    case 0x80000006: return {0, 0, 1024u << 16 | 8u << 12 | 64, 0};
    case 0x80000007: return detail::feature_leaf(profile, leaf, 0);
    case 0x80000008: return {profile.physical_bits | uint32_t{profile.linear_bits} << 8, 0, 0, 0};
    default: return {};
  }
}

/// SDM "IA32_ARCH_CAPABILITIES": none of the known transient-execution weaknesses is present.
namespace arch_capabilities {
// clang-format off
inline constexpr uint64_t rdcl_no           = bit(0);
inline constexpr uint64_t ibrs_all          = bit(1);
inline constexpr uint64_t skip_l1dfl_vmentry = bit(3);
inline constexpr uint64_t ssb_no            = bit(4);
inline constexpr uint64_t mds_no            = bit(5);
inline constexpr uint64_t if_pschange_mc_no = bit(6);
inline constexpr uint64_t taa_no            = bit(8);
inline constexpr uint64_t sbdr_ssdp_no      = bit(13);
inline constexpr uint64_t fbsdp_no          = bit(14);
inline constexpr uint64_t psdp_no           = bit(15);
inline constexpr uint64_t bhi_no            = bit(20);
inline constexpr uint64_t pbrsb_no          = bit(24);
inline constexpr uint64_t gds_no            = bit(26);
inline constexpr uint64_t rfds_no           = bit(27);
inline constexpr uint64_t its_no            = bit(62);
// clang-format on
inline constexpr uint64_t value = rdcl_no | ibrs_all | skip_l1dfl_vmentry | ssb_no | mds_no |
                                  if_pschange_mc_no | taa_no | sbdr_ssdp_no | fbsdp_no | psdp_no |
                                  bhi_no | pbrsb_no | gds_no | rfds_no | its_no;
}  // namespace arch_capabilities

/// The value of an MSR of kind `profile`. VMX capability MSRs of a profile without VMX do not
/// exist: ask `msr_exists` first.
constexpr uint64_t profile_msr(const CpuProfile& profile, uint32_t number) {
  const uint64_t ratio = profile.tsc_hz() / 100'000'000;
  switch (number) {
    case msr::ia32_feature_control:
      return feature_control::lock |
             (profile.has(CpuFeature::vmx) ? feature_control::vmx_outside_smx : 0);
    case msr::platform_info: return ratio << 8 | ratio << 40;
    case msr::ia32_arch_capabilities: return arch_capabilities::value;
    case 0x198: return ratio << 8;
    default: return vmx_capability(number, legal_cr4(profile));
  }
}

/// The feature without which an MSR does not exist.
struct MsrNeed {
  uint32_t first;
  uint32_t last;
  CpuFeature feature;
};
// clang-format off
inline constexpr auto kMsrNeeds = std::to_array<MsrNeed>({
    {msr::ia32_tsc_adjust,        msr::ia32_tsc_adjust,        CpuFeature::tsc_adjust},
    {msr::ia32_spec_ctrl,         msr::ia32_pred_cmd,          CpuFeature::spec_ctrl},
    {msr::ia32_arch_capabilities, msr::ia32_arch_capabilities, CpuFeature::arch_capabilities},
    {msr::ia32_flush_cmd,         msr::ia32_flush_cmd,         CpuFeature::flush_l1d},
    {msr::ia32_vmx_basic,         msr::ia32_vmx_vmfunc,        CpuFeature::vmx},
    {msr::ia32_tsc_deadline,      msr::ia32_tsc_deadline,      CpuFeature::tsc_deadline},
    {msr::ia32_xss,               msr::ia32_xss,               CpuFeature::xsaves},
    {msr::ia32_tsc_aux,           msr::ia32_tsc_aux,           CpuFeature::rdtscp},
});
// clang-format on
static_assert(vmx_capability(msr::ia32_vmx_basic, 0) == kVmxBasic);

/// Whether the table knows the MSR and the profile has it.
constexpr bool msr_exists(const CpuProfile& profile, uint32_t number) {
  const MsrRow* row = find_msr(number);
  if (row == nullptr || row->kind == MsrKind::absent) return false;
  for (const MsrNeed& need : kMsrNeeds) {
    if (number >= need.first && number <= need.last && !profile.has(need.feature)) return false;
  }
  // A VM function control exists only if a VM function does.
  return number != msr::ia32_vmx_vmfunc ||
         allows(ControlWord::secondary, secondary::enable_vm_functions);
}

}  // namespace vitrine::emu::arch
