// How a change of translations reaches every processor: an epoch, a kick, and an acknowledgement.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/event_log.h"

namespace vitrine::hv {

// SDM "Propagation of Paging-Structure Changes to Multiple Processors", for the tables of the
// hypervisor. Whoever takes something away announces an epoch, drops its own cached translations,
// kicks each processor that is in a guest behind that epoch, and waits until it is not. A processor
// enters no guest before it has dropped what is older than the epoch it sees, so one in the
// hypervisor need not be waited for: it may be the one that waits for the lock.
class TranslationEpoch {
 public:
  // --- of a processor on its own behalf
  // Before VM entry, with the lock still held: from here on it may be kicked.
  void enter_guest(std::uint32_t processor) { store(at_[processor].in_guest, 1); }
  // Behind enter_guest(): while this is true, drop all cached translations and acknowledge().
  bool behind(std::uint32_t processor) const { return load(at_[processor].seen) != load(epoch_); }
  // The epoch to acknowledge is read before the translations are dropped.
  std::uint64_t current() const { return load(epoch_); }
  void acknowledge(std::uint32_t processor, std::uint64_t epoch) {
    store(at_[processor].seen, epoch);
  }
  void leave_guest(std::uint32_t processor) { store(at_[processor].in_guest, 0); }

  // --- of a processor that changes something, which holds the lock
  std::uint64_t announce() { return __atomic_add_fetch(&epoch_, 1, __ATOMIC_SEQ_CST); }
  bool in_guest(std::uint32_t processor) const { return load(at_[processor].in_guest) != 0; }
  // Whether the processor can use nothing older than `epoch` any more.
  bool settled(std::uint32_t processor, std::uint64_t epoch) const {
    return !in_guest(processor) || load(at_[processor].seen) >= epoch;
  }

 private:
  struct Place {
    std::uint64_t seen{};
    std::uint64_t in_guest{};
  };
  static std::uint64_t load(const std::uint64_t& word) {
    return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
  }
  static void store(std::uint64_t& word, std::uint64_t value) {
    __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
  }

  std::uint64_t epoch_{};
  std::array<Place, kMaximumProcessors> at_{};
};

}  // namespace vitrine::hv
