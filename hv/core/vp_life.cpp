// Virtual processors come and go.
#include "hv/core/vp_life.h"

#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"
#include "hv/core/overlays.h"
#include "hv/core/synic.h"
#include "hv/core/time.h"
#include "hv/core/timers.h"

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kWholeProcessor = 0x10000;

std::uint64_t vp_pages(const Hypervisor& hv) { return 1 + kVpOverlays + hv.platform->vp_pages; }

// TLFS "CPU Reserve": every VP of a partition is promised the partition's reserve.
bool reserve_fits(const Hypervisor& hv, const Partition& growing) {
  std::uint64_t promised = growing.properties[0];
  for (std::uint64_t p = hv.first_partition; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& partition = *hv.at<Partition>(p);
    promised += partition.properties[0] * partition.vp_count;
  }
  return promised <= kWholeProcessor * hv.processors;
}

void log_vp(Caller& caller, tlfs::EventType type, const Partition& partition, std::uint32_t index) {
  const std::uint64_t parameters[] = {partition.id, index, 0};
  log_event(caller.hv, caller.processor, tlfs::EventSource::virtual_processor, type, parameters);
}

}  // namespace

void reset_vp(Hypervisor& hv, Partition& partition, VirtualProcessor& vp, std::uint32_t index,
              std::uint32_t processor) {
  vp.partition = hv.address_of(&partition);
  vp.partition_id = partition.id;
  vp.index = index;
  vp.processor = processor;
  for (std::uint64_t& sint : vp.synic.sint) sint = tlfs::SintRegister::kReset;
  for (std::uint32_t i = 0; i < vp.buffers.size(); ++i) {
    vp.buffers[i] = {.message = hv.address_of(&vp.messages[i]),
                     .owner = hv.address_of(&vp),
                     .kind = i == kInterceptBuffer ? BufferKind::intercept : BufferKind::timer};
  }
}

// What the guest executes at the hypercall page (VMCALL, RET), and how it turns the TSC into time.
void prepare_partition_overlays(Hypervisor& hv, Partition& partition) {
  constexpr std::uint8_t kCode[] = {0x0F, 0x01, 0xC1, 0xC3};
  const auto page = [&](PartitionOverlay which) {
    return partition.overlay[static_cast<std::uint32_t>(which)];
  };
  __builtin_memcpy(hv.at<void>(page(PartitionOverlay::hypercall)), kCode, sizeof kCode);
  const std::uint64_t start = multiply_high(partition.created_at, hv.tsc_scale);
  *hv.at<tlfs::ReferenceTscPage>(page(PartitionOverlay::reference_tsc)) = {
      .sequence = 1, .scale = hv.tsc_scale, .offset = -static_cast<std::int64_t>(start)};
}

Done create_vp(Caller& caller, const tlfs::CreateVpInput& in) {
  Hypervisor& hv = caller.hv;
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::active) return Status::invalid_partition_state;
  const bool free_index = in.vp < kMaximumVps && partition.vps[in.vp] == 0;
  if (!free_index) return Status::invalid_vp_index;
  if (in.padding != 0 || in.flags != 0 || !in.proximity.acceptable())
    return Status::invalid_parameter;
  if (!reserve_fits(hv, partition)) return Status::operation_denied;
  if (partition.pool.available < vp_pages(hv)) return Status::insufficient_memory;
  const std::uint64_t address = take_page(hv, partition, PageUse::virtual_processor);
  VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
  vp = VirtualProcessor{};
  for (std::uint64_t& overlay : vp.overlay) overlay = take_page(hv, partition, PageUse::overlay);
  for (std::uint32_t i = 0; i < hv.platform->vp_pages; ++i) {
    vp.platform_pages[i] = take_page(hv, partition, PageUse::platform);
  }
  reset_vp(hv, partition, vp, in.vp, in.vp % hv.processors);
  vp.explicit_suspend = 1;
  partition.vps[in.vp] = address;
  ++partition.vp_count;
  hv.platform->create_vp(hv.platform->context, partition, vp);
  log_vp(caller, tlfs::EventType::create_vp, partition, in.vp);
  return kDone;
}

void destroy_vp(Hypervisor& hv, Partition& partition, VirtualProcessor& vp) {
  hv.platform->destroy_vp(hv.platform->context, partition, vp);
  disable_vp_overlays(hv, partition, vp);
  for (const std::uint64_t overlay : vp.overlay) give_page(hv, partition, overlay);
  for (std::uint32_t i = 0; i < hv.platform->vp_pages; ++i) {
    give_page(hv, partition, vp.platform_pages[i]);
  }
  partition.vps[vp.index] = 0;
  --partition.vp_count;
  give_page(hv, partition, hv.address_of(&vp));
}

// The VP may first have to leave another processor; then the call is executed again.
Done delete_vp(Caller& caller, const tlfs::VpInput& in) {
  Hypervisor& hv = caller.hv;
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::active) return Status::invalid_partition_state;
  VirtualProcessor* const vp = find_vp(hv, partition, in.vp);
  if (vp == nullptr && caller.continuing) return kDone;
  if (vp == nullptr) return Status::invalid_vp_index;
  vp->explicit_suspend = 1;
  if (!parked(caller, *vp)) return Done::again();
  unqueue_own_messages(hv, caller.processor, *vp);
  destroy_vp(hv, partition, *vp);
  log_vp(caller, tlfs::EventType::delete_vp, partition, in.vp);
  return kDone;
}

}  // namespace vitrine::hv
