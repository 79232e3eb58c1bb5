// Ports: where messages and events of one other partition arrive; connections lead to them.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/message_buffer.h"
#include "hv/tlfs/synic.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

// One page of the owner's pool; a second holds the messages.
struct Port {
  std::uint64_t next{};  // the owner's next Port
  std::uint64_t partition_id{};
  std::uint64_t connection_partition{};  // who may connect
  std::uint32_t id{};
  tlfs::PortType type{};
  std::uint32_t target_sint{};
  std::uint32_t target_vp{};
  std::uint32_t base_flag{};
  std::uint32_t flag_count{};
  std::uint64_t post_count{};
  std::uint64_t messages{};  // the page of 16 tlfs::Message
  std::array<MessageBuffer, tlfs::kBuffersPerPort> buffers{};
};
static_assert(sizeof(Port) <= 4096);

// Takes a port out of its partition with all its buffers, delivered or not.
void remove_port(Hypervisor& hv, std::uint32_t processor, Partition& partition, Port& port);

void remove_first_connection(Hypervisor& hv, Partition& partition);

}  // namespace vitrine::hv
