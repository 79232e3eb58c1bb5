// Which CPUID feature an instruction row's requirement stands for.
#pragma once

#include <array>
#include <cstddef>

#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu {

struct FeatureMapRow {
  Feature feature;
  arch::CpuFeature shown_as;
};

// clang-format off
inline constexpr auto kFeatureMap = std::to_array<FeatureMapRow>({
    {Feature::base,       arch::CpuFeature::fpu},
    {Feature::x87,        arch::CpuFeature::fpu},
    {Feature::cmov,       arch::CpuFeature::cmov},
    {Feature::cx8,        arch::CpuFeature::cx8},
    {Feature::cx16,       arch::CpuFeature::cx16},
    {Feature::mmx,        arch::CpuFeature::mmx},
    {Feature::sse,        arch::CpuFeature::sse},
    {Feature::sse2,       arch::CpuFeature::sse2},
    {Feature::sse3,       arch::CpuFeature::sse3},
    {Feature::ssse3,      arch::CpuFeature::ssse3},
    {Feature::sse4_1,     arch::CpuFeature::sse41},
    {Feature::sse4_2,     arch::CpuFeature::sse42},
    {Feature::popcnt,     arch::CpuFeature::popcnt},
    {Feature::movbe,      arch::CpuFeature::movbe},
    {Feature::aes,        arch::CpuFeature::aes},
    {Feature::pclmul,     arch::CpuFeature::pclmulqdq},
    {Feature::xsave,      arch::CpuFeature::xsave},
    {Feature::xsaveopt,   arch::CpuFeature::xsaveopt},
    {Feature::xsavec,     arch::CpuFeature::xsavec},
    {Feature::xsaves,     arch::CpuFeature::xsaves},
    {Feature::rdrand,     arch::CpuFeature::rdrand},
    {Feature::rdseed,     arch::CpuFeature::rdseed},
    {Feature::fsgsbase,   arch::CpuFeature::fsgsbase},
    {Feature::invpcid,    arch::CpuFeature::invpcid},
    {Feature::smap,       arch::CpuFeature::smap},
    {Feature::rdtscp,     arch::CpuFeature::rdtscp},
    {Feature::lahf64,     arch::CpuFeature::lahf},
    {Feature::syscall,    arch::CpuFeature::syscall},
    {Feature::sysenter,   arch::CpuFeature::sep},
    {Feature::clflush,    arch::CpuFeature::clfsh},
    {Feature::clflushopt, arch::CpuFeature::clflushopt},
    {Feature::clwb,       arch::CpuFeature::clwb},
    {Feature::lzcnt,      arch::CpuFeature::lzcnt},
    {Feature::bmi1,       arch::CpuFeature::bmi1},
    {Feature::bmi2,       arch::CpuFeature::bmi2},
    {Feature::adx,        arch::CpuFeature::adx},
    {Feature::avx,        arch::CpuFeature::avx},
    {Feature::avx2,       arch::CpuFeature::avx2},
    {Feature::fma,        arch::CpuFeature::fma},
    {Feature::f16c,       arch::CpuFeature::f16c},
    {Feature::vmx,        arch::CpuFeature::vmx},
    {Feature::sha,        arch::CpuFeature::sha},
    {Feature::rdpid,      arch::CpuFeature::rdpid},
    {Feature::monitor,    arch::CpuFeature::monitor},
    {Feature::prefetchw,  arch::CpuFeature::prefetchw},
});
// clang-format on

constexpr bool feature_map_in_enum_order() {
  for (size_t i = 0; i < kFeatureMap.size(); ++i) {
    if (static_cast<size_t>(kFeatureMap[i].feature) != i) return false;
  }
  return kFeatureMap.size() == static_cast<size_t>(Feature::kCount);
}
static_assert(feature_map_in_enum_order());

/// Whether rows that need `feature` exist on this profile. Base instructions always do.
constexpr bool has_feature(const arch::CpuProfile& profile, Feature feature) {
  return feature == Feature::base ||
         profile.has(kFeatureMap[static_cast<size_t>(feature)].shown_as);
}

}  // namespace vitrine::emu
