// The payload's other processors: INIT-SIPI-SIPI, and a function for each to run.
#pragma once

#include <cstdint>

namespace vitrine::kit {

// Called by each other processor, `index` from 1 in the order of arrival, at most 15 of them; when
// it returns, the processor halts for good.
using ProcessorMain = void (*)(std::uint32_t index);

// Wakes all other processors (SDM "MP Initialization Protocol"). Does not wait for them.
void start_other_processors(ProcessorMain main);

}  // namespace vitrine::kit
