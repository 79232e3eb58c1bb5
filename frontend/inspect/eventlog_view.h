// EventLogView: the event log's groups, buffers, and the entries decoded from the buffers' pages.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/inspect/hypervisor_view.h"

namespace vitrine::ui {

struct EventEntryView {
  uint32_t offset = 0;
  uint16_t type = 0;
  std::string_view name;  ///< empty for a type that the hypervisor does not write
  uint64_t time_stamp = 0;
  std::vector<uint64_t> parameters;
  std::vector<std::string_view> names;  ///< of the parameters, as many as are known
};

struct EventBufferView {
  BufferView record;
  hv::tlfs::EventLogBufferHeader header;
  std::vector<EventEntryView> entries;
};

struct EventGroupView {
  GroupView group;
  std::vector<EventBufferView> buffers;
};

struct EventLogView {
  std::vector<EventGroupView> groups;
};

EventLogView view_event_log(const emu::Bus& bus, const HypervisorView& hypervisor);
std::string text(const EventLogView& view);
nlohmann::ordered_json json(const EventLogView& view);

}  // namespace vitrine::ui
