// The part of the tour about a child partition's life.
#include "roms/tour/partition_life.h"

#include <array>

#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/privileges.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/tour/child_vp.h"
#include "roms/tour/device_interrupts.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

namespace vitrine::tour {
namespace {

using tlfs::Call;
using tlfs::Status;

constexpr std::uint64_t kPoolPages = 256;
constexpr std::uint64_t kChildPages = 1200;
constexpr std::uint32_t kPrivilegeProperty = 0x00010000;
constexpr std::uint16_t kReportPort = 0x10;

tlfs::PartitionId root_id() {
  tlfs::PartitionOutput output;
  const auto result = kit::memory_call(Call::get_partition_id, nullptr, 0, &output, sizeof output);
  expect(Rule::partition_id, result, Status::success);
  return output.partition;
}

tlfs::HypercallResult finalize(tlfs::PartitionId partition) {
  return kit::fast_call(Call::finalize_partition, partition);
}

tlfs::HypercallResult create_vp(tlfs::PartitionId child, std::uint32_t index) {
  return kit::memory_call(
      Call::create_vp,
      tlfs::CreateVpInput{
          .partition = child, .vp = index, .padding = 0, .proximity = {}, .flags = 0});
}

// Create, deposit, initialize, with the refusals on the way.
tlfs::PartitionId create_child() {
  // The child's own object comes from the root's pool.
  expect(Rule::deposit_takes_access, deposit(tlfs::kSelf, 1), Status::success);
  tlfs::PartitionOutput output;
  const auto result =
      kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, output);
  expect(Rule::create_partition, result, Status::success);
  if (result.status() != Status::success) return tlfs::kInvalidPartition;
  const tlfs::PartitionId child = output.partition;

