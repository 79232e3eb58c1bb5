// Scheduler: which processor runs next and how far, so that time is the same on every host.
#pragma once

#include <cstdint>
#include <span>

#include "emu/arch/types.h"

namespace vitrine::emu {

/// What the scheduler knows of one processor.
struct ProcessorTime {
  Cycle clock;
  bool idle = false;
};

struct Turn {
  bool any = false;     ///< false: every processor idles
  uint32_t processor = 0;
  Cycle until;          ///< one quantum ahead of the next processor
};

/// The non-idle processor with the smallest clock, lowest index first, runs until it is one quantum
/// ahead of the next.
Turn next_turn(std::span<const ProcessorTime> processors, uint64_t quantum);

/// Machine time: the smallest clock of a processor that does not idle; kNever when all do.
Cycle machine_time(std::span<const ProcessorTime> processors);

}  // namespace vitrine::emu
