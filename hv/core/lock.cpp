// Locks and the check of their order.
#include "hv/core/lock.h"

#include "hv/core/hypervisor.h"
#include "hv/core/require.h"

namespace vitrine::hv {

Guard::Guard(Hypervisor& hv, std::uint32_t processor, Lock& lock)
    : hv_(hv), lock_(lock), processor_(processor), held_before_(hv.processor(processor).held) {
  const std::uint32_t me = processor + 1;
  if (__atomic_load_n(&lock.holder, __ATOMIC_RELAXED) == me) {
    ++lock.depth;
    return;
  }
  require(lock.rank > held_before_, "locks are taken in order");
  const Platform& platform = *hv.platform;
  const std::uint16_t mine = __atomic_fetch_add(&lock.tickets, std::uint16_t{1}, __ATOMIC_RELAXED);
  while (__atomic_load_n(&lock.serving, __ATOMIC_ACQUIRE) != mine) {
    platform.pause(platform.context, processor);
  }
  __atomic_store_n(&lock.holder, me, __ATOMIC_RELAXED);
  lock.depth = 1;
  hv.processor(processor).held = lock.rank;
}

Guard::~Guard() {
  if (--lock_.depth != 0) return;
  hv_.processor(processor_).held = held_before_;
  __atomic_store_n(&lock_.holder, 0U, __ATOMIC_RELAXED);
  const auto next = static_cast<std::uint16_t>(lock_.serving + 1);
  __atomic_store_n(&lock_.serving, next, __ATOMIC_RELEASE);
}

}  // namespace vitrine::hv
