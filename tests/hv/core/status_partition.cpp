// Scenarios for the statuses of the calls on address spaces, partitions and pools: a table.
#include <array>

#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

Status create(Machine& m, Guest& guest, const tl::CreatePartitionInput& in = {}) {
  tl::PartitionOutput out;
  return m.call(guest, Call::create_partition, Machine::bytes(in), Machine::writable(out)).status;
}

Status on_partition(Machine& m, Call call, tl::PartitionId id) {
  return m.fast(call, tl::PartitionInput{id}).status;
}

Status get_property(Machine& m, tl::PartitionId id, std::uint32_t code) {
  tl::PropertyOutput out;
  return m
      .call(Call::get_partition_property, tl::GetPropertyInput{.partition = id, .code = code}, out)
      .status;
}

Status set_property(Machine& m, tl::PartitionId id, std::uint32_t code, std::uint64_t value) {
  return m
      .call(Call::set_partition_property,
            tl::SetPropertyInput{.partition = id, .code = code, .value = value})
      .status;
}

Status next_child(Machine& m, tl::PartitionId parent, tl::PartitionId previous) {
  tl::PartitionOutput out;
  return m.call(Call::get_next_child_partition, tl::NextChildInput{parent, previous}, out).status;
}

Status deposit_one(Machine& m, Guest& guest, tl::PartitionId id, std::uint64_t page) {
  return m
      .rep(guest, Call::deposit_memory, tl::PartitionInput{id},
           std::vector{tl::GpaPageElement{page}})
      .status;
}

Status withdraw(Machine& m, Guest& guest, const tl::PoolInput& in, std::uint32_t count = 1) {
  std::vector<std::uint64_t> pages(count);
  return m
      .call(guest, Call::withdraw_memory, Machine::bytes(in),
            std::as_writable_bytes(std::span(pages)), count)
      .status;
}

Status balance(Machine& m, Guest& guest, const tl::PoolInput& in) {
  tl::BalanceOutput out;
  return m.call(guest, Call::get_memory_balance, Machine::bytes(in), Machine::writable(out)).status;
}

Guest plain_child(Machine& m) { return m.guest_of(m.active_child(64, 1)); }

constexpr tl::ProximityInfo kNowhere{.domain = 7, .flags = tl::ProximityInfo::kValid};
constexpr std::uint32_t kReserve = 0x00020001;
constexpr std::uint32_t kDebugChannel = 0x00040000;
constexpr std::uint32_t kVendor = 0x00060000;
constexpr std::uint32_t kUnknown = 0x12345678;

Status flush(Machine& m, std::uint64_t flags) {
  return m
      .call(Call::flush_virtual_address_space,
            tl::FlushSpaceInput{.flags = flags, .processor_mask = 1})
      .status;
}

Status flush_list(Machine& m, std::uint64_t flags) {
  return m
      .rep(m.root(), Call::flush_virtual_address_list,
           tl::FlushSpaceInput{.flags = flags, .processor_mask = 1},
           std::vector{tl::GvaRange{0x5000}})
      .status;
}

