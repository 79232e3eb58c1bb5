// Mapping and unmapping guest-physical pages.
#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"

namespace vitrine::hv {
namespace {

// TLFS "GPA Access Rights": writing or executing without reading does not exist.
bool legal_rights(std::uint32_t flags) {
  if ((flags & ~tlfs::MapGpaInput::kRights) != 0) return false;
  const auto rights = static_cast<Rights>(flags);
  return rights == Rights::none || includes(rights, Rights::read);
}

bool is_root_itself(const Caller& caller, const Partition& partition) {
  return &partition == &caller.partition && partition.parent == 0;
}

// The root changes its own rights: only to where the page already is.
Done set_own_rights(Caller& caller, std::uint64_t gpa_page, std::uint64_t source, Rights rights) {
  Hypervisor& hv = caller.hv;
  if (source != gpa_page || !lookup(hv, caller.partition, gpa_page).mapped()) {
    return Status::access_denied;
  }
  hv.record(gpa_page).root_rights = rights;
  if (overlay_at(hv, caller.partition, gpa_page) == 0) {
    hv.platform->restore_root_page(hv.platform->context, gpa_page, true, rights);
    mark_stale(hv, caller.partition);
  }
  return kDone;
}

}  // namespace

// Both begins: the partition, its state, then the values.
Outcome<GpaTarget> begin_map(Caller& caller, const tlfs::MapGpaInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target.status();
  if ((*target)->state != PartitionState::active) return Status::invalid_partition_state;
  if (in.padding != 0 || !legal_rights(in.flags)) return Status::invalid_parameter;
  return GpaTarget{*target, in.gpa_base, static_cast<Rights>(in.flags)};
}

// Decided: a source page that the caller may not itself read, or not use in the way it grants, is mapped
// all the same: rights are those of the map, ownership is the caller's.
Done map_element(Caller& caller, GpaTarget& target, const tlfs::GpaPageElement& in,
                 std::uint32_t index) {
  Hypervisor& hv = caller.hv;
  const std::uint64_t gpa_page = target.gpa_base + index;
  if (gpa_page < target.gpa_base || gpa_page >= kGpaPages) return Status::invalid_parameter;
  if (is_root_itself(caller, *target.partition)) {
    return set_own_rights(caller, gpa_page, in.page, target.rights);
  }
  const GpaEntry source = lookup(hv, caller.partition, in.page);
  if (!source.mapped() || source.deposited()) return Status::operation_denied;
  if (lookup(hv, *target.partition, gpa_page).deposited()) return Status::object_in_use;
  const Status status = map_page(hv, *target.partition, gpa_page, source.page(), target.rights);
  if (status != Status::success) return status;
  return kDone;
}

Outcome<GpaTarget> begin_unmap(Caller& caller, const tlfs::UnmapGpaInput& in) {
  const auto target = child_of(caller, in.partition);
  if (!target) return target.status();
  if ((*target)->state != PartitionState::active) return Status::invalid_partition_state;
  return GpaTarget{*target, in.gpa_base, Rights::none};
}

// Unmapping what is not mapped succeeds.
Done unmap_element(Caller& caller, GpaTarget& target, const Nothing&, std::uint32_t index) {
  Hypervisor& hv = caller.hv;
  const std::uint64_t gpa_page = target.gpa_base + index;
  if (gpa_page < target.gpa_base || gpa_page >= kGpaPages) return Status::invalid_parameter;
  if (lookup(hv, *target.partition, gpa_page).deposited()) return Status::object_in_use;
  unmap_page(hv, *target.partition, gpa_page);
  return kDone;
}

}  // namespace vitrine::hv
