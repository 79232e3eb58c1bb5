// The order of refusals: calls that are wrong in two ways answer for the first.
#include <catch2/catch.hpp>

#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/port_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

Status by(Machine& m, Guest& guest, Call call, tl::PartitionId id) {
  return m.fast(guest, call, tl::PartitionInput{id}).status;
}

TEST_CASE("finalize: unknown, not a child, children, state, in this order", "[hv][0x0042]") {
  Machine m;
  Guest child = privileged_child(m);
  const auto id = child.vp->partition_id;
  const auto grandchild = child_of(m, child);
  const auto finalize = [&](Guest& guest, tl::PartitionId target) {
    return by(m, guest, Call::finalize_partition, target);
  };
  CHECK(finalize(m.root(), kNobody) == Status::invalid_partition_id);
  // Itself, its parent, a grandchild: not the caller's children, whatever their state and children.
  CHECK(finalize(m.root(), 1) == Status::access_denied);
  CHECK(finalize(m.root(), tl::kSelf) == Status::access_denied);
  CHECK(finalize(child, 1) == Status::access_denied);
  CHECK(finalize(child, tl::kSelf) == Status::access_denied);
  CHECK(finalize(m.root(), grandchild) == Status::access_denied);  // and uninitialized
  CHECK(finalize(m.root(), id) == Status::operation_denied);
  // Children and a wrong state at once cannot be made by calls: only an active partition has children.
  m.partition(id).state = hv::PartitionState::finalized;
  CHECK(finalize(m.root(), id) == Status::operation_denied);
  m.partition(id).state = hv::PartitionState::active;
  // No privilege is asked for: a plain child's call is judged by its target.
  grant(m, id, tl::kChildPrivileges);
  CHECK(finalize(child, kNobody) == Status::invalid_partition_id);
  CHECK(finalize(child, grandchild) == Status::invalid_partition_state);
}

TEST_CASE("every state but active and finalizing is refused by finalize", "[hv][0x0042]") {
  Machine m;
  const auto fresh = m.create_child();
  CHECK(m.finalize(fresh).status == Status::invalid_partition_state);
  const auto done = finalized_child(m);
  CHECK(m.finalize(done).status == Status::invalid_partition_state);
}

TEST_CASE("delete: unknown, not a child, state, pool, in this order", "[hv][0x0043]") {
  Machine m;
  const auto active = m.active_child();  // wrong state and a full pool
  CHECK(by(m, m.root(), Call::delete_partition, active) == Status::invalid_partition_state);
  const auto fresh = m.create_child();
  m.deposit(fresh, 1);
  CHECK(by(m, m.root(), Call::delete_partition, fresh) == Status::operation_denied);
  CHECK(m.withdraw_all(fresh) == 1);
  CHECK(by(m, m.root(), Call::delete_partition, fresh) == Status::success);
  CHECK(by(m, m.root(), Call::delete_partition, fresh) == Status::invalid_partition_id);
}

TEST_CASE("create: flags before depth, limit before memory", "[hv][0x0040]") {
  Machine m;
  Guest child = privileged_child(m);
  Guest grandchild = grandchild_guest(m, child);
  tl::PartitionOutput out;
  const auto create = [&](Guest& guest, const tl::CreatePartitionInput& in) {
    return m.call(guest, Call::create_partition, Machine::bytes(in), Machine::writable(out)).status;
  };
  CHECK(create(grandchild, {.flags = 1}) == Status::invalid_parameter);
  CHECK(create(grandchild, {}) == Status::partition_too_deep);
  hv::Hypervisor& hv = m.hv;
  const auto available = hv.root().pool.available;
  REQUIRE(available == 0);
  const auto count = hv.partition_count;
  hv.partition_count = 128;
  CHECK(create(m.root(), {}) == Status::no_resources);
  hv.partition_count = count;
  CHECK(create(m.root(), {}) == Status::insufficient_memory);
}

TEST_CASE("properties: partition, state, code, value", "[hv][0x0044][0x0045]") {
  Machine m;
  const auto done = finalized_child(m);
  const auto set = [&](tl::PartitionId id, std::uint32_t code, std::uint64_t value) {
    return m
        .call(Call::set_partition_property,
              tl::SetPropertyInput{.partition = id, .code = code, .value = value})
        .status;
  };
  CHECK(set(kNobody, 0xFFFF, 0) == Status::invalid_partition_id);
  CHECK(set(done, 0xFFFF, 0) == Status::invalid_partition_state);
  const auto child = m.create_child();
  CHECK(set(child, 0xFFFF, ~std::uint64_t{0}) == Status::unknown_property);
  // Privileges: what the root has, without those it keeps to itself; its own are static.
  CHECK(set(child, 0x10000, tl::mask_of(tl::Privilege::debugging)) ==
        Status::property_value_out_of_range);
  CHECK(set(child, 0x10000, std::uint64_t{1} << 60) == Status::property_value_out_of_range);
  CHECK(set(child, 0x10000, tl::mask_of(tl::Privilege::create_partitions)) == Status::success);
  CHECK(set(tl::kSelf, 0x10000, 0) == Status::property_value_out_of_range);
  CHECK(set(tl::kSelf, 0x10000, m.hv.root().privileges) == Status::success);
  CHECK(set(child, 0x20003, 0) == Status::property_value_out_of_range);
}

