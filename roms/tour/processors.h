// The part of the tour about several processors.
#pragma once

namespace vitrine::tour {

// Two virtual processors of the root finalize one partition at once; a child's virtual processor runs
// on another logical processor, and everything reaches it there. On a machine with one processor its
// rules do not apply.
void tour_processors();

}  // namespace vitrine::tour
