// The tour's rules in words, and their verdicts.
#include "roms/tour/verdicts.h"

#include "roms/kit/serial.h"

namespace vitrine::tour {
namespace {

struct RuleRow {
  Rule rule;
  std::string_view text;
};
// clang-format off
constexpr auto kTexts = std::to_array<RuleRow>({
  {Rule::interface_present,        "CPUID names a hypervisor that speaks TLFS"},
  {Rule::hypercall_page,           "the hypercall page can be turned on and holds VMCALL"},
  {Rule::vp_index,                 "VP_INDEX of the first virtual processor is 0"},
  {Rule::reference_time,           "the reference counter advances and never goes back"},
  {Rule::unknown_code,             "an unknown call code is HV_STATUS_INVALID_HYPERCALL_CODE"},
  {Rule::reserved_bits,            "a reserved control bit is HV_STATUS_INVALID_HYPERCALL_INPUT"},
  {Rule::rep_on_simple,            "a rep count on a simple call is HV_STATUS_INVALID_HYPERCALL_INPUT"},
  {Rule::misaligned_input,         "a misaligned input block is HV_STATUS_INVALID_ALIGNMENT"},
  {Rule::partition_id,             "HvGetPartitionId names the root"},
  {Rule::deposit_takes_access,     "a deposited page leaves the depositor's hands"},
  {Rule::create_partition,         "HvCreatePartition makes a child"},
  {Rule::initialize_without_memory, "HvInitializePartition without memory is HV_STATUS_INSUFFICIENT_MEMORY"},
  {Rule::delete_with_pool,         "HvDeletePartition with pages in the pool is HV_STATUS_OPERATION_DENIED"},
  {Rule::finalize_uninitialized,   "HvFinalizePartition before initialization is HV_STATUS_INVALID_PARTITION_STATE"},
  {Rule::initialize_partition,     "HvInitializePartition makes it active"},
  {Rule::initialize_twice,         "HvInitializePartition twice is HV_STATUS_INVALID_PARTITION_STATE"},
  {Rule::delete_active,            "HvDeletePartition of an active partition is HV_STATUS_INVALID_PARTITION_STATE"},
  {Rule::map_pages,                "HvMapGpaPages gives the child memory"},
  {Rule::map_bad_rights,           "HvMapGpaPages with write but not read is HV_STATUS_INVALID_PARAMETER"},
  {Rule::create_vps,               "HvCreateVp makes two virtual processors"},
  {Rule::vp_exists,                "HvCreateVp of an index in use is HV_STATUS_INVALID_VP_INDEX"},
  {Rule::set_privileges,           "HvSetPartitionProperty lets the child create partitions"},
  {Rule::install_intercept,        "HvInstallIntercept on a port"},
  {Rule::child_computes,           "the child runs and computes the right sum"},
  {Rule::intercept_message,        "its port access arrives as a message with the port and the instruction"},
  {Rule::child_flush_denied,       "HvFlushEventLogBuffer by the child is HV_STATUS_ACCESS_DENIED"},
  {Rule::child_finalize_denied,    "HvFinalizePartition of itself by the child is HV_STATUS_ACCESS_DENIED"},
  {Rule::child_creates,            "the child creates a partition of its own"},
  {Rule::finalize_with_children,   "HvFinalizePartition with children is HV_STATUS_OPERATION_DENIED"},
  {Rule::child_deletes,            "the child deletes its partition"},
  {Rule::child_preempted,          "a timer reaches the root while the child spins with interrupts off"},
  {Rule::child_progress,           "the child goes on while the root is idle"},
  {Rule::serial_interrupt,         "a serial interrupt reaches the root while the child spins, each time once"},
  {Rule::level_interrupt,          "a level-triggered line is delivered once per assertion"},
  {Rule::sint_nested,              "a synthetic interrupt above a device's leaves both in-service bits right"},
  {Rule::finalize_unknown,         "HvFinalizePartition of an unknown partition is HV_STATUS_INVALID_PARTITION_ID"},
  {Rule::finalize_self,            "HvFinalizePartition of the root itself is HV_STATUS_ACCESS_DENIED"},
  {Rule::finalize_no_child,        "HvFinalizePartition of partition 0 is HV_STATUS_INVALID_PARTITION_ID"},
  {Rule::finalize_succeeds,        "HvFinalizePartition finalizes the partition"},
  {Rule::finalize_interrupted,     "timer interrupts between its attempts see RIP on the VMCALL"},
  {Rule::finalize_again,           "HvFinalizePartition once more is HV_STATUS_INVALID_PARTITION_STATE"},
  {Rule::finalized_refuses_vps,    "a finalized partition refuses HvCreateVp"},
  {Rule::finalized_balance,        "finalization returns every page to the partition's pool"},
  {Rule::delete_undrained,         "HvDeletePartition before the pool is drained is HV_STATUS_OPERATION_DENIED"},
  {Rule::withdraw_everything,      "every deposited page comes back, each once"},
  {Rule::withdrawn_zeroed,         "withdrawn pages are zeroed and writable"},
  {Rule::delete_partition,         "HvDeletePartition deletes the partition"},
  {Rule::finalize_deleted,         "HvFinalizePartition of a deleted partition is HV_STATUS_INVALID_PARTITION_ID"},
  {Rule::flush_uninitialized,      "HvFlushEventLogBuffer without a group is HV_STATUS_OPERATION_DENIED"},
  {Rule::flush_bad_type,           "HvFlushEventLogBuffer of an unknown type is HV_STATUS_INVALID_PARAMETER"},
  {Rule::initialize_log,           "an event-log group with its buffers"},
  {Rule::flush_unknown_index,      "HvFlushEventLogBuffer of an unknown index is HV_STATUS_INVALID_PARAMETER"},
  {Rule::flush_standby,            "HvFlushEventLogBuffer of a standby buffer is HV_STATUS_OPERATION_DENIED"},
  {Rule::buffers_mapped,           "HvMapEventLogBuffer shows free buffers"},
  {Rule::flush_free,               "HvFlushEventLogBuffer of a free buffer is HV_STATUS_OPERATION_DENIED"},
  {Rule::event_in_use,             "the first event takes a buffer into use"},
  {Rule::flush_in_use,             "HvFlushEventLogBuffer makes a buffer in use ready"},
  {Rule::ready_message,            "its message on SINT0 names the buffer"},
  {Rule::flush_ready,              "HvFlushEventLogBuffer of a ready buffer is HV_STATUS_OPERATION_DENIED"},
  {Rule::release_ready,            "HvReleaseEventLogBuffer makes it free"},
  {Rule::buffer_fills,             "a full buffer is complete and waits for the threshold"},
  {Rule::flush_complete,           "HvFlushEventLogBuffer makes a complete buffer ready"},
  {Rule::complete_message,         "its message names the buffer, below the threshold"},
  {Rule::sources_off,              "HvSetEventLogGroupSources turns the group off"},
  {Rule::log_torn_down,            "the buffers are unmapped and deleted, the group finalized"},
  {Rule::root_pool_returned,       "the root gets back what the event log used"},
  {Rule::patterns_run,             "two virtual processors of a child run side by side with the root"},
  {Rule::root_keeps_pattern,       "the root keeps its registers over a thousand switches"},
  {Rule::children_keep_patterns,   "so do both virtual processors of the child"},
  {Rule::patterns_taken_down,      "their partition is taken down while they run, and no page is missing"},
  {Rule::processors_start,         "INIT and SIPI start every virtual processor of the root, each with its VP_INDEX"},
  {Rule::together_prepared,        "a partition with virtual processors on two logical processors"},
  {Rule::finalize_together,        "two processors finalize it at once, and each gets its documented status"},
  {Rule::together_balance,         "whoever did the work, every page is accounted for"},
  {Rule::child_elsewhere,          "a child's virtual processor runs on its own logical processor"},
  {Rule::suspend_reaches,          "suspending it from here stops it, and resuming lets it go on"},
  {Rule::flush_reaches,            "HvFlushVirtualAddressSpace returns when all processors have flushed"},
  {Rule::interrupt_reaches,        "HvAssertVirtualInterrupt reaches it there"},
  {Rule::unmap_reaches,            "when HvUnmapGpaPages returns, it writes to the page no more"},
});
// clang-format on

constexpr bool texts_in_rule_order() {
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    if (static_cast<std::size_t>(kTexts[i].rule) != i) return false;
  }
  return true;
}
static_assert(kTexts.size() == kRules && texts_in_rule_order());

enum class Verdict : std::uint8_t { open, holds, broken, left_out };
std::array<Verdict, kRules> verdicts;

// Notes the verdict; true when the rule failed just now and the reason is to be printed.
bool note(Rule rule, bool ok) {
  const auto index = static_cast<std::size_t>(rule);
  const std::string_view text = kTexts[index].text;
  if (verdicts[index] == Verdict::broken) return false;
  if (!ok) {
    verdicts[index] = Verdict::broken;
    kit::print("FAIL ");
    kit::print(text);
    return true;
  }
  if (verdicts[index] == Verdict::open) kit::print_line("PASS ", text);
  verdicts[index] = Verdict::holds;
  return false;
}

}  // namespace

