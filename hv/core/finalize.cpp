// HvFinalizePartition: a resumable walk that takes a partition apart, one bounded slice per attempt.
#include <array>

#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"
#include "hv/core/intercepts_store.h"
#include "hv/core/overlays.h"
#include "hv/core/ports.h"
#include "hv/core/require.h"
#include "hv/core/synic.h"
#include "hv/core/timers.h"
#include "hv/core/vp_life.h"

namespace vitrine::hv {
namespace {

enum class Step : std::uint8_t { done, wait };

VirtualProcessor* first_vp_where(const Hypervisor& hv, const Partition& partition,
                                 bool (*wanted)(const VirtualProcessor&)) {
  for (const std::uint64_t address : partition.vps) {
    if (address == 0) continue;
    VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
    if (wanted(vp)) return &vp;
  }
  return nullptr;
}

template <class Count>
std::uint64_t sum_over_vps(const Hypervisor& hv, const Partition& partition, Count count) {
  std::uint64_t sum = 0;
  for (const std::uint64_t address : partition.vps) {
    if (address != 0) sum += count(*hv.at<VirtualProcessor>(address));
  }
  return sum;
}

bool has_message(const VirtualProcessor& vp) { return vp.synic.queued != 0; }
bool has_timer(const VirtualProcessor& vp) {
  for (const SyntheticTimer& timer : vp.timers) {
    if (timer.armed != 0) return true;
  }
  return false;
}

Step step_message(Caller& caller, Partition& partition) {
  drop_first_message(caller.hv, caller.processor,
                     *first_vp_where(caller.hv, partition, has_message));
  return Step::done;
}

Step step_timer(Caller& caller, Partition& partition) {
  VirtualProcessor& vp = *first_vp_where(caller.hv, partition, has_timer);
  for (SyntheticTimer& timer : vp.timers) {
    if (timer.armed == 0) continue;
    stop_timer(caller.hv, caller.processor, vp, timer);
    break;
  }
  return Step::done;
}

Step step_vp(Caller& caller, Partition& partition) {
  VirtualProcessor& vp =
      *first_vp_where(caller.hv, partition, [](const VirtualProcessor&) { return true; });
  const Platform& platform = *caller.hv.platform;
  if (!platform.park(platform.context, vp)) return Step::wait;
  unqueue_own_messages(caller.hv, caller.processor, vp);
  destroy_vp(caller.hv, partition, vp);
  return Step::done;
}

Step step_intercept(Caller& caller, Partition& partition) {
  remove_first_intercept(caller.hv, partition);
  return Step::done;
}

Step step_port(Caller& caller, Partition& partition) {
  remove_port(caller.hv, caller.processor, partition, *caller.hv.at<Port>(partition.first_port));
  return Step::done;
}

Step step_connection(Caller& caller, Partition& partition) {
  remove_first_connection(caller.hv, partition);
  return Step::done;
}

Step step_mapping(Caller& caller, Partition& partition) {
  const bool removed = unmap_next(caller.hv, partition, partition.finalization.cursor);
  require(removed, "the count of mappings is the number of entries");
  return Step::done;
}

Step step_translation(Caller& caller, Partition& partition) {
  const Platform& platform = *caller.hv.platform;
  const bool released = platform.release_table(platform.context, partition);
  require(released, "the image gives back every table page it took");
  return Step::done;
}

std::uint64_t overlay_pages(const Partition& partition) {
  std::uint64_t pages = partition.gpa_root != 0 ? 1 : 0;
  for (const std::uint64_t page : partition.overlay) pages += page != 0 ? 1 : 0;
  for (const std::uint64_t page : partition.platform_pages) pages += page != 0 ? 1 : 0;
  return pages;
}

// The top table, the overlay pages and the image's pages, one by one.
Step step_overlay(Caller& caller, Partition& partition) {
  Hypervisor& hv = caller.hv;
  if (partition.gpa_root != 0) {
    hv.platform->destroy_partition(hv.platform->context, partition);
    release_gpa_root(hv, partition);
    return Step::done;
  }
  const auto give_first = [&](auto& pages) {
    for (std::uint64_t& page : pages) {
      if (page == 0) continue;
      give_page(hv, partition, page);
      page = 0;
      return true;
    }
    return false;
  };
  if (!give_first(partition.overlay)) give_first(partition.platform_pages);
  return Step::done;
}

using StepFunction = Step (*)(Caller&, Partition&);
constexpr std::uint32_t kStages = static_cast<std::uint32_t>(FinalizeStage::done);
constexpr std::array<StepFunction, kStages> kSteps = {
    step_message,    step_timer,   step_vp,          step_intercept, step_port,
    step_connection, step_mapping, step_translation, step_overlay};

void begin(Hypervisor& hv, Partition& partition) {
  partition.state = PartitionState::finalizing;
  partition.finalization = {};
  disable_partition_overlays(hv, partition);
  std::uint64_t units = 0;
  for (std::uint32_t stage = 0; stage < kStages; ++stage) {
    units += units_left(hv, partition, static_cast<FinalizeStage>(stage));
  }
  partition.finalization.units_at_start = units;
}

// One attempt: units until the slice is over. True when nothing is left.
bool run_slice(Caller& caller, Partition& partition) {
  Finalization& progress = partition.finalization;
  ++progress.attempts;
  std::uint32_t units = 0;
  while (progress.stage != FinalizeStage::done) {
    if (units_left(caller.hv, partition, progress.stage) == 0) {
      progress.stage = static_cast<FinalizeStage>(static_cast<std::uint32_t>(progress.stage) + 1);
      continue;
    }
    if (slice_over(caller, units)) return false;
    const Step step = kSteps[static_cast<std::uint32_t>(progress.stage)](caller, partition);
    if (step == Step::wait) return false;
    ++units;
    ++progress.units_done;
  }
  return true;
}

}  // namespace

std::uint64_t units_left(const Hypervisor& hv, const Partition& partition, FinalizeStage stage) {
  switch (stage) {
    case FinalizeStage::messages:
      return sum_over_vps(hv, partition,
                          [](const VirtualProcessor& vp) { return vp.synic.queued; });
    case FinalizeStage::timers:
      return sum_over_vps(hv, partition, [](const VirtualProcessor& vp) {
        std::uint64_t armed = 0;
        for (const SyntheticTimer& timer : vp.timers) armed += timer.armed;
        return armed;
      });
    case FinalizeStage::virtual_processors: return partition.vp_count;
    case FinalizeStage::intercepts: return partition.intercept_count;
    case FinalizeStage::ports: return partition.port_count;
    case FinalizeStage::connections: return partition.connection_count;
    case FinalizeStage::mappings: return partition.mapping_count;
    case FinalizeStage::translations:
      return partition.pool.used_for[static_cast<std::uint32_t>(PageUse::translation)];
    case FinalizeStage::overlays: return overlay_pages(partition);
    case FinalizeStage::done: return 0;
  }
  return 0;
}

// Decided, where the sources disagree: Finalizing is a state the call may be made in, by any VP of the
// parent, which then works on; every other state but Active is invalid_partition_state (the page of 2013
// says "not in the active state", its remarks "active or finalizing"). Children must be gone first: the
// page says both that they are destroyed and that they are refused, and only the refusal has a status.
// A VP that was told to come again and finds the work finished, or the partition gone, has succeeded.
Done finalize_partition(Caller& caller, const tlfs::PartitionInput& in) {
  Hypervisor& hv = caller.hv;
  Partition* const named = named_partition(caller, in.partition);
  if (caller.continuing && (named == nullptr || named->state == PartitionState::finalized)) {
    return kDone;
  }
  if (named == nullptr) return Status::invalid_partition_id;
  if (!is_child(caller, *named)) return Status::access_denied;
  if (named->child_count != 0) return Status::operation_denied;
  const bool callable =
      named->state == PartitionState::active || named->state == PartitionState::finalizing;
  if (!callable) return Status::invalid_partition_state;
  if (named->state == PartitionState::active) begin(hv, *named);
  if (!run_slice(caller, *named)) return Done::again();
  require(named->pool.available == named->pool.deposited, "a finalized partition uses no page");
  named->state = PartitionState::finalized;
  return kDone;
}

}  // namespace vitrine::hv
