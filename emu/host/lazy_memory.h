// LazyMemory: a large zeroed stretch of host memory that costs only the pages touched.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine::emu::host {

/// Reserved address space, backed page by page on first touch. Throws std::bad_alloc when the host
/// refuses the reservation. Never moves.
class LazyMemory {
 public:
  explicit LazyMemory(uint64_t size);
  ~LazyMemory();
  LazyMemory(const LazyMemory&) = delete;
  LazyMemory& operator=(const LazyMemory&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  std::byte* data_;
  uint64_t size_;
};

}  // namespace vitrine::emu::host
