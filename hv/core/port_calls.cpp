// Ports, connections, messages and events.
#include "hv/core/handlers.h"
#include "hv/core/ports.h"
#include "hv/core/slots.h"
#include "hv/core/synic.h"
#include "hv/tlfs/message_types.h"

namespace vitrine::hv {
namespace {

using tlfs::PortType;
using tlfs::Privilege;

Port* find_port(const Hypervisor& hv, const Partition& partition, std::uint32_t id) {
  for (std::uint64_t p = partition.first_port; p != 0; p = hv.at<Port>(p)->next) {
    if (hv.at<Port>(p)->id == id) return hv.at<Port>(p);
  }
  return nullptr;
}

Slot* find_connection(const Hypervisor& hv, const Partition& partition, std::uint32_t id) {
  return find_slot(hv, partition.connection_slots,
                   [id](const Slot& slot) { return slot.key == id; });
}

bool legal_id(std::uint32_t id) { return (id & ~tlfs::kPortIdMask) == 0; }

// TLFS "Port and Connection Access": the parent of the owner, or the owner itself with the privilege.
bool may_manage(const Caller& caller, const Partition& owner, Privilege privilege) {
  if (is_child(caller, owner)) return true;
  return &owner == &caller.partition && has_privilege(owner, privilege);
}

struct Pair {
  Partition* owner{};  // of what is made
  Partition* other{};
};

// Refusals that both makers share: the identifiers, the access, the states.
Outcome<Pair> find_pair(const Caller& caller, tlfs::PartitionId owner_id,
                        tlfs::PartitionId other_id, Privilege privilege) {
  Partition* const owner = named_partition(caller, owner_id);
  Partition* const other = named_partition(caller, other_id);
  if (owner == nullptr || other == nullptr || owner == other) return Status::invalid_partition_id;
  if (!may_manage(caller, *owner, privilege)) return Status::access_denied;
  const bool both_active =
      owner->state == PartitionState::active && other->state == PartitionState::active;
  if (!both_active) return Status::invalid_partition_state;
  return Pair{owner, other};
}

Outcome<Partition*> find_owner(const Caller& caller, tlfs::PartitionId id) {
  const auto owner = child_or_self(caller, id);
  if (owner && (*owner)->state != PartitionState::active) return Status::invalid_partition_state;
  return owner;
}

// TLFS HvCreatePort, "Return Values". Decided: monitor ports are refused like any unknown type.
bool legal_info(const tlfs::PortInfo& info) {
  if (info.padding != 0 || info.target_sint == 0 || info.target_sint >= tlfs::kSints) return false;
  switch (static_cast<PortType>(info.type)) {
    case PortType::message:
      return info.base_flag == 0 && info.flag_count == 0 && info.reserved == 0;
    case PortType::event:
      return info.reserved == 0 && info.flag_count != 0 &&
             std::uint32_t{info.base_flag} + info.flag_count < tlfs::kEventFlagsPerSint;
    case PortType::monitor: return false;
  }
  return false;
}

void prepare_buffers(const Hypervisor& hv, Port& port) {
  for (std::uint32_t i = 0; i < tlfs::kBuffersPerPort; ++i) {
    port.buffers[i] = {.message = port.messages + i * sizeof(tlfs::Message),
                       .owner = hv.address_of(&port),
                       .kind = BufferKind::port};
  }
}

// The port a connection leads to: gone with the port, with its partition's life, or with its purpose.
Port* port_of(const Caller& caller, const Slot& connection, PortType type) {
  const Partition* const owner = find_partition(caller.hv, connection.first);
  if (owner == nullptr || owner->state != PartitionState::active) return nullptr;
  Port* const port = find_port(caller.hv, *owner, static_cast<std::uint32_t>(connection.second));
  const bool usable =
      port != nullptr && port->type == type && port->connection_partition == caller.partition.id;
  return usable ? port : nullptr;
}

// The VP a port means. Decided: HV_ANY_VP is the lowest that can take it now.
Outcome<VirtualProcessor*> target_of(const Hypervisor& hv, const Port& port,
                                     bool (*takes)(const VirtualProcessor&)) {
  const Partition& owner = *find_partition(hv, port.partition_id);
  if (port.target_vp != tlfs::kAnyVp) {
    VirtualProcessor* const vp = find_vp(hv, owner, port.target_vp);
    if (vp == nullptr) return Status::invalid_vp_index;
    if (!takes(*vp)) return Status::invalid_synic_state;
    return vp;
  }
  for (const std::uint64_t address : owner.vps) {
    if (address != 0 && takes(*hv.at<VirtualProcessor>(address))) {
      return hv.at<VirtualProcessor>(address);
    }
  }
  return owner.vp_count == 0 ? Status::invalid_vp_index : Status::invalid_synic_state;
}

}  // namespace

Done create_port(Caller& caller, const tlfs::CreatePortInput& in) {
  Hypervisor& hv = caller.hv;
  const auto pair =
      find_pair(caller, in.port_partition, in.connection_partition, Privilege::create_port);
  if (!pair) return pair.status();
  Partition& owner = *pair->owner;
  if (!legal_id(in.port) || find_port(hv, owner, in.port) != nullptr)
    return Status::invalid_port_id;
  const bool vp_exists =
      in.info.target_vp == tlfs::kAnyVp || find_vp(hv, owner, in.info.target_vp) != nullptr;
  if (!vp_exists) return Status::invalid_vp_index;
  if (in.padding != 0 || !legal_info(in.info)) return Status::invalid_parameter;
  if (owner.pool.available < 2) return Status::insufficient_memory;
  const std::uint64_t address = take_page(hv, owner, PageUse::port);
  const std::uint64_t messages = take_page(hv, owner, PageUse::message);
  Port& port = *hv.at<Port>(address);
  port = {.next = owner.first_port,
          .partition_id = owner.id,
          .connection_partition = pair->other->id,
          .id = in.port,
          .type = static_cast<PortType>(in.info.type),
          .target_sint = in.info.target_sint,
          .target_vp = in.info.target_vp,
          .base_flag = in.info.base_flag,
          .flag_count = in.info.flag_count,
          .messages = messages};
  prepare_buffers(hv, port);
  owner.first_port = address;
  ++owner.port_count;
  return kDone;
}

Done delete_port(Caller& caller, const tlfs::PortInput& in) {
  const auto owner = find_owner(caller, in.partition);
  if (!owner) return owner.status();
  Port* const port = find_port(caller.hv, **owner, in.port);
  if (port == nullptr) return Status::invalid_port_id;
  remove_port(caller.hv, caller.processor, **owner, *port);
  return kDone;
}

Done connect_port(Caller& caller, const tlfs::ConnectPortInput& in) {
  Hypervisor& hv = caller.hv;
  const auto pair =
      find_pair(caller, in.connection_partition, in.port_partition, Privilege::connect_port);
  if (!pair) return pair.status();
  Partition& owner = *pair->owner;
  const bool usable =
      legal_id(in.connection) && find_connection(hv, owner, in.connection) == nullptr;
  if (!usable) return Status::invalid_connection_id;
  const Port* const port = find_port(hv, *pair->other, in.port);
  if (port == nullptr || port->connection_partition != owner.id) return Status::invalid_port_id;
  const bool legal = in.reserved1 == 0 && in.reserved2 == 0 && in.info.padding == 0 &&
                     in.info.reserved == 0 &&
                     in.info.type == static_cast<std::uint32_t>(port->type);
  if (!legal) return Status::invalid_parameter;
  Slot* const slot = add_slot(hv, owner, owner.connection_slots);
  if (slot == nullptr) return Status::insufficient_memory;
  slot->key = in.connection;
  slot->first = pair->other->id;
  slot->second = in.port;
  slot->third = in.info.type;
  ++owner.connection_count;
  return kDone;
}

// Order: the partition, the port, the property.
Outcome<tlfs::PropertyOutput> get_port_property(Caller& caller,
                                                const tlfs::GetPortPropertyInput& in) {
  const auto owner = child_or_self(caller, in.partition);
  if (!owner) return owner.status();
  const Port* const port = find_port(caller.hv, **owner, in.port);
  if (port == nullptr) return Status::invalid_port_id;
  switch (static_cast<tlfs::PortProperty>(in.code)) {
    case tlfs::PortProperty::post_count: return tlfs::PropertyOutput{port->post_count};
    case tlfs::PortProperty::preferred_target_vp: return tlfs::PropertyOutput{port->target_vp};
  }
  return Status::unknown_property;
}

Done disconnect_port(Caller& caller, const tlfs::ConnectionInput& in) {
  const auto owner = find_owner(caller, in.partition);
  if (!owner) return owner.status();
  Partition& partition = **owner;
  const Slot* const slot = find_connection(caller.hv, partition, in.connection);
  if (slot == nullptr) return Status::invalid_connection_id;
  remove_slot(caller.hv, partition, partition.connection_slots, *slot);
  --partition.connection_count;
  return kDone;
}

Done post_message(Caller& caller, const tlfs::PostMessageInput& in) {
  Hypervisor& hv = caller.hv;
  const Slot* const connection = find_connection(hv, caller.partition, in.connection);
  if (connection == nullptr) return post_to_test_device(caller, in);
  Port* const port = port_of(caller, *connection, PortType::message);
  if (port == nullptr) return Status::invalid_port_id;
  const bool legal = in.padding == 0 && in.type != 0 && (in.type & tlfs::kHypervisorMessage) == 0 &&
                     in.payload_size <= tlfs::kMaximumPayload;
  if (!legal) return Status::invalid_parameter;
  const auto target = target_of(hv, *port, takes_messages);
  if (!target) return target.status();
  MessageBuffer* buffer = nullptr;
  for (MessageBuffer& candidate : port->buffers) {
    if (candidate.target == 0) {
      buffer = &candidate;
      break;
    }
  }
  if (buffer == nullptr) return Status::insufficient_buffers;
  tlfs::Message& message = *hv.at<tlfs::Message>(buffer->message);
  message = {.type = in.type,
             .payload_size = static_cast<std::uint8_t>(in.payload_size),
             .sender = port->id};
  __builtin_memcpy(message.payload.data(), in.payload.data(), in.payload_size);
  ++port->post_count;
  queue_message(hv, caller.processor, **target, port->target_sint, *buffer);
  return kDone;
}

Done signal_event(Caller& caller, const tlfs::SignalEventInput& in) {
  Hypervisor& hv = caller.hv;
  const Slot* const connection = find_connection(hv, caller.partition, in.connection);
  if (connection == nullptr) return signal_test_device(caller, in);
  const Port* const port = port_of(caller, *connection, PortType::event);
  if (port == nullptr) return Status::invalid_port_id;
  if (in.reserved != 0 || in.flag >= port->flag_count) return Status::invalid_parameter;
  const auto target = target_of(hv, *port, takes_events);
  if (!target) return target.status();
  VirtualProcessor& vp = **target;
  // TLFS 6.0b HvSignalEvent: a masked SINT is refused too.
  if (tlfs::SintRegister{vp.synic.sint[port->target_sint]}.masked())
    return Status::invalid_synic_state;
  set_event_flag(hv, caller.processor, vp, port->target_sint, port->base_flag + in.flag);
  return kDone;
}

void remove_port(Hypervisor& hv, std::uint32_t processor, Partition& partition, Port& port) {
  const std::uint64_t address = hv.address_of(&port);
  for (MessageBuffer& buffer : port.buffers) unqueue_message(hv, processor, buffer);
  std::uint64_t* link = &partition.first_port;
  while (*link != address) link = &hv.at<Port>(*link)->next;
  *link = port.next;
  --partition.port_count;
  give_page(hv, partition, port.messages);
  give_page(hv, partition, address);
}

void remove_first_connection(Hypervisor& hv, Partition& partition) {
  const Slot* const slot =
      find_slot(hv, partition.connection_slots, [](const Slot&) { return true; });
  remove_slot(hv, partition, partition.connection_slots, *slot);
  --partition.connection_count;
}

}  // namespace vitrine::hv
