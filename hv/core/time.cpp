// Reference time.
#include "hv/core/time.h"

#include "hv/core/hypervisor.h"

namespace vitrine::hv {
namespace {

__extension__ typedef unsigned __int128 Wide;

// floor(2^64 * numerator / denominator) for numerator < denominator, bit by bit: a freestanding program
// has no 128-bit division.
std::uint64_t fraction(std::uint64_t numerator, std::uint64_t denominator) {
  std::uint64_t quotient = 0;
  std::uint64_t rest = numerator;
  for (unsigned bit = 0; bit < 64; ++bit) {
    const bool carry = (rest >> 63) != 0;
    rest <<= 1;
    quotient <<= 1;
    if (carry || rest >= denominator) {
      rest -= denominator;
      quotient |= 1;
    }
  }
  return quotient;
}

}  // namespace

std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>((Wide{a} * b) >> 64);
}

std::uint64_t tsc_scale_of(std::uint64_t frequency) { return fraction(kTicksPerSecond, frequency); }

std::uint64_t tsc_of_ticks(const Hypervisor& hv, std::uint64_t ticks) {
  // ticks * frequency / 10^7, in two parts so that nothing overflows for centuries; rounded up.
  const std::uint64_t seconds = ticks / kTicksPerSecond;
  const std::uint64_t rest = ticks % kTicksPerSecond;
  std::uint64_t tsc = seconds * hv.tsc_frequency +
                      (rest * hv.tsc_frequency + kTicksPerSecond - 1) / kTicksPerSecond;
  while (multiply_high(tsc, hv.tsc_scale) < ticks) ++tsc;
  return tsc;
}

std::uint64_t system_time(const Hypervisor& hv) {
  const std::uint64_t now = hv.platform->read_tsc(hv.platform->context);
  return multiply_high(now, hv.tsc_scale) - multiply_high(hv.tsc_start, hv.tsc_scale);
}

// Decided: the reference counter of a partition does not stop while all its VPs are suspended (TLFS "Partition
// Reference Counter" lets it): the reference TSC page could not show it.
std::uint64_t reference_time(const Hypervisor& hv, const Partition& partition) {
  const std::uint64_t now = hv.platform->read_tsc(hv.platform->context);
  return multiply_high(now, hv.tsc_scale) - multiply_high(partition.created_at, hv.tsc_scale);
}

void account_run_time(const Hypervisor& hv, VirtualProcessor& vp, std::uint64_t ticks) {
  const std::uint64_t time = multiply_high(ticks, hv.tsc_scale);
  vp.run_time += time;
  hv.processor(vp.processor).run_time += time;
}

}  // namespace vitrine::hv
