// The part of the tour about the event log: every status of HvFlushEventLogBuffer.
#pragma once

namespace vitrine::tour {

void tour_event_log();

}  // namespace vitrine::tour
