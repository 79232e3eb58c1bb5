// Input structures of the calls on ports, messages and events, 0x0057 to 0x005D.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/synic.h"
#include "hv/tlfs/types.h"

namespace vitrine::hv::tlfs {

// HvCreatePort.
struct CreatePortInput {
  PartitionId port_partition{};
  std::uint32_t port{};
  std::uint32_t padding{};
  PartitionId connection_partition{};
  PortInfo info;
};
static_assert(sizeof(CreatePortInput) == 48 && offsetof(CreatePortInput, info) == 24);

// HvDeletePort.
struct PortInput {
  PartitionId partition{};
  std::uint32_t port{};
  std::uint32_t reserved{};
};
static_assert(sizeof(PortInput) == 16);

// HvConnectPort in the layout of versions 1 and 2.
struct ConnectPortInput {
  PartitionId connection_partition{};
  std::uint32_t connection{};
  std::uint32_t reserved1{};
  PartitionId port_partition{};
  std::uint32_t port{};
  std::uint32_t reserved2{};
  ConnectionInfo info;
};
static_assert(sizeof(ConnectPortInput) == 48 && offsetof(ConnectPortInput, info) == 32);

// HvDisconnectPort.
struct ConnectionInput {
  PartitionId partition{};
  std::uint32_t connection{};
  std::uint32_t reserved{};
};
static_assert(sizeof(ConnectionInput) == 16);

// HvGetPortProperty.
struct GetPortPropertyInput {
  PartitionId partition{};
  std::uint32_t port{};
  std::uint32_t reserved{};
  std::uint32_t code{};
  std::uint32_t padding{};
};
static_assert(sizeof(GetPortPropertyInput) == 24 && offsetof(GetPortPropertyInput, code) == 16);

// HvPostMessage.
struct PostMessageInput {
  std::uint32_t connection{};
  std::uint32_t padding{};
  std::uint32_t type{};
  std::uint32_t payload_size{};
  std::array<std::uint8_t, kMaximumPayload> payload{};
};
static_assert(sizeof(PostMessageInput) == 256 && offsetof(PostMessageInput, payload) == 16);

// HvSignalEvent.
struct SignalEventInput {
  std::uint32_t connection{};
  std::uint16_t flag{};
  std::uint16_t reserved{};
};
static_assert(sizeof(SignalEventInput) == 8);

}  // namespace vitrine::hv::tlfs
