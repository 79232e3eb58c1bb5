// Locks and the one order in which they are taken, checked on every acquisition.
#pragma once

#include <cstdint>

namespace vitrine::hv {

struct Hypervisor;

// A processor takes locks in ascending rank only.
//   image      everything the image keeps for virtual processors; held from VM exit to VM entry
//   tree       every Partition and what it owns: pools, maps, virtual processors, ports; held for
//   one
//              attempt of a hypercall, whose length a slice bounds
//   event_log  one per group: buffers, lists and masks
//   synic      message queues, message and event-flag pages, timers
enum class LockRank : std::uint32_t { none, image, tree, event_log, synic };

// Served in the order of arrival: a virtual processor that calls again and again, because the work
// needs another processor, cannot keep that processor out.
struct Lock {
  std::uint32_t holder{};  // logical processor + 1, 0 while free
  LockRank rank{};
  std::uint32_t depth{};  // the holder may take it again
  std::uint16_t tickets{};
  std::uint16_t serving{};
};

// Holds a lock for the scope. The holder may enter again: posting a message can lead back to the
// log.
class Guard {
 public:
  Guard(Hypervisor& hv, std::uint32_t processor, Lock& lock);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Hypervisor& hv_;
  Lock& lock_;
  std::uint32_t processor_;
  LockRank held_before_;
};

}  // namespace vitrine::hv
