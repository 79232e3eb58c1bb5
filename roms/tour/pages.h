// The tour's memory: pages to deposit and to map, and a record of which are out of its hands.
#pragma once

#include <array>
#include <cstdint>

#include "hv/tlfs/hypercall.h"
#include "hv/tlfs/types.h"

namespace vitrine::tour {

namespace tlfs = hv::tlfs;

// `count` fresh zeroed pages in a row; the page number of the first.
std::uint64_t take_pages(std::uint64_t count);

template <typename T>
T* at_page(std::uint64_t page) {
  return reinterpret_cast<T*>(page * tlfs::kPageSize);
}

// Gives `count` fresh pages to the pool of `partition`.
tlfs::HypercallResult deposit(tlfs::PartitionId partition, std::uint64_t count);

struct Balance {
  std::uint64_t available{}, in_use{};
};
Balance balance(tlfs::PartitionId partition);

// Takes back whatever the pool of `partition` has unused.
struct Withdrawal {
  std::uint64_t pages{};
  bool each_once{true};        // only deposited pages, none twice
  bool zeroed{true};           // empty and writable again
  tlfs::Status last_status{};  // of the call that ended it
};
Withdrawal withdraw_all(tlfs::PartitionId partition);

}  // namespace vitrine::tour