TEST_CASE("a privilege is missed before its parameters are looked at", "[hv][0x0048][0x005C]") {
  Machine m;
  Guest plain = m.guest_of(m.active_child(64, 1));
  CHECK(m.rep(plain, Call::deposit_memory, tl::PartitionInput{kNobody},
              std::vector{tl::GpaPageElement{0}})
            .status == Status::access_denied);
  CHECK(m.call(plain, Call::post_message, Machine::bytes(tl::PostMessageInput{.connection = 9}), {})
            .status == Status::access_denied);
}

TEST_CASE("calls on processors: partition, state, index, values, memory", "[hv][0x004E]") {
  Machine m;
  const auto fresh = m.create_child();
  const auto create = [&](const tl::CreateVpInput& in) {
    return m.call(Call::create_vp, in).status;
  };
  CHECK(create({.partition = kNobody, .vp = 99}) == Status::invalid_partition_id);
  CHECK(create({.partition = 1, .vp = 99}) == Status::access_denied);
  CHECK(create({.partition = fresh, .vp = 99}) == Status::invalid_partition_state);
  const auto child = m.active_child(6);
  CHECK(create({.partition = child, .vp = 99, .flags = 1}) == Status::invalid_vp_index);
  CHECK(create({.partition = child, .flags = 1}) == Status::invalid_parameter);
  CHECK(create({.partition = child}) == Status::insufficient_memory);
}

TEST_CASE("ports: partitions, access, states, port, processor, values, memory", "[hv][0x0057]") {
  Machine m;
  Guest child = privileged_child(m, 32);
  const auto id = child.vp->partition_id;
  const auto grandchild = child_of(m, child);
  const auto create = [&](tl::CreatePortInput in) { return m.call(Call::create_port, in).status; };
  const tl::PortInfo bad{.type = 9, .target_sint = 0, .target_vp = 40};
  CHECK(create({.port_partition = grandchild, .connection_partition = kNobody, .info = bad}) ==
        Status::invalid_partition_id);
  CHECK(create({.port_partition = grandchild, .connection_partition = 1, .info = bad}) ==
        Status::access_denied);
  CHECK(create({.port_partition = id,
                .port = 1U << 24,
                .connection_partition = grandchild,
                .info = bad}) == Status::invalid_partition_state);
  CHECK(create({.port_partition = id, .port = 1U << 24, .connection_partition = 1, .info = bad}) ==
        Status::invalid_port_id);
  CHECK(create({.port_partition = id, .connection_partition = 1, .info = bad}) ==
        Status::invalid_vp_index);
  CHECK(create({.port_partition = id, .connection_partition = 1, .info = {.type = 9}}) ==
        Status::invalid_parameter);
  while (m.partition(id).pool.available > 1) {
    REQUIRE(m.call(m.root(), Call::withdraw_memory, Machine::bytes(tl::PoolInput{.partition = id}),
                   {}, 1)
                .reps == 1);
  }
  CHECK(create({.port_partition = id,
                .connection_partition = 1,
                .info = {.type = 1, .target_sint = 1}}) == Status::insufficient_memory);
}

TEST_CASE("mapping: partition, state, values, then page by page", "[hv][0x004B]") {
  Machine m;
  const auto map = [&](const tl::MapGpaInput& in, std::uint64_t source) {
    return m.rep(m.root(), Call::map_gpa_pages, in, std::vector{tl::GpaPageElement{source}}).status;
  };
  const std::uint64_t nowhere = m.hv.page_count;
  CHECK(map({.partition = kNobody, .flags = 2}, nowhere) == Status::invalid_partition_id);
  CHECK(map({.partition = m.create_child(), .flags = 2}, nowhere) ==
        Status::invalid_partition_state);
  const auto child = m.active_child(5);
  CHECK(map({.partition = child, .flags = 2}, nowhere) == Status::invalid_parameter);
  CHECK(map({.partition = child, .flags = 8}, nowhere) == Status::invalid_parameter);
  CHECK(map({.partition = child, .gpa_base = hv::kGpaPages, .flags = 7}, nowhere) ==
        Status::invalid_parameter);
  CHECK(map({.partition = child, .flags = 7}, nowhere) == Status::operation_denied);
  CHECK(map({.partition = child, .flags = 7}, m.fresh_page()) == Status::insufficient_memory);
  CHECK(m.check() == "");
}

}  // namespace
}  // namespace vitrine::test
