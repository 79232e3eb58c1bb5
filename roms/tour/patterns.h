// The part of the tour about register state: nothing of it may leak or change when others run.
#pragma once

namespace vitrine::tour {

void tour_patterns();

}  // namespace vitrine::tour
