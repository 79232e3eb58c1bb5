// The child's first virtual processor as its parent sees it: registers, intercepts, going on.
#pragma once

#include <cstdint>

#include "hv/tlfs/hypercall.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/types.h"

namespace vitrine::tour {

namespace tlfs = hv::tlfs;

// A program for a child's virtual processor, which starts at its first instruction in long mode.
struct Program {
  const char* begin{};
  const char* end{};
  std::uint64_t code{};       // guest-physical address it is copied to
  std::uint64_t stack_top{};  // guest-physical
  std::uint64_t r12{}, r13{}, r14{};
};

// Builds the identity map in the memory that the child has at GPA 0, `first_page` of ours.
void build_child_tables(std::uint64_t first_page);
// Puts the program there, and virtual processor `vp` at its beginning.
void load_program(tlfs::PartitionId child, tlfs::VpIndex vp, std::uint64_t first_page,
                  const Program& program);

// The program of roms/child/child.S, for virtual processor 0.
void load_child(tlfs::PartitionId child, std::uint64_t first_page);

// Lets a virtual processor run; one that would wait for a SIPI no longer does.
void start_vp(tlfs::PartitionId child, tlfs::VpIndex vp);
// Stops it between two instructions.
tlfs::HypercallResult suspend_vp(tlfs::PartitionId child, tlfs::VpIndex vp);

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
