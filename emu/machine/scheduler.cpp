// Scheduler: round robin by guest cycles.
#include "emu/machine/scheduler.h"

#include <algorithm>

namespace vitrine::emu {

Turn next_turn(std::span<const ProcessorTime> processors, uint64_t quantum) {
  Turn turn;
  for (uint32_t i = 0; i < processors.size(); ++i) {
    if (processors[i].idle) continue;
    if (!turn.any || processors[i].clock < processors[turn.processor].clock) {
      turn.any = true;
      turn.processor = i;
    }
  }
  turn.until = kNever;
  for (uint32_t i = 0; i < processors.size(); ++i) {
    if (processors[i].idle || i == turn.processor) continue;
    turn.until = std::min(turn.until, processors[i].clock + quantum);
  }
  return turn;
}

Cycle machine_time(std::span<const ProcessorTime> processors) {
  Cycle time = kNever;
  for (const ProcessorTime& p : processors) {
    if (!p.idle) time = std::min(time, p.clock);
  }
  return time;
}

}  // namespace vitrine::emu
