// Intercepts: installing them, asking for them, and sending their messages.
#include "hv/core/intercepts.h"

#include "hv/core/handlers.h"
#include "hv/core/intercepts_store.h"
#include "hv/core/slots.h"
#include "hv/core/synic.h"

namespace vitrine::hv {
namespace {

using tlfs::InterceptAccess;
using tlfs::InterceptType;

constexpr std::uint32_t kReadWrite = 3;
constexpr std::uint32_t kExecute = 4;
constexpr std::uint64_t kLastPort = 0xFFFF;
constexpr std::uint64_t kLastException = 31;

constexpr std::uint32_t code(InterceptType type) { return static_cast<std::uint32_t>(type); }

Slot* find_intercept(const Hypervisor& hv, const Partition& partition, std::uint32_t type,
                     std::uint64_t parameter) {
  return find_slot(hv, partition.intercept_slots,
                   [&](const Slot& slot) { return slot.key == type && slot.first == parameter; });
}

// TLFS "Intercept Types": what may be asked of each, and its parameter.
bool legal(const tlfs::InstallInterceptInput& in) {
  switch (static_cast<InterceptType>(in.type)) {
    case InterceptType::io_port: return (in.access & ~kReadWrite) == 0 && in.parameter <= kLastPort;
    case InterceptType::msr: return (in.access & ~kReadWrite) == 0;
    case InterceptType::cpuid: return (in.access & ~kExecute) == 0 && in.parameter >> 32 == 0;
    case InterceptType::exception:
      return (in.access & ~kExecute) == 0 && in.parameter <= kLastException;
  }
  return false;
}

// MSR intercepts are one for all MSRs; their parameter is not looked at.
std::uint64_t parameter_of(std::uint32_t type, std::uint64_t parameter) {
  return type == code(InterceptType::msr) ? 0 : parameter;
}

void set_bytes(tlfs::Message& message, std::span<const std::byte> payload) {
  message.payload_size = static_cast<std::uint8_t>(payload.size());
  __builtin_memcpy(message.payload.data(), payload.data(), payload.size());
}

}  // namespace

bool wants_intercept(const Hypervisor& hv, const Partition& partition, InterceptType type,
                     std::uint64_t parameter, InterceptAccess access) {
  const Slot* const slot =
      find_intercept(hv, partition, code(type), parameter_of(code(type), parameter));
  return slot != nullptr && (slot->second & static_cast<std::uint32_t>(access)) != 0;
}

// TLFS "Intercept Message Delivery": to SINT0 of any VP of the parent. Decided: the one on the same
// processor if its SynIC is on, else the first whose SynIC is on, else the first, where it waits.
void raise_intercept(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                     tlfs::MessageType type, std::span<const std::byte> payload) {
  Partition& partition = partition_of(hv, vp);
  if (partition.parent == 0) return;
  if (logs(hv, tlfs::EventSource::intercept)) {
    const std::uint64_t parameters[] = {partition.id, vp.index, static_cast<std::uint64_t>(type)};
    log_event(hv, processor, tlfs::EventSource::intercept, tlfs::EventType::memory_intercept,
              parameters);
  }
  vp.intercept_suspend = 1;
  VirtualProcessor* const target =
      message_target(hv, *hv.at<Partition>(partition.parent), vp.processor);
  if (target == nullptr) return;
  MessageBuffer& buffer = vp.buffers[kInterceptBuffer];
  unqueue_message(hv, processor, buffer);
  tlfs::Message& message = vp.messages[kInterceptBuffer];
  message = {.type = static_cast<std::uint32_t>(type), .sender = partition.id};
  set_bytes(message, payload);
  queue_message(hv, processor, *target, tlfs::kHypervisorSint, buffer);
}

void remove_first_intercept(Hypervisor& hv, Partition& partition) {
  const Slot* const slot =
      find_slot(hv, partition.intercept_slots, [](const Slot&) { return true; });
  remove_slot(hv, partition, partition.intercept_slots, *slot);
  --partition.intercept_count;
}

// TLFS HvInstallIntercept. Decided: installing again replaces the access; removing what is not installed
// succeeds. Any type may run out of memory here, not CPUID alone: all are records of the same pool.
Done install_intercept(Caller& caller, const tlfs::InstallInterceptInput& in) {
  Hypervisor& hv = caller.hv;
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::active) return Status::invalid_partition_state;
  if (!legal(in)) return Status::invalid_parameter;
  const std::uint64_t parameter = parameter_of(in.type, in.parameter);
  Slot* slot = find_intercept(hv, partition, in.type, parameter);
  if (in.access == 0) {
    if (slot == nullptr) return kDone;
    remove_slot(hv, partition, partition.intercept_slots, *slot);
    --partition.intercept_count;
    return kDone;
  }
  if (slot == nullptr) {
    slot = add_slot(hv, partition, partition.intercept_slots);
    if (slot == nullptr) return Status::insufficient_memory;
    slot->key = in.type;
    slot->first = parameter;
    ++partition.intercept_count;
  }
  slot->second = in.access;
  return kDone;
}

}  // namespace vitrine::hv
