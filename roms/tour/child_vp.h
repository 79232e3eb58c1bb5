// The child's first virtual processor as its parent sees it: registers, intercepts, going on.
#pragma once

#include <cstdint>

#include "hv/tlfs/hypercall.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/types.h"

namespace vitrine::tour {

namespace tlfs = hv::tlfs;

// Puts the child guest into the memory that the child has at GPA 0, `first_page` of ours, and its
// virtual processor 0 at its first instruction in long mode.
void load_child(tlfs::PartitionId child, std::uint64_t first_page);

// Lets it run.
void start_child(tlfs::PartitionId child);

// Waits until it reports a step through its port.
struct Report {
  bool arrived{};  // an I/O intercept of the report port by virtual processor 0
  std::uint32_t step{};
  std::uint64_t result{};  // RBX
  tlfs::IoPortIntercept intercept;
};
Report wait_for_report(tlfs::PartitionId child);

// Past the instruction that was intercepted, and on.
void resume_child(tlfs::PartitionId child, const Report& report);

// What the child counts once it has nothing else to do; in the memory given to load_child().
std::uint64_t child_counter(std::uint64_t first_page);

}  // namespace vitrine::tour
