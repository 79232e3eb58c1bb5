// Synthetic timers.
#include "hv/core/timers.h"

#include "hv/core/hypervisor.h"
#include "hv/core/synic.h"
#include "hv/core/time.h"
#include "hv/tlfs/message_types.h"

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

std::uint64_t tsc_of(const Hypervisor& hv, const VirtualProcessor& vp, std::uint64_t reference) {
  const Partition& partition = partition_of(hv, vp);
  const std::uint64_t start = multiply_high(partition.created_at, hv.tsc_scale);
  // An absolute time beyond the end of the counter never comes.
  if (reference > kNever / hv.tsc_frequency * kTicksPerSecond - start) return kNever;
  return tsc_of_ticks(hv, reference + start);
}

template <class Action>
void for_each_vp_on(const Hypervisor& hv, std::uint32_t processor, Action action) {
  for (std::uint64_t p = hv.first_partition; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& partition = *hv.at<Partition>(p);
    if (partition.state != PartitionState::active) continue;
    for (const std::uint64_t address : partition.vps) {
      if (address == 0) continue;
      VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
      if (vp.processor == processor) action(vp);
    }
  }
}

// The earliest expiry on a processor is kept in its block, so that asking costs one load on an exit.
void find_next(Hypervisor& hv, std::uint32_t processor) {
  std::uint64_t next = kNever;
  for_each_vp_on(hv, processor, [&](const VirtualProcessor& vp) {
    for (const SyntheticTimer& timer : vp.timers) {
      if (timer.armed == 0) continue;
      const std::uint64_t at = tsc_of(hv, vp, timer.expiry);
      if (at < next) next = at;
    }
  });
  __atomic_store_n(&hv.processor(processor).next_timer, next, __ATOMIC_RELEASE);
}

// The processor that runs the VP must look at its timers again, if that is another one.
void notice(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp) {
  find_next(hv, vp.processor);
  if (vp.processor != processor) hv.platform->reschedule(hv.platform->context, vp);
}

// TLFS "Synthetic Timers": a periodic timer's first period starts when it is enabled; a one-shot count is
// an absolute time, and one in the past expires at once.
void arm(Hypervisor& hv, const VirtualProcessor& vp, SyntheticTimer& timer) {
  const tlfs::TimerConfig config{timer.config};
  timer.armed = config.enabled() ? 1 : 0;
  if (timer.armed == 0) return;
  const std::uint64_t now = reference_time(hv, partition_of(hv, vp));
  timer.expiry = config.periodic() ? now + timer.count : timer.count;
}

// One buffer per timer: while its last message still waits, a periodic timer sends no second one.
void send(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp, std::uint32_t index,
          std::uint64_t expiration) {
  MessageBuffer& buffer = vp.buffers[index];
  if (buffer.target != 0) return;
  const tlfs::TimerPayload payload{.timer_index = index, .expiration_time = expiration};
  tlfs::Message& message = vp.messages[index];
  message = {.type = static_cast<std::uint32_t>(tlfs::MessageType::timer_expired),
             .payload_size = sizeof payload};
  __builtin_memcpy(message.payload.data(), &payload, sizeof payload);
  queue_message(hv, processor, vp, tlfs::TimerConfig{vp.timers[index].config}.sint(), buffer);
}

void expire(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp, std::uint32_t index,
            std::uint64_t now) {
  SyntheticTimer& timer = vp.timers[index];
  const tlfs::TimerConfig config{timer.config};
  const std::uint64_t expiration = timer.expiry;
  ++timer.expirations;
  if (config.periodic()) {
    // Decided: periods that have passed unseen are skipped.
    const std::uint64_t missed = (now - expiration) / timer.count;
    timer.expiry += (missed + 1) * timer.count;
  } else {
    timer.armed = 0;
    timer.config = config.with_enabled(false).word;
  }
  if (config.direct()) {
    hv.platform->request_interrupt(hv.platform->context, vp, config.vector(), false);
  } else {
    send(hv, processor, vp, index, expiration);
  }
}

}  // namespace

bool write_timer_config(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                        std::uint32_t index, std::uint64_t value) {
  if ((value & ~tlfs::TimerConfig::kDefined) != 0) return false;
  const Guard guard(hv, processor, hv.synic_lock);
  SyntheticTimer& timer = vp.timers[index];
  tlfs::TimerConfig config{value};
  const bool has_target = config.direct() || config.sint() != 0;
  if (!has_target || timer.count == 0) config = config.with_enabled(false);
  timer.config = config.word;
  arm(hv, vp, timer);
  notice(hv, processor, vp);
  return true;
}

void write_timer_count(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                       std::uint32_t index, std::uint64_t value) {
  const Guard guard(hv, processor, hv.synic_lock);
  SyntheticTimer& timer = vp.timers[index];
  tlfs::TimerConfig config{timer.config};
  timer.count = value;
  const bool has_target = config.direct() || config.sint() != 0;
  if (value == 0) {
    config = config.with_enabled(false);
  } else if (config.auto_enable() && has_target) {
    config = config.with_enabled(true);
  }
  timer.config = config.word;
  arm(hv, vp, timer);
  notice(hv, processor, vp);
}

void stop_timer(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                SyntheticTimer& timer) {
  const Guard guard(hv, processor, hv.synic_lock);
  timer.armed = 0;
  find_next(hv, vp.processor);
}

void expire_timers(Hypervisor& hv, std::uint32_t processor) {
  const std::uint64_t tsc = hv.platform->read_tsc(hv.platform->context);
  if (tsc < next_timer(hv, processor)) return;
  const Guard tree(hv, processor, hv.tree_lock);
  const Guard guard(hv, processor, hv.synic_lock);
  for_each_vp_on(hv, processor, [&](VirtualProcessor& vp) {
    const std::uint64_t now = reference_time(hv, partition_of(hv, vp));
    for (std::uint32_t i = 0; i < tlfs::kTimersPerVp; ++i) {
      if (vp.timers[i].armed != 0 && vp.timers[i].expiry <= now) expire(hv, processor, vp, i, now);
    }
  });
  find_next(hv, processor);
}

std::uint64_t next_timer(const Hypervisor& hv, std::uint32_t processor) {
  return __atomic_load_n(&hv.processor(processor).next_timer, __ATOMIC_ACQUIRE);
}

}  // namespace vitrine::hv
