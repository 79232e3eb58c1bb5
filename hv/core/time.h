// Reference time: 100 ns units, by the same multiplication that the reference TSC page gives to guests.
#pragma once

#include <cstdint>

namespace vitrine::hv {

struct Hypervisor;

inline constexpr std::uint64_t kTicksPerSecond = 10'000'000;

// The high half of a 64 by 64 bit product.
std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b);

// 2^64 * 10^7 / frequency, rounded down: the scale of the reference TSC page.
std::uint64_t tsc_scale_of(std::uint64_t frequency);

// The first TSC value whose reference time is at least `ticks`.
std::uint64_t tsc_of_ticks(const Hypervisor& hv, std::uint64_t ticks);

// 100 ns since the hypervisor started.
std::uint64_t system_time(const Hypervisor& hv);

}  // namespace vitrine::hv