void judge(Rule rule, bool ok) {
  if (note(rule, ok)) kit::print_line("");
}

void expect(Rule rule, tlfs::HypercallResult result, tlfs::Status expected) {
  if (!note(rule, result.status() == expected)) return;
  kit::print_line(": status ", kit::Hex{static_cast<std::uint64_t>(result.status())},
                  " instead of ", kit::Hex{static_cast<std::uint64_t>(expected)});
}

void expect_value(Rule rule, std::uint64_t value, std::uint64_t expected) {
  if (!note(rule, value == expected)) return;
  kit::print_line(": ", kit::Hex{value}, " instead of ", kit::Hex{expected});
}

void leave_out(Rule first, Rule last) {
  for (auto i = static_cast<std::size_t>(first); i <= static_cast<std::size_t>(last); ++i) {
    verdicts[i] = Verdict::left_out;
  }
}

std::uint32_t sum_up() {
  std::uint32_t held = 0;
  std::uint64_t applicable = kRules;
  for (std::size_t i = 0; i < kRules; ++i) {
    if (verdicts[i] == Verdict::open) kit::print_line("FAIL ", kTexts[i].text, ": not reached");
    if (verdicts[i] == Verdict::holds) ++held;
    if (verdicts[i] == Verdict::left_out) --applicable;
  }
  const bool all = held == applicable;
  kit::print_line(all ? "TOUR PASS " : "TOUR FAIL ", held, "/", applicable);
  return all ? 0 : 1;
}

}  // namespace vitrine::tour
