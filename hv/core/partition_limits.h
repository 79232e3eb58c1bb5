// The implementation limits that CPUID and statuses speak of.
#pragma once

#include <cstdint>

namespace vitrine::hv {

// The root, its children, and theirs. TLFS asks for at least two levels.
inline constexpr std::uint32_t kMaximumDepth = 2;
inline constexpr std::uint64_t kMaximumPartitions = 128;

}  // namespace vitrine::hv
