// What the tour proves: one rule per line, judged as it is met, and the sum at the end.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hv/tlfs/hypercall.h"

namespace vitrine::tour {

namespace tlfs = hv::tlfs;

enum class Rule : std::uint8_t {
  interface_present,
  hypercall_page,
  vp_index,
  reference_time,
  unknown_code,
  reserved_bits,
  rep_on_simple,
  misaligned_input,
  partition_id,
  deposit_takes_access,
  create_partition,
  initialize_without_memory,
  delete_with_pool,
  finalize_uninitialized,
  initialize_partition,
  initialize_twice,
  delete_active,
  map_pages,
  map_bad_rights,
  create_vps,
  vp_exists,
  set_privileges,
  install_intercept,
  child_computes,
  intercept_message,
  child_flush_denied,
  child_finalize_denied,
  child_creates,
  finalize_with_children,
  child_deletes,
  child_preempted,
  child_progress,
  serial_interrupt,
  level_interrupt,
  sint_nested,
  finalize_unknown,
  finalize_self,
  finalize_no_child,
  finalize_succeeds,
  finalize_interrupted,
  finalize_again,
  finalized_refuses_vps,
  finalized_balance,
  delete_undrained,
  withdraw_everything,
  withdrawn_zeroed,
  delete_partition,
  finalize_deleted,
  flush_uninitialized,
  flush_bad_type,
  initialize_log,
  flush_unknown_index,
  flush_standby,
  buffers_mapped,
  flush_free,
  event_in_use,
  flush_in_use,
  ready_message,
  flush_ready,
  release_ready,
  buffer_fills,
  flush_complete,
  complete_message,
  sources_off,
  log_torn_down,
  root_pool_returned,
  patterns_run,
  root_keeps_pattern,
  children_keep_patterns,
  patterns_taken_down,
  processors_start,
  together_prepared,
  finalize_together,
  together_balance,
  child_elsewhere,
  suspend_reaches,
  flush_reaches,
  interrupt_reaches,
  unmap_reaches,
  count_,
};
inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::count_);

// Notes how a rule came out; the first failure of a rule stands.
void judge(Rule rule, bool holds);
// The same for a status: what came instead is printed.
void expect(Rule rule, tlfs::HypercallResult result, tlfs::Status expected);
void expect_value(Rule rule, std::uint64_t value, std::uint64_t expected);

// These rules, first to last, do not apply to this machine: they count neither way.
void leave_out(Rule first, Rule last);

// Prints the last line; rules that were never judged count as failures. 0 when all hold.
std::uint32_t sum_up();

}  // namespace vitrine::tour
