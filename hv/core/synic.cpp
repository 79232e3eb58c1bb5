// The synthetic interrupt controller.
#include "hv/core/synic.h"

#include "hv/core/event_log.h"
#include "hv/core/hypervisor.h"
#include "hv/core/time.h"
#include "hv/core/timers.h"

namespace vitrine::hv {
namespace {

tlfs::Message& slot_of(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t sint) {
  const auto page = static_cast<std::uint32_t>(VpOverlay::messages);
  return hv.at<tlfs::Message>(vp.overlay[page])[sint];
}

void interrupt(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint) {
  const tlfs::SintRegister reg{vp.synic.sint[sint]};
  if (reg.masked() || reg.polling()) return;
  const Platform& platform = *hv.platform;
  platform.request_interrupt(platform.context, vp, reg.vector(), reg.auto_eoi());
}

// TLFS "Message Delivery": the type is written last, as it is what the guest polls.
void fill_slot(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint,
               const tlfs::Message& message, bool more) {
  tlfs::Message& slot = slot_of(hv, vp, sint);
  const std::uint32_t type = message.type;
  slot.payload_size = message.payload_size;
  slot.flags = more ? tlfs::Message::kPending : std::uint8_t{0};
  slot.reserved = 0;
  slot.sender = message.sender;
  slot.payload = message.payload;
  __atomic_store_n(&slot.type, type, __ATOMIC_RELEASE);
  interrupt(hv, vp, sint);
}

bool slot_taken(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t sint) {
  return __atomic_load_n(&slot_of(hv, vp, sint).type, __ATOMIC_ACQUIRE) != 0;
}

void mark_waiting(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t sint) {
  slot_of(hv, vp, sint).flags |= tlfs::Message::kPending;
}

void unlink(const Hypervisor& hv, VirtualProcessor& vp, MessageBuffer& buffer) {
  Synic& synic = vp.synic;
  const std::uint64_t address = hv.address_of(&buffer);
  std::uint64_t previous = 0;
  std::uint64_t at = synic.queue_first[buffer.sint];
  while (at != address) {
    previous = at;
    at = hv.at<MessageBuffer>(at)->next;
  }
  (previous == 0 ? synic.queue_first[buffer.sint] : hv.at<MessageBuffer>(previous)->next) =
      buffer.next;
  if (synic.queue_last[buffer.sint] == address) synic.queue_last[buffer.sint] = previous;
  buffer.next = buffer.target = 0;
  --synic.queued;
}

// A timer message says when it reached the slot.
void stamp_delivery(const Hypervisor& hv, const VirtualProcessor& vp, tlfs::Message& message) {
  tlfs::TimerPayload payload;
  __builtin_memcpy(&payload, message.payload.data(), sizeof payload);
  payload.delivery_time = reference_time(hv, partition_of(hv, vp));
  __builtin_memcpy(message.payload.data(), &payload, sizeof payload);
}

void deliver(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint) {
  Synic& synic = vp.synic;
  if (synic.queue_first[sint] == 0 || !takes_messages(vp)) return;
  if (slot_taken(hv, vp, sint)) return mark_waiting(hv, vp, sint);
  MessageBuffer& buffer = *hv.at<MessageBuffer>(synic.queue_first[sint]);
  tlfs::Message& message = *hv.at<tlfs::Message>(buffer.message);
  if (buffer.kind == BufferKind::timer) stamp_delivery(hv, vp, message);
  unlink(hv, vp, buffer);
  fill_slot(hv, vp, sint, message, synic.queue_first[sint] != 0);
}

}  // namespace

bool takes_messages(const VirtualProcessor& vp) {
  return (vp.synic.scontrol & 1) != 0 && tlfs::PageRegister{vp.synic.simp}.enabled();
}

bool takes_events(const VirtualProcessor& vp) {
  return (vp.synic.scontrol & 1) != 0 && tlfs::PageRegister{vp.synic.siefp}.enabled();
}

VirtualProcessor* message_target(const Hypervisor& hv, const Partition& partition,
                                 std::uint32_t processor) {
  VirtualProcessor* first = nullptr;
  VirtualProcessor* ready = nullptr;
  for (const std::uint64_t address : partition.vps) {
    if (address == 0) continue;
    VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
    if (first == nullptr) first = &vp;
    if (!takes_messages(vp)) continue;
    if (vp.processor == processor) return &vp;
    if (ready == nullptr) ready = &vp;
  }
  return ready != nullptr ? ready : first;
}

void queue_message(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                   std::uint32_t sint, MessageBuffer& buffer) {
  const Guard guard(hv, processor, hv.synic_lock);
  Synic& synic = vp.synic;
  const std::uint64_t address = hv.address_of(&buffer);
  buffer.next = 0;
  buffer.sint = sint;
  buffer.target = hv.address_of(&vp);
  (synic.queue_last[sint] == 0 ? synic.queue_first[sint]
                               : hv.at<MessageBuffer>(synic.queue_last[sint])->next) = address;
  synic.queue_last[sint] = address;
  ++synic.queued;
  deliver(hv, vp, sint);
}

void unqueue_message(Hypervisor& hv, std::uint32_t processor, MessageBuffer& buffer) {
  const Guard guard(hv, processor, hv.synic_lock);
  if (buffer.target != 0) unlink(hv, *hv.at<VirtualProcessor>(buffer.target), buffer);
}

void drop_first_message(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp) {
  const Guard guard(hv, processor, hv.synic_lock);
  for (const std::uint64_t first : vp.synic.queue_first) {
    if (first == 0) continue;
    return unlink(hv, vp, *hv.at<MessageBuffer>(first));
  }
}

void unqueue_own_messages(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp) {
  const Guard guard(hv, processor, hv.synic_lock);
  while (vp.synic.queued != 0) drop_first_message(hv, processor, vp);
  for (MessageBuffer& buffer : vp.buffers) unqueue_message(hv, processor, buffer);
  for (SyntheticTimer& timer : vp.timers) stop_timer(hv, processor, vp, timer);
}

bool slot_ready(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t sint) {
  if (!takes_messages(vp)) return false;
  if (vp.synic.queue_first[sint] == 0 && !slot_taken(hv, vp, sint)) return true;
  mark_waiting(hv, vp, sint);
  return false;
}

void post_now(Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint,
              const tlfs::Message& message) {
  fill_slot(hv, vp, sint, message, false);
}

void scan_messages(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp) {
  {
    const Guard guard(hv, processor, hv.synic_lock);
    for (std::uint32_t sint = 0; sint < tlfs::kSints && vp.synic.queued != 0; ++sint) {
      deliver(hv, vp, sint);
    }
  }
  retry_ready_messages(hv, processor);
}

void raise_sint(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t sint) {
  if ((vp.synic.scontrol & 1) != 0) interrupt(hv, vp, sint);
}

void set_event_flag(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                    std::uint32_t sint, std::uint32_t flag) {
  constexpr std::uint32_t kBytesPerSint = tlfs::kEventFlagsPerSint / 8;
  const Guard guard(hv, processor, hv.synic_lock);
  const auto page = static_cast<std::uint32_t>(VpOverlay::event_flags);
  std::uint8_t* const byte =
      hv.at<std::uint8_t>(vp.overlay[page]) + sint * kBytesPerSint + flag / 8;
  const auto mask = static_cast<std::uint8_t>(1U << (flag % 8));
  const std::uint8_t before = __atomic_fetch_or(byte, mask, __ATOMIC_ACQ_REL);
  if ((before & mask) == 0) interrupt(hv, vp, sint);
}

void end_of_interrupt(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp) {
  scan_messages(hv, processor, vp);
}

}  // namespace vitrine::hv
