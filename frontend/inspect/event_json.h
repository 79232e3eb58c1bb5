// Recorded events as JSON: the same form in `vitrine run --json` and in panels.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "frontend/record/events.h"

namespace vitrine::ui {

nlohmann::ordered_json json(const Transition& transition);
nlohmann::ordered_json json(const HypercallEvent& call);

}  // namespace vitrine::ui
