// EventLogView: buffer pages copied out of machine memory and cut into entries, lengths distrusted.
#include "frontend/inspect/eventlog_view.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include "frontend/text.h"

namespace vitrine::ui {

namespace {

namespace tlfs = hv::tlfs;

constexpr std::array<std::string_view, tlfs::kEventLogTypes> kTypeNames = {"GlobalSystemEvents",
                                                                           "LocalDiagnostics"};
constexpr size_t kWord = 8;

/// An entry's parameters are words; a type may come with more than one set of them.
struct EventName {
  tlfs::EventType type;
  std::string_view name;
  size_t count;
  std::array<std::string_view, 3> parameters;
};
// clang-format off
constexpr auto kEventNames = std::to_array<EventName>({
  {tlfs::EventType::partition_created,         "PartitionCreated",        2, {"partition", "status"}},
  {tlfs::EventType::partition_deleted,         "PartitionDeleted",        2, {"partition", "status"}},
  {tlfs::EventType::partition_creation_failed, "PartitionCreationFailed", 2, {"partition", "status"}},
  {tlfs::EventType::hypercall,                 "Hypercall",               2, {"rip", "control"}},
  {tlfs::EventType::guest_exception,           "GuestException",          2, {"rip", "vector"}},
  {tlfs::EventType::msr_read,                  "MsrRead",                 3, {"rip", "msr", "value"}},
  {tlfs::EventType::msr_write,                 "MsrWrite",                3, {"rip", "msr", "value"}},
  {tlfs::EventType::cr_read,                   "CrRead",                  3, {"rip", "register", "value"}},
  {tlfs::EventType::cr_write,                  "CrWrite",                 3, {"rip", "register", "value"}},
  {tlfs::EventType::halt,                      "Halt",                    1, {"rip"}},
  {tlfs::EventType::cpuid,                     "Cpuid",                   3, {"rip", "leaf", "subleaf"}},
  {tlfs::EventType::io_read,                   "IoRead",                  3, {"rip", "port", "rax"}},
  {tlfs::EventType::io_write,                  "IoWrite",                 3, {"rip", "port", "rax"}},
  {tlfs::EventType::external_interrupt,        "ExternalInterrupt",       1, {"vector"}},
  {tlfs::EventType::interrupt_window,          "InterruptWindow",         1, {"rip"}},
  {tlfs::EventType::nmi,                       "Nmi",                     1, {"rip"}},
  {tlfs::EventType::memory_intercept,          "MemoryIntercept",         2, {"rip", "gpa"}},
  {tlfs::EventType::memory_intercept,          "MemoryIntercept",         3, {"partition", "vp", "message"}},
  {tlfs::EventType::create_partition,          "CreatePartition",         2, {"partition", "status"}},
  {tlfs::EventType::delete_partition,          "DeletePartition",         2, {"partition", "status"}},
  {tlfs::EventType::reference_time,            "ReferenceTime",           1, {"time"}},
  {tlfs::EventType::create_vp,                 "CreateVp",                3, {"partition", "vp", "status"}},
  {tlfs::EventType::delete_vp,                 "DeleteVp",                3, {"partition", "vp", "status"}},
  {tlfs::EventType::context_switch,            "ContextSwitch",           3, {"from", "to", "reason"}},
});
// clang-format on

const EventName* find_event(uint16_t type, size_t parameters) {
  const EventName* any = nullptr;
  for (const EventName& row : kEventNames) {
    if (static_cast<uint16_t>(row.type) != type) continue;
    if (row.count == parameters) return &row;
    if (any == nullptr) any = &row;
  }
  return any;
}

/// The buffer's pages, one after the other.
std::vector<std::byte> read_buffer(const emu::Bus& bus, const GroupView& group,
                                   const BufferView& buffer) {
  const uint32_t pages = std::min(group.buffer_pages, tlfs::kMaximumEventLogBufferPages);
  std::vector<uint64_t> list(pages, buffer.pages);
  if (pages > 1) bus.read_block(emu::Hpa{buffer.pages}, std::as_writable_bytes(std::span{list}));
  std::vector<std::byte> bytes(size_t{pages} * tlfs::kPageSize);
  for (size_t i = 0; i < pages; ++i) {
    bus.read_block(emu::Hpa{list[i]},
                   std::span{bytes}.subspan(i * tlfs::kPageSize, tlfs::kPageSize));
  }
  return bytes;
}

template <class T>
T take(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(static_cast<void*>(&value), bytes.data() + at, sizeof(T));
  return value;
}

EventBufferView decode(const BufferView& record, std::span<const std::byte> bytes) {
  EventBufferView view;
  view.record = record;
  if (bytes.size() < sizeof(tlfs::EventLogBufferHeader)) return view;
  view.header = take<tlfs::EventLogBufferHeader>(bytes, 0);
  const size_t end = std::min<size_t>(record.write_offset, bytes.size());
  size_t at = sizeof(tlfs::EventLogBufferHeader);
  while (at + sizeof(tlfs::EventLogEntryHeader) <= end) {
    const auto header = take<tlfs::EventLogEntryHeader>(bytes, at);
    if (header.size < sizeof(header) || at + header.size > end) break;
    EventEntryView entry;
    entry.offset = static_cast<uint32_t>(at);
    entry.type = header.type;
    entry.time_stamp = header.time_stamp;
    for (size_t p = at + sizeof(header); p + kWord <= at + header.size; p += kWord) {
      entry.parameters.push_back(take<uint64_t>(bytes, p));
    }
    if (const EventName* const row = find_event(entry.type, entry.parameters.size())) {
      entry.name = row->name;
      const size_t known = std::min(row->count, entry.parameters.size());
      entry.names.assign(row->parameters.begin(),
                         row->parameters.begin() + static_cast<ptrdiff_t>(known));
    }
    view.entries.push_back(std::move(entry));
    at += (header.size + kWord - 1) / kWord * kWord;
  }
  return view;
}

std::string type_name(uint32_t type) {
  return type < kTypeNames.size() ? std::string(kTypeNames[type]) : "type " + std::to_string(type);
}

std::string parameters_text(const EventEntryView& entry) {
  std::string out;
  for (size_t i = 0; i < entry.parameters.size(); ++i) {
    if (i != 0) out += ", ";
    if (i < entry.names.size()) out += std::string(entry.names[i]) + " ";
    out += hex(entry.parameters[i]);
  }
  return out;
}

}  // namespace

EventLogView view_event_log(const emu::Bus& bus, const HypervisorView& hypervisor) {
  EventLogView view;
  for (const GroupView& group : hypervisor.groups) {
    EventGroupView& shown = view.groups.emplace_back();
    shown.group = group;
    for (const BufferView& buffer : group.buffers) {
      shown.buffers.push_back(decode(buffer, read_buffer(bus, group, buffer)));
    }
  }
  return view;
}

std::string text(const EventLogView& view) {
  if (view.groups.empty()) return "no event-log group is initialized\n";
  std::string out;
  for (const EventGroupView& shown : view.groups) {
    const GroupView& group = shown.group;
    out += "group " + std::to_string(group.type) + " " + type_name(group.type) + ": up to " +
           std::to_string(group.maximum_buffers) + " buffers of " +
           std::to_string(group.buffer_pages) + " pages, threshold " +
           std::to_string(group.threshold) + ", sources " + hex(group.sources) + ", " +
           std::to_string(group.pending) + " pending, " + std::to_string(group.messages_sent) +
           " messages sent, " + std::to_string(group.events_lost) + " events lost\n";
    for (const EventBufferView& buffer : shown.buffers) {
      out += "  buffer " + std::to_string(buffer.record.index) + ": " +
             std::string(state_name(buffer.record.state)) + ", " +
             std::to_string(buffer.record.entries) + " entries, written to byte " +
             std::to_string(buffer.record.write_offset) + ", at " + hex(buffer.record.pages) + "\n";
      Columns columns;
      for (const EventEntryView& entry : buffer.entries) {
        columns.row({"+" + std::to_string(entry.offset), std::to_string(entry.time_stamp),
                     hex(entry.type, 4), std::string(entry.name), parameters_text(entry)});
      }
      out += columns.text("    ");
    }
  }
  return out;
}

nlohmann::ordered_json json(const EventLogView& view) {
  nlohmann::ordered_json out;
  out["groups"] = nlohmann::ordered_json::array();
  for (const EventGroupView& shown : view.groups) {
    const GroupView& g = shown.group;
    nlohmann::ordered_json group = {{"type", g.type},
                                    {"name", type_name(g.type)},
                                    {"maximum_buffers", g.maximum_buffers},
                                    {"buffer_pages", g.buffer_pages},
                                    {"threshold", g.threshold},
                                    {"sources", hex(g.sources)},
                                    {"pending", g.pending},
                                    {"messages_sent", g.messages_sent},
                                    {"events_lost", g.events_lost}};
    group["buffers"] = nlohmann::ordered_json::array();
    for (const EventBufferView& b : shown.buffers) {
      nlohmann::ordered_json buffer = {
          {"index", b.record.index},      {"state", state_name(b.record.state)},
          {"entries", b.record.entries},  {"write_offset", b.record.write_offset},
          {"pages", hex(b.record.pages)}, {"sequence", b.header.sequence}};
      buffer["events"] = nlohmann::ordered_json::array();
      for (const EventEntryView& entry : b.entries) {
        auto parameters = nlohmann::ordered_json::array();
        for (const uint64_t p : entry.parameters) parameters.push_back(hex(p));
        buffer["events"].push_back({{"offset", entry.offset},
                                    {"type", entry.type},
                                    {"name", entry.name},
                                    {"time_stamp", entry.time_stamp},
                                    {"parameters", parameters}});
      }
      group["buffers"].push_back(std::move(buffer));
    }
    out["groups"].push_back(std::move(group));
  }
  return out;
}

}  // namespace vitrine::ui
