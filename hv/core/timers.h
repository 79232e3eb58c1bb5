// Synthetic timers: four to each virtual processor, in reference time.
#pragma once

#include <cstdint>

#include "hv/core/virtual_processor.h"

namespace vitrine::hv {

struct Hypervisor;

// Writes of STIMERn_CONFIG and STIMERn_COUNT; false is #GP.
bool write_timer_config(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                        std::uint32_t timer, std::uint64_t value);
void write_timer_count(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                       std::uint32_t timer, std::uint64_t value);

void stop_timer(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                SyntheticTimer& timer);

}  // namespace vitrine::hv
