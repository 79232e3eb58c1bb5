// HypervisorView: copies of the hypervisor's objects, with every link distrusted.
#include "frontend/inspect/hypervisor_view.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vitrine::ui {

namespace {

constexpr size_t kMostPartitions = 1024;

template <class T>
T copy_object(const emu::Bus& bus, uint64_t address) {
  std::array<std::byte, sizeof(T)> bytes;
  bus.read_block(emu::Hpa{address}, bytes);
  T object;
  std::memcpy(static_cast<void*>(&object), bytes.data(), sizeof(T));
  return object;
}

PartitionView view_of(const hv::Partition& p, uint64_t address) {
  PartitionView view;
  view.address = address;
  view.id = p.id;
  view.parent = p.parent_id;
  view.state = p.state;
  view.children = p.child_count;
  view.vps = p.vp_count;
  view.ports = p.port_count;
  view.connections = p.connection_count;
  view.intercepts = p.intercept_count;
  view.mappings = p.mapping_count;
  view.pool_pages = p.pool.deposited;
  view.pool_available = p.pool.available;
  view.stage = p.finalization.stage;
  view.attempts = p.finalization.attempts;
  view.units_done = p.finalization.units_done;
  view.units_at_start = p.finalization.units_at_start;
  return view;
}

GroupView view_of(const emu::Bus& bus, const hv::EventLogGroup& g, uint32_t type) {
  GroupView view;
  view.type = type;
  view.maximum_buffers = std::min(g.maximum_buffers, hv::tlfs::kMaximumEventLogBuffers);
  view.buffer_pages = g.buffer_pages;
  view.threshold = g.threshold;
  view.messages_sent = g.messages_sent;
  view.sources = g.sources;
  for (const hv::EventLogChannel& channel : g.channels) {
    view.pending += channel.pending;
    view.events_lost += channel.events_lost;
  }
  using Table = std::array<hv::EventLogBuffer, hv::kBuffersPerTable>;
  for (uint32_t first = 0; first < view.maximum_buffers; first += hv::kBuffersPerTable) {
    const uint64_t page = g.tables[first / hv::kBuffersPerTable];
    if (page == 0) continue;
    view.tables.push_back(page);
    const auto table = copy_object<Table>(bus, page);
    for (uint32_t i = 0; i < table.size() && first + i < view.maximum_buffers; ++i) {
      if (table[i].created == 0) continue;
      view.buffers.push_back({type, first + i, true, table[i].state, table[i].entries,
                              table[i].write_offset, table[i].pages});
    }
  }
  return view;
}

}  // namespace

const PartitionView* HypervisorView::partition(uint64_t id) const {
  const auto found = std::find_if(partitions.begin(), partitions.end(),
                                  [&](const PartitionView& p) { return p.id == id; });
  return found == partitions.end() ? nullptr : &*found;
}

const BufferView* HypervisorView::buffer(uint32_t type, uint32_t index) const {
  for (const GroupView& group : groups) {
    for (const BufferView& buffer : group.buffers) {
      if (buffer.type == type && buffer.index == index) return &buffer;
    }
  }
  return nullptr;
}

HypervisorView read_hypervisor(const emu::Bus& bus, emu::Hpa root) {
  HypervisorView view;
  const auto hv = copy_object<hv::Hypervisor>(bus, root.value);
  uint64_t at = hv.first_partition;
  while (at != 0 && view.partitions.size() < kMostPartitions) {
    const auto partition = copy_object<hv::Partition>(bus, at);
    // An object under construction has no identifier yet.
    if (partition.id != 0) view.partitions.push_back(view_of(partition, at));
    at = partition.next;
  }
  for (uint32_t type = 0; type < hv.event_log.size(); ++type) {
    if (hv.event_log[type].initialized != 0) {
      view.groups.push_back(view_of(bus, hv.event_log[type], type));
    }
  }
  return view;
}

std::optional<VpName> find_vp(const emu::Bus& bus, emu::Hpa root, uint64_t vmcs) {
  uint64_t at = copy_object<hv::Hypervisor>(bus, root.value).first_partition;
  for (size_t seen = 0; at != 0 && seen < kMostPartitions; ++seen) {
    const auto partition = copy_object<hv::Partition>(bus, at);
    for (const uint64_t page : partition.vps) {
      if (page == 0) continue;
      const auto vp = copy_object<hv::VirtualProcessor>(bus, page);
      const auto& pages = vp.platform_pages;
      if (std::find(pages.begin(), pages.end(), vmcs) != pages.end()) {
        return VpName{partition.id, vp.index};
      }
    }
    at = partition.next;
  }
  return std::nullopt;
}

std::string_view state_name(hv::PartitionState state) {
  const auto i = static_cast<size_t>(state);
  return i < std::size(hv::kPartitionStateNames) ? hv::kPartitionStateNames[i] : "?";
}

std::string_view state_name(hv::tlfs::EventLogBufferState state) {
  constexpr std::array<std::string_view, 5> kNames = {"standby", "free", "in_use", "complete",
                                                      "ready"};
  const auto i = static_cast<size_t>(state);
  return i < kNames.size() ? kNames[i] : "?";
}

std::string_view stage_name(hv::FinalizeStage stage) {
  const auto i = static_cast<size_t>(stage);
  return i < std::size(hv::kFinalizeStageNames) ? hv::kFinalizeStageNames[i] : "?";
}

}  // namespace vitrine::ui
