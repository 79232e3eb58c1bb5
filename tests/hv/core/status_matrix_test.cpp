// Every call and every status documented for it: a scenario that answers it, or the reason why none can.
#include <catch2/catch.hpp>

#include <array>

#include "hv/tlfs/call_statuses.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {

namespace tl = hv::tlfs;

void grant(Machine& machine, tl::PartitionId id, std::uint64_t privileges) {
  const tl::SetPropertyInput in{.partition = id, .code = 0x00010000, .value = privileges};
  if (machine.call(Call::set_partition_property, in).status != Status::success) {
    throw std::logic_error("grant");
  }
}

Guest privileged_child(Machine& machine, std::uint64_t pool) {
  const auto id = machine.active_child(pool, 1);
  grant(machine, id, tl::kDefinedPrivileges & ~tl::kRootOnlyPrivileges);
  return machine.guest_of(id);
}

tl::PartitionId child_of(Machine& machine, Guest& parent) {
  tl::PartitionOutput out;
  const Answer answer =
      machine.call(parent, Call::create_partition, Machine::bytes(tl::CreatePartitionInput{}),
                   Machine::writable(out));
  if (answer.status != Status::success) throw std::logic_error("child_of");
  return out.partition;
}

Guest grandchild_guest(Machine& machine, Guest& parent) {
  constexpr std::uint64_t kPool = 0x400;  // page numbers in the parent
  constexpr std::uint64_t kData = 0x500;
  constexpr std::uint64_t kCount = 40;
  const auto must = [](const Answer& answer) {
    if (answer.status != Status::success) throw std::logic_error("grandchild_guest");
  };
  machine.map_fresh(parent.vp->partition_id, kPool, kCount);
  machine.map_fresh(parent.vp->partition_id, kData, 3);
  const auto id = child_of(machine, parent);
  std::vector<tl::GpaPageElement> list(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) list[i].page = kPool + i;
  must(machine.rep(parent, Call::deposit_memory, tl::PartitionInput{id}, list));
  must(machine.fast(parent, Call::initialize_partition, tl::PartitionInput{id}));
  must(machine.call(parent, Call::create_vp, Machine::bytes(tl::CreateVpInput{.partition = id}),
                    {}));
  const tl::SetPropertyInput all{.partition = id,
                                 .code = 0x00010000,
                                 .value = hv::partition_of(machine.hv, *parent.vp).privileges};
  must(machine.call(parent, Call::set_partition_property, Machine::bytes(all), {}));
  const std::vector<tl::GpaPageElement> data{{kData}, {kData + 1}, {kData + 2}};
  must(
      machine.rep(parent, Call::map_gpa_pages, tl::MapGpaInput{.partition = id, .flags = 7}, data));
  Guest guest{.vp = &machine.vp(id, 0), .input = 0, .output = kPageSize};
  machine.write_msr(*guest.vp, tl::Msr::guest_os_id, 1);
  machine.write_msr(*guest.vp, tl::Msr::hypercall, 2 * kPageSize + 1);
  return guest;
}

tl::PartitionId finalized_child(Machine& machine) {
  const auto id = machine.active_child();
  if (machine.finalize(id).status != Status::success) throw std::logic_error("finalized_child");
  return id;
}

namespace {

// clang-format off
constexpr auto kImpossible = std::to_array<Impossible>({
  {Call::initialize_partition,      Status::no_resources,        "initializing has no limit but memory"},
  {Call::set_partition_property,    Status::insufficient_memory, "no property here takes memory"},
  {Call::create_vp,                 Status::no_resources,        "the limit on virtual processors is one on their index"},
  {Call::set_vp_registers,          Status::invalid_vp_state,    "a virtual processor is parked for the call whatever its state"},
  {Call::translate_virtual_address, Status::invalid_vp_state,    "a virtual processor is parked for the call whatever its state"},
  {Call::create_port,               Status::no_resources,        "ports have no limit but memory"},
  {Call::create_port,               Status::invalid_alignment,   "monitor ports, whose page would be aligned, are not offered"},
  {Call::connect_port,              Status::no_resources,        "connections have no limit but memory"},
  {Call::connect_port,              Status::invalid_alignment,   "monitor ports, whose page would be aligned, are not offered"},
  {Call::map_event_log_buffer,      Status::insufficient_memory, "the pages are taken when the buffer is created"},
});
// clang-format on

std::vector<StatusCase> all_cases() {
  std::vector<StatusCase> cases;
  for (const auto part :
       {partition_cases(), vp_cases(), port_cases(), event_log_cases(), system_cases()}) {
    cases.insert(cases.end(), part.begin(), part.end());
  }
  return cases;
}

bool has_case(Call call, Status status) {
  for (const StatusCase& scene : all_cases()) {
    if (scene.call == call && scene.status == status) return true;
  }
  return false;
}

bool is_impossible(Call call, Status status) {
  for (const Impossible& row : kImpossible) {
    if (row.call == call && row.status == status) return true;
  }
  return false;
}

std::string name_of(Call call, Status status) {
  const tl::CallCode* const row = tl::find_call(static_cast<std::uint16_t>(call));
  return std::string(row->name) + ": " + std::string(tl::status_name(status));
}

TEST_CASE("each documented status of each implemented call has a scenario or cannot occur",
          "[hv]") {
  for (const hv::CallRow& row : hv::call_table()) {
    INFO(name_of(row.code, Status::success));
    CHECK(has_case(row.code, Status::success));
  }
  for (const tl::CallStatus& row : tl::kCallStatuses) {
    INFO(name_of(row.call, row.status));
    CHECK(hv::find_call_row(static_cast<std::uint16_t>(row.call)) != nullptr);
    CHECK(has_case(row.call, row.status) != is_impossible(row.call, row.status));
  }
}

TEST_CASE("each implemented call has its statuses listed", "[hv]") {
  for (const hv::CallRow& row : hv::call_table()) {
    bool listed = false;
    for (const tl::CallStatus& status : tl::kCallStatuses) listed |= status.call == row.code;
    INFO(name_of(row.code, Status::success));
    CHECK(listed);
  }
}

TEST_CASE("no scenario answers a status that is not documented for its call", "[hv]") {
  for (const StatusCase& scene : all_cases()) {
    bool listed = scene.status == Status::success;
    for (const tl::CallStatus& status : tl::kCallStatuses) {
      listed |= status.call == scene.call && status.status == scene.status;
    }
    INFO(name_of(scene.call, scene.status));
    CHECK(listed);
  }
}

TEST_CASE("each scenario answers its status and leaves every page accounted for", "[hv]") {
  for (const StatusCase& scene : all_cases()) {
    Machine machine(1, hv::Identity::enlightened, 2048);
    INFO(name_of(scene.call, scene.status));
    const Status status = scene.run(machine);
    CHECK(tl::status_name(status) == tl::status_name(scene.status));
    CHECK(machine.check() == "");
  }
}

}  // namespace
}  // namespace vitrine::test