  expect(Rule::initialize_without_memory, kit::fast_call(Call::initialize_partition, child),
         Status::insufficient_memory);
  expect(Rule::finalize_uninitialized, finalize(child), Status::invalid_partition_state);
  expect(Rule::deposit_takes_access, deposit(child, kPoolPages), Status::success);
  expect_value(Rule::deposit_takes_access, balance(child).available, kPoolPages);
  expect(Rule::delete_with_pool, kit::fast_call(Call::delete_partition, child),
         Status::operation_denied);
  expect(Rule::initialize_partition, kit::fast_call(Call::initialize_partition, child),
         Status::success);
  expect(Rule::initialize_twice, kit::fast_call(Call::initialize_partition, child),
         Status::invalid_partition_state);
  expect(Rule::delete_active, kit::fast_call(Call::delete_partition, child),
         Status::invalid_partition_state);
  return child;
}

// Maps `kChildPages` of our pages at guest-physical 0; the first of them.
std::uint64_t map_memory(tlfs::PartitionId child) {
  constexpr std::uint64_t kBatch = 400;
  constexpr std::uint32_t kWriteOnly = 2;
  static struct {
    tlfs::MapGpaInput header;
    std::array<std::uint64_t, kBatch> pages{};
  } input;
  const std::uint64_t first = take_pages(kChildPages);
  for (std::uint64_t done = 0; done < kChildPages; done += kBatch) {
    input.header = {child, done, tlfs::MapGpaInput::kRights, 0};
    for (std::uint64_t i = 0; i < kBatch; ++i) input.pages[i] = first + done + i;
    const auto result =
        kit::memory_call(Call::map_gpa_pages, &input, sizeof input, nullptr, 0, kBatch);
    expect(Rule::map_pages, result, Status::success);
    expect_value(Rule::map_pages, result.reps(), kBatch);
  }
  input.header = {child, kChildPages, kWriteOnly, 0};
  expect(Rule::map_bad_rights,
         kit::memory_call(Call::map_gpa_pages, &input, sizeof input, nullptr, 0, 1),
         Status::invalid_parameter);
  return first;
}

void prepare_vps(tlfs::PartitionId child) {
  expect(Rule::create_vps, create_vp(child, 0), Status::success);
  expect(Rule::create_vps, create_vp(child, 1), Status::success);
  expect(Rule::vp_exists, create_vp(child, 1), Status::invalid_vp_index);

  const tlfs::GetPropertyInput get{child, kPrivilegeProperty, 0};
  tlfs::PropertyOutput privileges;
  expect(Rule::set_privileges, kit::memory_call(Call::get_partition_property, get, privileges),
         Status::success);
  const std::uint64_t wanted = privileges.value | tlfs::mask_of(tlfs::Privilege::create_partitions);
  const tlfs::SetPropertyInput set{child, kPrivilegeProperty, 0, wanted};
  expect(Rule::set_privileges, kit::memory_call(Call::set_partition_property, set),
         Status::success);

  const tlfs::InstallInterceptInput intercept{
      .partition = child,
      .access = static_cast<std::uint32_t>(tlfs::InterceptAccess::write),
      .type = static_cast<std::uint32_t>(tlfs::InterceptType::io_port),
      .parameter = kReportPort};
  expect(Rule::install_intercept, kit::memory_call(Call::install_intercept, intercept),
         Status::success);
}

// What each step of the child must report.
struct Step {
  Rule rule;
  std::uint64_t result;
};
constexpr std::uint64_t kSumOfSquares = 332'833'500;  // of 0 to 999
constexpr auto kDenied = static_cast<std::uint64_t>(Status::access_denied);
constexpr std::array<Step, 5> kSteps{{{Rule::child_computes, kSumOfSquares},
                                      {Rule::child_flush_denied, kDenied},
                                      {Rule::child_finalize_denied, kDenied},
                                      {Rule::child_creates, 0},
                                      {Rule::child_deletes, 0}}};

// True when the child went all the way to its endless loop.
bool run_child(tlfs::PartitionId child) {
  start_vp(child, 0);
  for (std::uint32_t i = 0; i < kSteps.size(); ++i) {
    const Report report = wait_for_report(child);
    judge(Rule::intercept_message, report.arrived && report.step == i + 1);
    if (!report.arrived) return false;
    expect_value(kSteps[i].rule, report.result, kSteps[i].result);
    if (kSteps[i].rule == Rule::child_creates) {
      expect(Rule::finalize_with_children, finalize(child), Status::operation_denied);
    }
    resume_child(child, report);
  }
  return true;
}

// The child spins with its interrupts off; ours must come all the same, and soon.
void share_the_processor(std::uint64_t first_page) {
  constexpr std::uint64_t kTicks = 10;
  constexpr std::uint64_t kLatency = 30'000;  // TSC ticks from one expiry to the next one's start
  const std::uint64_t interval = tsc_frequency() / 2000;
  const std::uint64_t before = child_counter(first_page);
  const std::uint64_t start = kit::read_tsc();
  start_ticking(interval);
  while (ticks().all < kTicks) kit::halt();
  stop_ticking();
  const std::uint64_t elapsed = kit::read_tsc() - start;
  judge(Rule::child_preempted, elapsed < kTicks * (interval + kLatency));
  judge(Rule::child_progress, child_counter(first_page) > before);
}

void finalize_child(tlfs::PartitionId child, tlfs::PartitionId root) {
  constexpr tlfs::PartitionId kUnknown = 0x1234567;
  constexpr std::uint64_t kInterval = 40'000;
  constexpr std::uint64_t kInterrupts = 2;  // as many as three attempts leave room for
  expect(Rule::finalize_unknown, finalize(kUnknown), Status::invalid_partition_id);
  expect(Rule::finalize_no_child, finalize(tlfs::kInvalidPartition), Status::invalid_partition_id);
  expect(Rule::finalize_self, finalize(root), Status::access_denied);

  start_ticking(kInterval);
  const auto result = finalize(child);
  const Ticks during = stop_ticking();
  expect(Rule::finalize_succeeds, result, Status::success);
  judge(Rule::finalize_interrupted, during.on_vmcall >= kInterrupts);
  expect(Rule::finalize_again, finalize(child), Status::invalid_partition_state);
  expect(Rule::finalized_refuses_vps, create_vp(child, 0), Status::invalid_partition_state);
}

void drain_and_delete(tlfs::PartitionId child) {
  const Balance pool = balance(child);
  expect_value(Rule::finalized_balance, pool.available, kPoolPages);
  expect_value(Rule::finalized_balance, pool.in_use, 0);
  expect(Rule::delete_undrained, kit::fast_call(Call::delete_partition, child),
         Status::operation_denied);
  const Withdrawal back = withdraw_all(child);
  expect_value(Rule::withdraw_everything, back.pages, kPoolPages);
  judge(Rule::withdraw_everything, back.each_once && back.last_status == Status::no_resources);
  judge(Rule::withdrawn_zeroed, back.zeroed);
  expect(Rule::delete_partition, kit::fast_call(Call::delete_partition, child), Status::success);
  expect(Rule::finalize_deleted, finalize(child), Status::invalid_partition_id);
  // The partition's own object is back in the root's pool, and from there with us.
  expect_value(Rule::withdraw_everything, withdraw_all(tlfs::kSelf).pages, 1);
}

}  // namespace

void tour_partition_life() {
  const tlfs::PartitionId root = root_id();
  const tlfs::PartitionId child = create_child();
  if (child == tlfs::kInvalidPartition) return;
  const std::uint64_t first_page = map_memory(child);
  prepare_vps(child);
  load_child(child, first_page);
  if (run_child(child)) {
    share_the_processor(first_page);
    tour_device_interrupts();
  }
  finalize_child(child, root);
  drain_and_delete(child);
}

}  // namespace vitrine::tour
