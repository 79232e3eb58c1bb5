// Picture: a run as an SVG drawing: lanes of time, pool pages, buffer states, the interrupts between.
#pragma once

#include <string>

#include "frontend/record/recorder.h"

namespace vitrine::ui {

/// Draws the window of time around the longest continued hypercall below the whole run. The same
/// events give the same bytes.
std::string draw_run(const Recorder& recorder, emu::Cycle end, const std::string& caption);

}  // namespace vitrine::ui
