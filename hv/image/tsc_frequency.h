// The frequency of the time-stamp counter.
#pragma once

#include <cstdint>

namespace vitrine::hv {

// In Hz: from CPUID where the processor says it, else measured against the 8254.
std::uint64_t tsc_frequency();

}  // namespace vitrine::hv
