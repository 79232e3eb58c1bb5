// Scenarios for the statuses of the calls on ports, messages and events: a table.
#include <array>

#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/port_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

constexpr std::uint32_t kMessage = 1;
constexpr std::uint32_t kEvent = 2;
constexpr std::uint32_t kSint = 2;

tl::CreatePortInput port_for_root(tl::PartitionId owner, std::uint32_t type = kMessage) {
  tl::CreatePortInput in{.port_partition = owner,
                         .port = 1,
                         .connection_partition = 1,
                         .info = {.type = type, .target_sint = kSint}};
  if (type == kEvent) in.info.flag_count = 16;
  return in;
}
tl::ConnectPortInput root_to(tl::PartitionId owner, std::uint32_t type = kMessage) {
  return {.connection_partition = 1,
          .connection = 5,
          .port_partition = owner,
          .port = 1,
          .info = {.type = type}};
}
Status create(Machine& m, const tl::CreatePortInput& in) {
  return m.call(Call::create_port, in).status;
}
Status connect(Machine& m, const tl::ConnectPortInput& in) {
  return m.call(Call::connect_port, in).status;
}
Status remove(Machine& m, tl::PartitionId id, std::uint32_t port) {
  return m.fast(Call::delete_port, tl::PortInput{.partition = id, .port = port}).status;
}
Status disconnect(Machine& m, tl::PartitionId id, std::uint32_t connection) {
  return m
      .fast(Call::disconnect_port, tl::ConnectionInput{.partition = id, .connection = connection})
      .status;
}
Status property(Machine& m, tl::PartitionId id, std::uint32_t port, std::uint32_t code) {
  tl::PropertyOutput out;
  return m
      .call(Call::get_port_property,
            tl::GetPortPropertyInput{.partition = id, .port = port, .code = code}, out)
      .status;
}
Status post(Machine& m, std::uint32_t type = 1, std::uint32_t size = 0) {
  return m
      .call(Call::post_message,
            tl::PostMessageInput{.connection = 5, .type = type, .payload_size = size})
      .status;
}
Status signal(Machine& m, std::uint16_t flag = 0) {
  return m.fast(Call::signal_event, tl::SignalEventInput{.connection = 5, .flag = flag}).status;
}

void expect(Status status) {
  if (status != Status::success) throw std::logic_error("a scene is not what it should be");
}

// A child with a VP and a port that the root is connected to.
tl::PartitionId connected(Machine& m, std::uint32_t type = kMessage, bool synic = true) {
  const auto id = m.active_child(64, 1);
  expect(create(m, port_for_root(id, type)));
  m.deposit(tl::kSelf, 1);
  expect(connect(m, root_to(id, type)));
  if (synic) m.enable_synic(m.vp(id, 0), 5, 6);
  return id;
}

tl::PartitionId with_port(Machine& m) {
  const auto id = m.active_child(64, 1);
  expect(create(m, port_for_root(id)));
  return id;
}

