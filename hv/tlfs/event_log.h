// The event log: group types, buffer states, the layouts that the root reads, and the call
// structures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/tlfs/types.h"

namespace vitrine::hv::tlfs {

// HV_EVENTLOG_TYPE: one group for the system, one with a channel per logical processor.
enum class EventLogType : std::uint32_t { global_system_events = 0, local_diagnostics = 1 };
inline constexpr std::uint32_t kEventLogTypes = 2;

// HV_EVENTLOG_BUFFER_STATE. Later editions add 5 to 7 for states this hypervisor passes through at
// once.
enum class EventLogBufferState : std::uint32_t { standby, free, in_use, complete, ready };

enum class EventLogTimeBasis : std::uint32_t { reference_time = 0, tsc = 1 };

inline constexpr std::uint32_t kNoEventLogBuffer = 0xFFFFFFFF;
inline constexpr std::uint32_t kMaximumEventLogBuffers = 512;
inline constexpr std::uint32_t kMaximumEventLogBufferPages = 512;

// HV_EVENTLOG_BUFFER_HEADER, 72 bytes.
// Differs: the declaration printed in TLFS 2.0 has 88 bytes and names a field it does not declare;
// the header of WDK 7.1 has this layout. buffer_size is the whole buffer, header included, as
// TLFS 2.0 says.
struct EventLogBufferHeader {
  std::uint32_t buffer_size{};
  std::uint32_t buffer_index{};
  std::uint32_t events_lost{};
  std::uint32_t reference_counter{};
  std::uint64_t time_stamp{};  // when it entered InUse, reference time
  std::uint64_t sequence{};    // Decided: Reserved1 counts the buffers that the channel has used
  std::uint64_t reserved2{};
  std::uint8_t logical_processor{};
  std::uint8_t alignment{};
  std::uint16_t logger_id{};
  std::uint32_t state{};
  std::uint32_t next_buffer_offset{};
  std::uint32_t type{};
  std::uint32_t next_buffer_index{};  // valid in Ready only
  std::uint32_t reserved3{};
  std::array<std::uint32_t, 2> reserved4{};
};
static_assert(sizeof(EventLogBufferHeader) == 72);
static_assert(offsetof(EventLogBufferHeader, time_stamp) == 16);
static_assert(offsetof(EventLogBufferHeader, logical_processor) == 40);
static_assert(offsetof(EventLogBufferHeader, state) == 44);
static_assert(offsetof(EventLogBufferHeader, next_buffer_offset) == 48);
static_assert(offsetof(EventLogBufferHeader, next_buffer_index) == 56);

// HV_EVENTLOG_ENTRY_HEADER: entries are packed, each rounded up to 8 bytes.
struct EventLogEntryHeader {
  std::uint32_t context{};
  std::uint16_t size{};
  std::uint16_t type{};
  std::uint64_t time_stamp{};
};
static_assert(sizeof(EventLogEntryHeader) == 16);

// Payload of HvMessageTypeEventLogBufferComplete.
struct EventLogMessagePayload {
  std::uint32_t type{};
  std::uint32_t buffer_index{};  // the first of the ready list
};
static_assert(sizeof(EventLogMessagePayload) == 8);

// Bits of the enable mask (WDK 7.1 header): type 0 has three, type 1 one per event group.
// clang-format off
enum class EventSource : std::uint8_t {
  // GlobalSystemEvents
  audit_success = 0, audit_failure = 1, partition_life = 2,
  // LocalDiagnostics
  hypercall = 10, intercept = 11, object = 13, partition = 14, virtual_processor = 15, synic = 16,
  synic_timer = 17, scheduler = 22,
};
inline constexpr std::uint64_t kGlobalSources = 0x7;

// Entry types. LocalDiagnostics ids are those of TLFS 2.0 "Event Log Entry Types" under the retail
// identifier byte 0x1D; GlobalSystemEvents ids are those of the WDK 7.1 header.
// Decided: the encoding of parameters is published nowhere; each parameter is one 64-bit word, in the
// order the manual names them.
enum class EventType : std::uint16_t {
  partition_created         = 4101,
  partition_deleted         = 4102,
  partition_creation_failed = 2103,
  hypercall                 = 0x1D1A,
  guest_exception           = 0x1D20,
  msr_read                  = 0x1D21,
  msr_write                 = 0x1D22,
  cr_read                   = 0x1D23,
  cr_write                  = 0x1D24,
  halt                      = 0x1D25,
  cpuid                     = 0x1D27,
  io_read                   = 0x1D28,
  io_write                  = 0x1D29,
  external_interrupt        = 0x1D2A,
  interrupt_window          = 0x1D2B,
  nmi                       = 0x1D2E,
  memory_intercept          = 0x1D36,
  create_partition          = 0x1D40,
  delete_partition          = 0x1D41,
  reference_time            = 0x1D46,
  create_vp                 = 0x1D4B,
  delete_vp                 = 0x1D4C,
  context_switch            = 0x1DB0,
};
// clang-format on

constexpr std::uint64_t mask_of(EventSource source) {
  return std::uint64_t{1} << static_cast<unsigned>(source);
}

// HvInitializeEventLogBufferGroup.
// Differs: TLFS 2.0's figure puts SystemTime across offsets 20 to 27 and the page of 2013 omits it;
// the WDK header aligns it at 24. Its value is accepted and not used: time stamps count from the
// hypervisor's start.
struct InitializeEventLogInput {
  std::uint32_t type{};
  std::uint32_t maximum_buffers{};
  std::uint32_t buffer_pages{};
  std::uint32_t threshold{};
  std::uint32_t time_basis{};
  std::uint32_t padding{};
  std::uint64_t system_time{};
};
static_assert(sizeof(InitializeEventLogInput) == 32);

// HvFinalizeEventLogBufferGroup.
struct EventLogGroupInput {
  std::uint32_t type{};
  std::uint32_t padding{};
};
static_assert(sizeof(EventLogGroupInput) == 8);

// HvDelete-, HvMap-, HvUnmap-, HvRelease- and HvFlushEventLogBuffer.
struct EventLogBufferInput {
  std::uint32_t type{};
  std::uint32_t buffer_index{};
};
static_assert(sizeof(EventLogBufferInput) == 8);

// HvCreateEventLogBuffer.
struct CreateEventLogBufferInput {
  std::uint32_t type{};
  std::uint32_t buffer_index{};
  ProximityInfo proximity{};
};
static_assert(sizeof(CreateEventLogBufferInput) == 16);

// HvMapEventLogBuffer: BufferPages page numbers, one for each page of the buffer.
struct MapEventLogBufferOutput {
  std::array<std::uint64_t, kMaximumEventLogBufferPages> pages{};
};
static_assert(sizeof(MapEventLogBufferOutput) == 4096);

// HvSetEventLogGroupSources.
struct EventLogSourcesInput {
  std::uint32_t type{};
  std::uint32_t padding{};
  std::uint64_t enable_flags{};
};
static_assert(sizeof(EventLogSourcesInput) == 16);

}  // namespace vitrine::hv::tlfs
