// The hypervisor's own pages: where page tables, VMCSs and processor blocks come from.
#pragma once

#include <cstdint>

namespace vitrine::hv {

constexpr std::uint64_t kPageSize = 4096;

// The physical range that the image, its heap and the core's arena occupy; no partition ever sees
// it.
std::uint64_t hypervisor_base();
std::uint64_t hypervisor_end();

// Takes `count` zeroed pages behind the image for the core; their number depends on the machine's
// RAM, so they are not in .bss. Call once, after the modules have been moved away from there.
std::uint64_t reserve_arena(std::uint64_t count);

// A zeroed page; stops the machine when there is none left, as the heap is sized for the worst
// case.
std::uint64_t allocate_page();
// `count` zeroed pages in a row, at start-up only.
std::uint64_t allocate_pages(std::uint64_t count);
void free_page(std::uint64_t page);
std::uint64_t free_pages();

// A page as memory: the hypervisor's addresses are physical ones.
template <typename T>
T* at(std::uint64_t physical) {
  return reinterpret_cast<T*>(physical);
}

}  // namespace vitrine::hv
