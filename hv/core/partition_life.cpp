// Partitions are created, initialized and deleted; finalization is in finalize.cpp.
#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"
#include "hv/core/partition_limits.h"
#include "hv/core/partition_properties.h"
#include "hv/core/vp_life.h"

namespace vitrine::hv {
namespace {

void log_creation(Caller& caller, tlfs::PartitionId id, Status status) {
  const std::uint64_t parameters[] = {id, static_cast<std::uint64_t>(status)};
  log_event(caller.hv, caller.processor, tlfs::EventSource::object,
            tlfs::EventType::create_partition, parameters);
  const auto type = status == Status::success ? tlfs::EventType::partition_created
                                              : tlfs::EventType::partition_creation_failed;
  log_event(caller.hv, caller.processor, tlfs::EventSource::partition_life, type, parameters);
}

Status check_creation(const Caller& caller, const tlfs::CreatePartitionInput& in) {
  // TLFS 2.0 defines no creation flag.
  if (in.flags != 0 || !in.proximity.acceptable()) return Status::invalid_parameter;
  if (caller.partition.depth == kMaximumDepth) return Status::partition_too_deep;
  if (caller.hv.partition_count == kMaximumPartitions) return Status::no_resources;
  if (caller.partition.pool.available == 0) return Status::insufficient_memory;
  return Status::success;
}

void append(Hypervisor& hv, std::uint64_t address) {
  std::uint64_t* link = &hv.first_partition;
  while (*link != 0) link = &hv.at<Partition>(*link)->next;
  *link = address;
  ++hv.partition_count;
}

void unlink(Hypervisor& hv, std::uint64_t address) {
  std::uint64_t* link = &hv.first_partition;
  while (*link != address) link = &hv.at<Partition>(*link)->next;
  *link = hv.at<Partition>(address)->next;
  --hv.partition_count;
}

// Pages an initialized partition costs, apart from the image's translation tables.
std::uint64_t initialization_pages(const Hypervisor& hv) {
  return 1 + kPartitionOverlays + hv.platform->partition_pages;
}

void take_initialization_pages(Hypervisor& hv, Partition& partition) {
  partition.gpa_root = take_page(hv, partition, PageUse::gpa_map);
  for (std::uint64_t& overlay : partition.overlay) {
    overlay = take_page(hv, partition, PageUse::overlay);
  }
  for (std::uint32_t i = 0; i < hv.platform->partition_pages; ++i) {
    partition.platform_pages[i] = take_page(hv, partition, PageUse::platform);
  }
}

void give_initialization_pages(Hypervisor& hv, Partition& partition) {
  release_gpa_root(hv, partition);
  for (std::uint64_t& overlay : partition.overlay) {
    give_page(hv, partition, overlay);
    overlay = 0;
  }
  for (std::uint32_t i = 0; i < hv.platform->partition_pages; ++i) {
    give_page(hv, partition, partition.platform_pages[i]);
    partition.platform_pages[i] = 0;
  }
}

}  // namespace

// Decided: the limit comes before the memory, so that nobody deposits pages in vain.
Outcome<tlfs::PartitionOutput> create_partition(Caller& caller,
                                                const tlfs::CreatePartitionInput& in) {
  Hypervisor& hv = caller.hv;
  const Status refused = check_creation(caller, in);
  if (refused != Status::success) {
    log_creation(caller, tlfs::kInvalidPartition, refused);
    return refused;
  }
  const std::uint64_t address = take_page(hv, caller.partition, PageUse::partition);
  Partition& child = *hv.at<Partition>(address);
  child = Partition{};
  child.id = ++hv.last_id;
  child.parent_id = caller.partition.id;
  child.parent = hv.address_of(&caller.partition);
  child.depth = caller.partition.depth + 1;
  child.privileges = tlfs::kChildPrivileges;
  child.creation_flags = in.flags;
  child.created_at = hv.platform->read_tsc(hv.platform->context);
  set_default_properties(child);
  append(hv, address);
  ++caller.partition.child_count;
  log_creation(caller, child.id, Status::success);
  return tlfs::PartitionOutput{child.id};
}

Done initialize_partition(Caller& caller, const tlfs::PartitionInput& in) {
  Hypervisor& hv = caller.hv;
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::uninitialized) return Status::invalid_partition_state;
  if (partition.pool.available < initialization_pages(hv)) return Status::insufficient_memory;
  take_initialization_pages(hv, partition);
  if (!hv.platform->create_partition(hv.platform->context, partition)) {
    give_initialization_pages(hv, partition);
    return Status::insufficient_memory;
  }
  prepare_partition_overlays(hv, partition);
  partition.state = PartitionState::active;
  return kDone;
}

Done delete_partition(Caller& caller, const tlfs::PartitionInput& in) {
  Hypervisor& hv = caller.hv;
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  const bool deletable = partition.state == PartitionState::uninitialized ||
                         partition.state == PartitionState::finalized;
  if (!deletable) return Status::invalid_partition_state;
  if (partition.pool.deposited != 0) return Status::operation_denied;
  const std::uint64_t address = hv.address_of(&partition);
  const tlfs::PartitionId id = partition.id;
  unlink(hv, address);
  --caller.partition.child_count;
  give_page(hv, caller.partition, address);
  const std::uint64_t parameters[] = {id, 0};
  log_event(hv, caller.processor, tlfs::EventSource::object, tlfs::EventType::delete_partition,
            parameters);
  log_event(hv, caller.processor, tlfs::EventSource::partition_life,
            tlfs::EventType::partition_deleted, parameters);
  return kDone;
}

Outcome<tlfs::PartitionOutput> get_partition_id(Caller& caller, const Nothing&) {
  return tlfs::PartitionOutput{caller.partition.id};
}

// Decided: a partition may walk its own children and those of its children.
Outcome<tlfs::PartitionOutput> get_next_child_partition(Caller& caller,
                                                        const tlfs::NextChildInput& in) {
  const Hypervisor& hv = caller.hv;
  const Partition* const parent = named_partition(caller, in.parent);
  if (parent == nullptr) return Status::invalid_partition_id;
  if (parent != &caller.partition && !is_child(caller, *parent)) return Status::access_denied;
  const std::uint64_t parent_address = hv.address_of(parent);
  std::uint64_t from = hv.first_partition;
  if (in.previous != tlfs::kInvalidPartition) {
    const Partition* const previous = find_partition(hv, in.previous);
    if (previous == nullptr || previous->parent != parent_address)
      return Status::invalid_partition_id;
    from = previous->next;
  }
  for (std::uint64_t p = from; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& candidate = *hv.at<Partition>(p);
    if (candidate.parent == parent_address) return tlfs::PartitionOutput{candidate.id};
  }
  return tlfs::PartitionOutput{tlfs::kInvalidPartition};
}

}  // namespace vitrine::hv