// clang-format off
constexpr auto kCases = std::to_array<StatusCase>({
  {Call::switch_virtual_address_space, Status::success,
   [](Machine& m) { return m.fast(Call::switch_virtual_address_space, tl::SwitchSpaceInput{0x1000}).status; }},
  {Call::switch_virtual_address_space, Status::invalid_parameter,
   [](Machine& m) { return m.fast(Call::switch_virtual_address_space, tl::SwitchSpaceInput{std::uint64_t{1} << 62}).status; }},
  {Call::flush_virtual_address_space, Status::success,           [](Machine& m) { return flush(m, 7); }},
  {Call::flush_virtual_address_space, Status::invalid_parameter, [](Machine& m) { return flush(m, 8); }},
  {Call::flush_virtual_address_list,  Status::success,           [](Machine& m) { return flush_list(m, 3); }},
  {Call::flush_virtual_address_list,  Status::invalid_parameter, [](Machine& m) { return flush_list(m, 4); }},

  {Call::create_partition, Status::success, [](Machine& m) { m.deposit(tl::kSelf, 1); return create(m, m.root()); }},
  {Call::create_partition, Status::access_denied, [](Machine& m) { Guest g = plain_child(m); return create(m, g); }},
  {Call::create_partition, Status::invalid_parameter, [](Machine& m) { return create(m, m.root(), {.flags = 1}); }},
  {Call::create_partition, Status::partition_too_deep,
   [](Machine& m) {
     Guest child = privileged_child(m);
     Guest grandchild = grandchild_guest(m, child);
     return create(m, grandchild);
   }},
  {Call::create_partition, Status::insufficient_memory, [](Machine& m) { return create(m, m.root()); }},
  {Call::create_partition, Status::no_resources,
   [](Machine& m) {
     m.deposit(tl::kSelf, 200);
     for (int i = 0; i < 127; ++i) {
       if (create(m, m.root()) != Status::success) return Status::no_data;
     }
     return create(m, m.root());
   }},

  {Call::initialize_partition, Status::success,
   [](Machine& m) { const auto id = m.create_child(); m.deposit(id, 8); return on_partition(m, Call::initialize_partition, id); }},
  {Call::initialize_partition, Status::access_denied, [](Machine& m) { return on_partition(m, Call::initialize_partition, 1); }},
  {Call::initialize_partition, Status::invalid_partition_id, [](Machine& m) { return on_partition(m, Call::initialize_partition, kNobody); }},
  {Call::initialize_partition, Status::invalid_partition_state, [](Machine& m) { return on_partition(m, Call::initialize_partition, m.active_child()); }},
  {Call::initialize_partition, Status::insufficient_memory,
   [](Machine& m) { const auto id = m.create_child(); m.deposit(id, 4); return on_partition(m, Call::initialize_partition, id); }},

  {Call::finalize_partition, Status::success, [](Machine& m) { return m.finalize(m.active_child()).status; }},
  {Call::finalize_partition, Status::access_denied, [](Machine& m) { return m.finalize(tl::kSelf).status; }},
  {Call::finalize_partition, Status::invalid_partition_id, [](Machine& m) { return m.finalize(kNobody).status; }},
  {Call::finalize_partition, Status::operation_denied,
   [](Machine& m) { Guest g = privileged_child(m); child_of(m, g); return m.finalize(g.vp->partition_id).status; }},
  {Call::finalize_partition, Status::invalid_partition_state, [](Machine& m) { return m.finalize(m.create_child()).status; }},

  {Call::delete_partition, Status::success, [](Machine& m) { return on_partition(m, Call::delete_partition, m.create_child()); }},
  {Call::delete_partition, Status::access_denied, [](Machine& m) { return on_partition(m, Call::delete_partition, 1); }},
  {Call::delete_partition, Status::invalid_partition_id, [](Machine& m) { return on_partition(m, Call::delete_partition, 0); }},
  {Call::delete_partition, Status::operation_denied, [](Machine& m) { return on_partition(m, Call::delete_partition, finalized_child(m)); }},
  {Call::delete_partition, Status::invalid_partition_state, [](Machine& m) { return on_partition(m, Call::delete_partition, m.active_child()); }},

  {Call::get_partition_property, Status::success, [](Machine& m) { return get_property(m, m.active_child(), kReserve); }},
  {Call::get_partition_property, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); return get_property(m, child_of(m, g), kReserve); }},
  {Call::get_partition_property, Status::invalid_partition_id, [](Machine& m) { return get_property(m, kNobody, kReserve); }},
  {Call::get_partition_property, Status::unknown_property, [](Machine& m) { return get_property(m, tl::kSelf, kUnknown); }},
  {Call::get_partition_property, Status::invalid_partition_state, [](Machine& m) { return get_property(m, finalized_child(m), kReserve); }},

  {Call::set_partition_property, Status::success, [](Machine& m) { return set_property(m, m.create_child(), kReserve, 0x8000); }},
  {Call::set_partition_property, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); return set_property(m, child_of(m, g), kReserve, 1); }},
  {Call::set_partition_property, Status::invalid_partition_id, [](Machine& m) { return set_property(m, kNobody, kReserve, 1); }},
  {Call::set_partition_property, Status::unknown_property, [](Machine& m) { return set_property(m, m.create_child(), kUnknown, 1); }},
  {Call::set_partition_property, Status::property_value_out_of_range,
   [](Machine& m) {
     if (set_property(m, m.create_child(), kReserve, 0x10000) != Status::success) return Status::no_data;
     return set_property(m, m.create_child(), kReserve, 1);
   }},
  {Call::set_partition_property, Status::object_in_use,
   [](Machine& m) {
     if (set_property(m, m.create_child(), kDebugChannel, 5) != Status::success) return Status::no_data;
     return set_property(m, m.create_child(), kDebugChannel, 5);
   }},
  {Call::set_partition_property, Status::invalid_parameter, [](Machine& m) { return set_property(m, m.create_child(), kVendor, 1); }},
  {Call::set_partition_property, Status::invalid_partition_state, [](Machine& m) { return set_property(m, finalized_child(m), kReserve, 1); }},

  {Call::get_partition_id, Status::success,
   [](Machine& m) { tl::PartitionOutput out; return m.call(Call::get_partition_id, tl::Nothing{}, out).status; }},
  {Call::get_partition_id, Status::access_denied,
   [](Machine& m) {
     Guest g = plain_child(m);
     tl::PartitionOutput out;
     return m.call(g, Call::get_partition_id, {}, Machine::writable(out)).status;
   }},

  {Call::get_next_child_partition, Status::success, [](Machine& m) { return next_child(m, tl::kSelf, 0); }},
  {Call::get_next_child_partition, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); return next_child(m, child_of(m, g), 0); }},
  {Call::get_next_child_partition, Status::invalid_partition_id, [](Machine& m) { return next_child(m, 1, kNobody); }},

  {Call::deposit_memory, Status::success, [](Machine& m) { return deposit_one(m, m.root(), m.create_child(), m.fresh_page()); }},
  {Call::deposit_memory, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); return deposit_one(m, g, tl::kSelf, 0x100); }},
  {Call::deposit_memory, Status::invalid_partition_id, [](Machine& m) { return deposit_one(m, m.root(), kNobody, m.fresh_page()); }},
  {Call::deposit_memory, Status::operation_denied,
   [](Machine& m) {
     const auto id = m.create_child();
     const std::uint64_t page = m.fresh_page();
     if (deposit_one(m, m.root(), id, page) != Status::success) return Status::no_data;
     return deposit_one(m, m.root(), id, page);
   }},
  {Call::deposit_memory, Status::invalid_partition_state, [](Machine& m) { return deposit_one(m, m.root(), finalized_child(m), m.fresh_page()); }},
  {Call::deposit_memory, Status::object_in_use,
   [](Machine& m) {
     const std::uint64_t page = m.fresh_page();
     m.enable_synic(*m.root().vp, page, m.fresh_page());
     return deposit_one(m, m.root(), tl::kSelf, page);
   }},

  {Call::withdraw_memory, Status::success, [](Machine& m) { return withdraw(m, m.root(), {.partition = m.active_child()}); }},
  {Call::withdraw_memory, Status::access_denied, [](Machine& m) { Guest g = plain_child(m); return withdraw(m, g, {.partition = tl::kSelf}); }},
  {Call::withdraw_memory, Status::invalid_partition_id, [](Machine& m) { return withdraw(m, m.root(), {.partition = kNobody}); }},
  {Call::withdraw_memory, Status::invalid_parameter,
   [](Machine& m) { return withdraw(m, m.root(), {.partition = m.active_child(), .proximity = kNowhere}); }},
  {Call::withdraw_memory, Status::no_resources, [](Machine& m) { return withdraw(m, m.root(), {.partition = m.create_child()}); }},

  {Call::get_memory_balance, Status::success, [](Machine& m) { return balance(m, m.root(), {.partition = tl::kSelf}); }},
  {Call::get_memory_balance, Status::access_denied, [](Machine& m) { Guest g = plain_child(m); return balance(m, g, {.partition = tl::kSelf}); }},
  {Call::get_memory_balance, Status::invalid_partition_id, [](Machine& m) { return balance(m, m.root(), {.partition = kNobody}); }},
  {Call::get_memory_balance, Status::invalid_parameter,
   [](Machine& m) { return balance(m, m.root(), {.partition = tl::kSelf, .proximity = {.flags = 4}}); }},
});
// clang-format on

}  // namespace

std::span<const StatusCase> partition_cases() { return kCases; }

}  // namespace vitrine::test
