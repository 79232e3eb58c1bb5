// One scenario for every status a call can answer, and the reasons why some statuses cannot occur.
#pragma once

#include <span>
#include <string_view>

#include "tests/hv/core/machine.h"

namespace vitrine::test {

struct StatusCase {
  Call call;
  Status status;
  Status (*run)(Machine&);
};

struct Impossible {
  Call call;
  Status status;
  std::string_view because;
};

std::span<const StatusCase> partition_cases();
std::span<const StatusCase> vp_cases();
std::span<const StatusCase> port_cases();
std::span<const StatusCase> event_log_cases();
std::span<const StatusCase> system_cases();

// --- scenes ------------------------------------------------------------------------------------

inline constexpr hv::tlfs::PartitionId kNobody = 999;

// A child's VP that makes calls, with all privileges a parent can grant.
Guest privileged_child(Machine& machine, std::uint64_t pool = 64);
// A child of `parent`, uninitialized, with nothing in its pool.
hv::tlfs::PartitionId child_of(Machine& machine, Guest& parent);
// An active child of `parent` with a VP that makes calls and all privileges.
Guest grandchild_guest(Machine& machine, Guest& parent);
hv::tlfs::PartitionId finalized_child(Machine& machine);
void grant(Machine& machine, hv::tlfs::PartitionId id, std::uint64_t privileges);

}  // namespace vitrine::test