// clang-format off
constexpr auto kCases = std::to_array<StatusCase>({
  {Call::create_port, Status::success, [](Machine& m) { return create(m, port_for_root(m.active_child(64, 1))); }},
  {Call::create_port, Status::access_denied, [](Machine& m) { Guest g = privileged_child(m); return create(m, port_for_root(child_of(m, g))); }},
  {Call::create_port, Status::invalid_partition_id, [](Machine& m) { return create(m, port_for_root(1)); }},
  {Call::create_port, Status::invalid_port_id, [](Machine& m) { return create(m, port_for_root(with_port(m))); }},
  {Call::create_port, Status::invalid_vp_index, [](Machine& m) { return create(m, port_for_root(m.active_child())); }},
  {Call::create_port, Status::invalid_parameter,
   [](Machine& m) { auto in = port_for_root(m.active_child(64, 1)); in.info.target_sint = 0; return create(m, in); }},
  {Call::create_port, Status::invalid_partition_state, [](Machine& m) { return create(m, port_for_root(m.create_child())); }},
  {Call::create_port, Status::insufficient_memory, [](Machine& m) { return create(m, port_for_root(m.active_child(12, 1))); }},

  {Call::delete_port, Status::success, [](Machine& m) { return remove(m, with_port(m), 1); }},
  {Call::delete_port, Status::access_denied, [](Machine& m) { Guest g = privileged_child(m); return remove(m, child_of(m, g), 1); }},
  {Call::delete_port, Status::invalid_partition_id, [](Machine& m) { return remove(m, kNobody, 1); }},
  {Call::delete_port, Status::invalid_port_id, [](Machine& m) { return remove(m, with_port(m), 2); }},
  {Call::delete_port, Status::invalid_partition_state, [](Machine& m) { return remove(m, m.create_child(), 1); }},

  {Call::connect_port, Status::success, [](Machine& m) { const auto id = with_port(m); m.deposit(tl::kSelf, 1); return connect(m, root_to(id)); }},
  {Call::connect_port, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); const auto id = child_of(m, g); auto in = root_to(1); in.connection_partition = id; return connect(m, in); }},
  {Call::connect_port, Status::invalid_partition_id, [](Machine& m) { return connect(m, root_to(kNobody)); }},
  {Call::connect_port, Status::invalid_connection_id, [](Machine& m) { return connect(m, root_to(connected(m))); }},
  {Call::connect_port, Status::invalid_port_id, [](Machine& m) { return connect(m, root_to(m.active_child(64, 1))); }},
  {Call::connect_port, Status::invalid_parameter, [](Machine& m) { return connect(m, root_to(with_port(m), kEvent)); }},
  {Call::connect_port, Status::invalid_partition_state, [](Machine& m) { return connect(m, root_to(m.create_child())); }},
  {Call::connect_port, Status::insufficient_memory, [](Machine& m) { return connect(m, root_to(with_port(m))); }},

  {Call::get_port_property, Status::success, [](Machine& m) { return property(m, with_port(m), 1, 0); }},
  {Call::get_port_property, Status::access_denied, [](Machine& m) { Guest g = privileged_child(m); return property(m, child_of(m, g), 1, 0); }},
  {Call::get_port_property, Status::invalid_partition_id, [](Machine& m) { return property(m, kNobody, 1, 0); }},
  {Call::get_port_property, Status::invalid_port_id, [](Machine& m) { return property(m, with_port(m), 2, 0); }},
  {Call::get_port_property, Status::unknown_property, [](Machine& m) { return property(m, with_port(m), 1, 2); }},

  {Call::disconnect_port, Status::success, [](Machine& m) { connected(m); return disconnect(m, tl::kSelf, 5); }},
  {Call::disconnect_port, Status::access_denied, [](Machine& m) { Guest g = privileged_child(m); return disconnect(m, child_of(m, g), 5); }},
  {Call::disconnect_port, Status::invalid_partition_id, [](Machine& m) { return disconnect(m, kNobody, 5); }},
  {Call::disconnect_port, Status::invalid_connection_id, [](Machine& m) { return disconnect(m, tl::kSelf, 5); }},
  {Call::disconnect_port, Status::invalid_partition_state, [](Machine& m) { return disconnect(m, m.create_child(), 5); }},

  {Call::post_message, Status::success, [](Machine& m) { connected(m); return post(m); }},
  {Call::post_message, Status::access_denied,
   [](Machine& m) {
     Guest g = m.guest_of(m.active_child(64, 1));
     return m.call(g, Call::post_message, Machine::bytes(tl::PostMessageInput{}), {}).status;
   }},
  {Call::post_message, Status::invalid_connection_id, [](Machine& m) { return post(m); }},
  {Call::post_message, Status::invalid_port_id, [](Machine& m) { remove(m, connected(m), 1); return post(m); }},
  {Call::post_message, Status::invalid_parameter, [](Machine& m) { connected(m); return post(m, 1, 241); }},
  {Call::post_message, Status::insufficient_buffers,
   [](Machine& m) {
     connected(m);
     for (int i = 0; i < 17; ++i) expect(post(m));  // one in the slot, sixteen wait
     return post(m);
   }},
  {Call::post_message, Status::invalid_vp_index,
   [](Machine& m) { const auto id = connected(m); m.fast(Call::delete_vp, tl::VpInput{.partition = id}); return post(m); }},
  {Call::post_message, Status::invalid_synic_state, [](Machine& m) { connected(m, kMessage, false); return post(m); }},

  {Call::signal_event, Status::success, [](Machine& m) { connected(m, kEvent); return signal(m, 3); }},
  {Call::signal_event, Status::access_denied,
   [](Machine& m) { Guest g = m.guest_of(m.active_child(64, 1)); return m.fast(g, Call::signal_event, tl::SignalEventInput{}).status; }},
  {Call::signal_event, Status::invalid_connection_id, [](Machine& m) { return signal(m); }},
  {Call::signal_event, Status::invalid_port_id, [](Machine& m) { connected(m, kMessage); return signal(m); }},
  {Call::signal_event, Status::invalid_parameter, [](Machine& m) { connected(m, kEvent); return signal(m, 16); }},
  {Call::signal_event, Status::invalid_vp_index,
   [](Machine& m) { const auto id = connected(m, kEvent); m.fast(Call::delete_vp, tl::VpInput{.partition = id}); return signal(m); }},
  {Call::signal_event, Status::invalid_synic_state, [](Machine& m) { connected(m, kEvent, false); return signal(m); }},
});
// clang-format on

}  // namespace

std::span<const StatusCase> port_cases() { return kCases; }

}  // namespace vitrine::test
