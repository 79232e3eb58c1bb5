// The test device. Its protocol is that of QEMU's hyperv-testdev, which bare-metal tests are written for.
#include "hv/core/test_device.h"

#include "hv/core/call.h"
#include "hv/core/synic.h"

namespace vitrine::hv {
namespace {

using Kind = TestConnection::Kind;

// A route needs no state here: a SINT can be raised at any time.
enum class Command : std::uint8_t {
  create_route = 1,
  destroy_route,
  raise_sint,
  create_message,
  destroy_message,
  create_event,
  destroy_event
};

TestConnection* find(Hypervisor& hv, Kind kind, std::uint32_t id) {
  if (hv.test_device.enabled == 0) return nullptr;
  for (TestConnection& connection : hv.test_device.connections) {
    if (connection.kind == kind && connection.id == id) return &connection;
  }
  return nullptr;
}

// Making what is there replaces it; beyond the last place nothing is made.
void create(Hypervisor& hv, std::uint32_t processor, Kind kind, std::uint8_t id, std::uint8_t vp,
            std::uint8_t sint) {
  TestConnection* connection = find(hv, kind, id);
  if (connection != nullptr) {
    unqueue_message(hv, processor, connection->buffer);
  } else {
    connection = find(hv, Kind::none, 0);
  }
  if (connection == nullptr) return;
  *connection = TestConnection{};
  connection->kind = kind;
  connection->id = id;
  connection->vp = vp;
  connection->sint = sint;
  connection->buffer.message = hv.address_of(&connection->message);
}

void destroy(Hypervisor& hv, std::uint32_t processor, Kind kind, std::uint8_t id) {
  TestConnection* const connection = find(hv, kind, id);
  if (connection == nullptr) return;
  unqueue_message(hv, processor, connection->buffer);
  *connection = TestConnection{};
}

}  // namespace

void write_test_device(Hypervisor& hv, std::uint32_t processor, std::uint32_t word) {
  const auto sint = static_cast<std::uint8_t>(word);
  const auto index = static_cast<std::uint8_t>(word >> 8);
  const auto id = static_cast<std::uint8_t>(word >> 24);
  const Guard guard(hv, processor, hv.tree_lock);
  VirtualProcessor* const vp = find_vp(hv, hv.root(), index);
  if (hv.test_device.enabled == 0 || vp == nullptr || sint >= tlfs::kSints) return;
  switch (static_cast<Command>(word >> 16 & 0xFF)) {
    case Command::raise_sint: raise_sint(hv, *vp, sint); return;
    case Command::create_message: create(hv, processor, Kind::message, id, index, sint); return;
    case Command::destroy_message: destroy(hv, processor, Kind::message, id); return;
    case Command::create_event: create(hv, processor, Kind::event, id, index, sint); return;
    case Command::destroy_event: destroy(hv, processor, Kind::event, id); return;
    case Command::create_route:
    case Command::destroy_route: return;
  }
}

// One message is under way at a time.
Done post_to_test_device(Caller& caller, const tlfs::PostMessageInput& in) {
  Hypervisor& hv = caller.hv;
  const bool by_root = caller.partition.parent == 0;
  TestConnection* const connection = by_root ? find(hv, Kind::message, in.connection) : nullptr;
  if (connection == nullptr) return Status::invalid_connection_id;
  const bool legal = in.padding == 0 && in.type != 0 && (in.type & tlfs::kHypervisorMessage) == 0 &&
                     in.payload_size <= tlfs::kMaximumPayload;
  if (!legal) return Status::invalid_parameter;
  VirtualProcessor& vp = *find_vp(hv, hv.root(), connection->vp);
  if (!takes_messages(vp)) return Status::invalid_synic_state;
  if (connection->buffer.target != 0) return Status::insufficient_buffers;
  connection->message = {.type = in.type,
                         .payload_size = static_cast<std::uint8_t>(in.payload_size),
                         .sender = connection->id};
  __builtin_memcpy(connection->message.payload.data(), in.payload.data(), in.payload_size);
  queue_message(hv, caller.processor, vp, connection->sint, connection->buffer);
  return kDone;
}

// The flag that is set is the one with the connection's number, and it is asked for as flag 0.
Done signal_test_device(Caller& caller, const tlfs::SignalEventInput& in) {
  Hypervisor& hv = caller.hv;
  const bool by_root = caller.partition.parent == 0;
  const TestConnection* const connection = by_root ? find(hv, Kind::event, in.connection) : nullptr;
  if (connection == nullptr) return Status::invalid_connection_id;
  if (in.reserved != 0 || in.flag != 0) return Status::invalid_parameter;
  VirtualProcessor& vp = *find_vp(hv, hv.root(), connection->vp);
  if (!takes_events(vp)) return Status::invalid_synic_state;
  set_event_flag(hv, caller.processor, vp, connection->sint, connection->id);
  return kDone;
}

}  // namespace vitrine::hv
