// The tree of partitions: finding them, and who may name whom.
#include "hv/core/call.h"

namespace vitrine::hv {

Partition* find_partition(const Hypervisor& hv, tlfs::PartitionId id) {
  for (std::uint64_t p = hv.first_partition; p != 0;) {
    Partition* const partition = hv.at<Partition>(p);
    if (partition->id == id) return partition;
    p = partition->next;
  }
  return nullptr;
}

Partition* named_partition(const Caller& caller, tlfs::PartitionId id) {
  return id == tlfs::kSelf ? &caller.partition : find_partition(caller.hv, id);
}

bool is_child(const Caller& caller, const Partition& partition) {
  return partition.parent == caller.hv.address_of(&caller.partition);
}

Outcome<Partition*> child_of(const Caller& caller, tlfs::PartitionId id) {
  Partition* const partition = named_partition(caller, id);
  if (partition == nullptr) return Status::invalid_partition_id;
  if (!is_child(caller, *partition)) return Status::access_denied;
  return partition;
}

Outcome<Partition*> child_or_root(const Caller& caller, tlfs::PartitionId id) {
  Partition* const partition = named_partition(caller, id);
  if (partition == nullptr) return Status::invalid_partition_id;
  const bool root_itself = partition == &caller.partition && partition->parent == 0;
  if (!root_itself && !is_child(caller, *partition)) return Status::access_denied;
  return partition;
}

Outcome<Partition*> child_or_self(const Caller& caller, tlfs::PartitionId id) {
  Partition* const partition = named_partition(caller, id);
  if (partition == nullptr) return Status::invalid_partition_id;
  if (partition != &caller.partition && !is_child(caller, *partition)) return Status::access_denied;
  return partition;
}

bool parked(const Caller& caller, VirtualProcessor& vp) {
  const Platform& platform = *caller.hv.platform;
  return &vp == &caller.vp || platform.park(platform.context, vp);
}

}  // namespace vitrine::hv
