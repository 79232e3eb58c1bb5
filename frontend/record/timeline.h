// Timeline: a run's events as readable lines, and the waterfall of a continued hypercall.
#pragma once

#include <string>

#include "frontend/record/events.h"

namespace vitrine::ui {

/// "      1,234,567  cpu0  partition 2  active -> finalizing   pool 300 (12 free)  hv: finalize+0x1c"
std::string transition_line(const Transition& t);
/// One line per hypercall: cycle, caller, name, parameters, status, attempts, cycles.
std::string hypercall_line(const HypercallEvent& call);
/// Every attempt of a call with its phases, summing exactly to the call's cycles, and the interrupts
/// that were delivered between attempts.
std::string waterfall(const HypercallEvent& call);
/// 1234567 as "1,234,567".
std::string grouped(uint64_t value);

std::string_view hypercall_name(uint16_t code);

}  // namespace vitrine::ui
