// Partition properties as a table, and the two calls on them.
#include "hv/core/partition_properties.h"

#include <array>

#include "hv/core/handlers.h"
#include "hv/tlfs/partition_properties.h"

namespace vitrine::hv {
namespace {

using tlfs::Property;

constexpr std::uint32_t kNotStored = ~0U;

struct PropertyRow {
  Property code;
  std::uint32_t stored;       // index into Partition::properties
  std::uint64_t initial;      // or the constant value, when not stored
  std::uint64_t least, most;  // what may be set
  bool unique;                // a nonzero value belongs to one partition
};

constexpr std::uint64_t kWhole = 0x10000;  // 100 percent of a processor
// HV_PARTITION_PROCESSOR_VENDOR: 1 is Intel.
constexpr std::uint64_t kIntel = 1;
constexpr std::uint64_t kLineShift = 6;

// clang-format off
constexpr auto kProperties = std::to_array<PropertyRow>({
  {Property::privilege_flags,        kNotStored, 0,        0, ~std::uint64_t{0}, false},
  {Property::cpu_reserve,            0,          0,        0, kWhole,            false},
  {Property::cpu_cap,                1,          kWhole,   0, kWhole,            false},
  {Property::cpu_weight,             2,          0x64,     1, 10000,             false},
  {Property::emulated_timer_period,  3,          0,        0, ~std::uint64_t{0}, false},
  {Property::emulated_timer_control, 4,          0,        0, ~std::uint64_t{0}, false},
  {Property::pm_timer_assist,        5,          0,        0, ~std::uint64_t{0}, false},
  {Property::debug_channel_id,       6,          0,        0, ~std::uint64_t{0}, true},
  {Property::virtual_tlb_page_count, 7,          0,        0, ~std::uint64_t{0}, false},
  {Property::processor_vendor,       kNotStored, kIntel,     1, 0, false},
  {Property::processor_features,     kNotStored, 0,          1, 0, false},
  {Property::xsave_features,         kNotStored, 0,          1, 0, false},
  {Property::clflush_size,           kNotStored, kLineShift, 1, 0, false},
});
// clang-format on

constexpr bool properties_ascend() {
  for (std::size_t i = 1; i < kProperties.size(); ++i) {
    if (kProperties[i].code <= kProperties[i - 1].code) return false;
  }
  return true;
}
static_assert(properties_ascend());

const PropertyRow* find_property(std::uint32_t code) {
  for (const PropertyRow& row : kProperties) {
    if (static_cast<std::uint32_t>(row.code) == code) return &row;
  }
  return nullptr;
}

// TLFS 2.0 asks for an active partition; the roots of later editions set properties before they initialize.
// Decided: both states will do.
bool has_properties(const Partition& partition) {
  return partition.state == PartitionState::active ||
         partition.state == PartitionState::uninitialized;
}

// Decided: a parent can grant what it has itself, apart from the privileges reserved to the root; the
// root's own are static.
Status set_privileges(const Caller& caller, Partition& partition, std::uint64_t value) {
  const std::uint64_t grantable = caller.partition.privileges & ~tlfs::kRootOnlyPrivileges;
  const bool root_itself = partition.parent == 0;
  const bool allowed = root_itself ? value == partition.privileges : (value & ~grantable) == 0;
  if (!allowed) return Status::property_value_out_of_range;
  partition.privileges = value;
  return Status::success;
}

template <class Wanted>
bool any_other(const Hypervisor& hv, const Partition& partition, Wanted wanted) {
  for (std::uint64_t p = hv.first_partition; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& other = *hv.at<Partition>(p);
    if (&other != &partition && wanted(other)) return true;
  }
  return false;
}

std::uint64_t reserved_by_others(const Hypervisor& hv, const Partition& partition) {
  std::uint64_t sum = 0;
  for (std::uint64_t p = hv.first_partition; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& other = *hv.at<Partition>(p);
    if (&other != &partition) sum += other.properties[0];
  }
  return sum;
}

Status check_value(const Hypervisor& hv, const Partition& partition, const PropertyRow& row,
                   std::uint64_t value) {
  // Decided: a property that only tells something is no target for a value.
  if (row.stored == kNotStored) return Status::invalid_parameter;
  if (value < row.least || value > row.most) return Status::property_value_out_of_range;
  const bool overbooked =
      row.code == Property::cpu_reserve && reserved_by_others(hv, partition) + value > kWhole;
  if (overbooked) return Status::property_value_out_of_range;
  const auto has_it = [&](const Partition& other) { return other.properties[row.stored] == value; };
  if (row.unique && value != 0 && any_other(hv, partition, has_it)) return Status::object_in_use;
  return Status::success;
}

}  // namespace

void set_default_properties(Partition& partition) {
  for (const PropertyRow& row : kProperties) {
    if (row.stored != kNotStored) partition.properties[row.stored] = row.initial;
  }
}

Outcome<tlfs::PropertyOutput> get_partition_property(Caller& caller,
                                                     const tlfs::GetPropertyInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target.status();
  const Partition& partition = **target;
  if (!has_properties(partition)) return Status::invalid_partition_state;
  const PropertyRow* const row = find_property(in.code);
  if (row == nullptr) return Status::unknown_property;
  if (row->code == Property::privilege_flags) return tlfs::PropertyOutput{partition.privileges};
  if (row->stored == kNotStored) return tlfs::PropertyOutput{row->initial};
  return tlfs::PropertyOutput{partition.properties[row->stored]};
}

Done set_partition_property(Caller& caller, const tlfs::SetPropertyInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target.status();
  Partition& partition = **target;
  if (!has_properties(partition)) return Status::invalid_partition_state;
  const PropertyRow* const row = find_property(in.code);
  if (row == nullptr) return Status::unknown_property;
  if (row->code == Property::privilege_flags) {
    const Status set = set_privileges(caller, partition, in.value);
    if (set != Status::success) return set;
    return kDone;
  }
  const Status refused = check_value(caller.hv, partition, *row, in.value);
  if (refused != Status::success) return refused;
  partition.properties[row->stored] = in.value;
  return kDone;
}

}  // namespace vitrine::hv
