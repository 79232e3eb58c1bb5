// In which order a hypercall is refused: first by the engine, then by the call itself.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "hv/tlfs/call_statuses.h"

namespace vitrine::hv::tlfs {

struct CommonRefusal {
  Status status;
  std::string_view when;
};

// Every call, in the order of judging (TLFS "Hypercall Inputs", "Alignment Requirements").
// Decided: the order itself is published nowhere.
// clang-format off
inline constexpr auto kCommonRefusals = std::to_array<CommonRefusal>({
  {Status::invalid_hypercall_input, "a reserved bit of the control word is set"},
  {Status::invalid_hypercall_code,  "no call with this code is implemented"},
  {Status::invalid_hypercall_input, "a variable header is announced, which none of the calls has"},
  {Status::invalid_hypercall_input, "the rep count or start index does not fit the class of the call"},
  {Status::invalid_hypercall_input, "the fast form is asked for and the parameters do not fit into registers"},
  {Status::invalid_alignment,       "a parameter block is not aligned to 8 bytes, crosses its page, overlaps the other, or cannot be reached"},
  {Status::access_denied,           "the caller lacks the privilege that gates the whole call"},
});

// The two calls whose every refusal is placed; a status may be answered at more than one place.
inline constexpr auto kRefusals = std::to_array<CallStatus>({
  {Call::finalize_partition,     Status::invalid_partition_id,    "no partition has this identifier"},
  {Call::finalize_partition,     Status::access_denied,           "the partition is not a child of the caller: itself, its parent, a grandchild, a stranger"},
  {Call::finalize_partition,     Status::operation_denied,        "the partition still has children of its own, to be destroyed first"},
  {Call::finalize_partition,     Status::invalid_partition_state, "the partition is neither Active nor Finalizing"},
  {Call::flush_event_log_buffer, Status::access_denied,           "the caller is not the root partition"},
  {Call::flush_event_log_buffer, Status::invalid_parameter,       "there is no event-log type with this number"},
  {Call::flush_event_log_buffer, Status::operation_denied,        "the group of this type is not initialized"},
  {Call::flush_event_log_buffer, Status::invalid_parameter,       "the group has no buffer with this index, or none was created there"},
  {Call::flush_event_log_buffer, Status::operation_denied,        "the buffer is Free, Ready or Standby: there is nothing in it to hand over"},
});
// clang-format on

constexpr bool answers(const auto& rows, Call call, Status status) {
  for (const CallStatus& row : rows) {
    if (row.call == call && row.status == status) return true;
  }
  return false;
}
constexpr bool placed(Call call) {
  for (const CallStatus& row : kRefusals) {
    if (row.call == call) return true;
  }
  return false;
}

// Both tables name the same statuses for a call that is in this one.
constexpr bool refusals_are_documented() {
  for (const CallStatus& row : kRefusals) {
    if (!answers(kCallStatuses, row.call, row.status)) return false;
  }
  for (const CallStatus& row : kCallStatuses) {
    if (placed(row.call) && !answers(kRefusals, row.call, row.status)) return false;
  }
  return true;
}
static_assert(refusals_are_documented());

}  // namespace vitrine::hv::tlfs
