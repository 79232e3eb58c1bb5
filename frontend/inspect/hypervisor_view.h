// HypervisorView: what the hypervisor's objects in guest memory say, read through its own layouts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emu/mmu/bus.h"
#include "hv/core/hypervisor.h"

namespace vitrine::ui {

struct PartitionView {
  uint64_t address = 0;  ///< machine-physical, of its page
  uint64_t id = 0, parent = 0;
  hv::PartitionState state{};
  uint32_t children = 0, vps = 0, ports = 0, connections = 0, intercepts = 0;
  uint64_t mappings = 0;
  uint64_t pool_pages = 0, pool_available = 0;
  hv::FinalizeStage stage{};
  uint32_t attempts = 0;
  uint64_t units_done = 0, units_at_start = 0;

  friend bool operator==(const PartitionView&, const PartitionView&) = default;
};

struct BufferView {
  uint32_t type = 0, index = 0;
  bool created = false;
  hv::tlfs::EventLogBufferState state{};
  uint32_t entries = 0, write_offset = 0;
  uint64_t pages = 0;  ///< machine-physical address of its page, or of the list of its pages

  friend bool operator==(const BufferView&, const BufferView&) = default;
};

struct GroupView {
  uint32_t type = 0;
  uint32_t maximum_buffers = 0, buffer_pages = 0, threshold = 0, messages_sent = 0;
  uint32_t pending = 0, events_lost = 0;
  uint64_t sources = 0;
  std::vector<uint64_t> tables;  ///< machine-physical pages of buffer records
  std::vector<BufferView> buffers;
};

struct HypervisorView {
  std::vector<PartitionView> partitions;
  std::vector<GroupView> groups;  ///< initialized ones

  const PartitionView* partition(uint64_t id) const;
  const BufferView* buffer(uint32_t type, uint32_t index) const;
};

/// A virtual processor by the numbers that hypercalls know it by.
struct VpName {
  uint64_t partition = 0;
  uint32_t index = 0;
};

/// Bytes of an object from `offset` on.
struct Fields {
  uint64_t offset = 0, size = 0;
};
/// What read_hypervisor() looks at, in the root object and in a partition. Locks, and what is a guest's
/// own, are left out: they change all the time.
inline constexpr std::array<Fields, 2> kRootFields = {
    {{offsetof(hv::Hypervisor, first_partition),
      offsetof(hv::Hypervisor, stale) - offsetof(hv::Hypervisor, first_partition)},
     {offsetof(hv::Hypervisor, event_log), sizeof(hv::Hypervisor::event_log)}}};
inline constexpr std::array<Fields, 1> kPartitionFields = {{{0, offsetof(hv::Partition, guest_os_id)}}};

/// Reads the objects below the root object at `root`. Copies bytes; broken links end a walk. Empty
/// while the hypervisor has not initialized them.
HypervisorView read_hypervisor(const emu::Bus& bus, emu::Hpa root);

/// The virtual processor that keeps its VMCS in the page `vmcs`; none when no object says so.
std::optional<VpName> find_vp(const emu::Bus& bus, emu::Hpa root, uint64_t vmcs);

std::string_view state_name(hv::PartitionState state);
std::string_view state_name(hv::tlfs::EventLogBufferState state);
std::string_view stage_name(hv::FinalizeStage stage);

}  // namespace vitrine::ui
