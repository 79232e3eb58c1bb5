// The hypervisor's own pages: never-used ones in a row, freed ones on a list through their first
// word.
#include "hv/image/page_heap.h"

#include "hv/image/console.h"

extern "C" {
extern char hypervisor_start[], hypervisor_end[], heap_start[], heap_end[];
}

namespace vitrine::hv {
namespace {

struct Heap {
  std::uint64_t next_unused{};
  std::uint64_t freed{};  // first of the freed pages, 0 for none
  std::uint64_t freed_count{};
  std::uint64_t arena_size{};
};
Heap heap;

std::uint64_t address(const char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); }

void clear_page(std::uint64_t page) { __builtin_memset(at<void>(page), 0, kPageSize); }

}  // namespace

std::uint64_t hypervisor_base() { return address(::hypervisor_start); }
std::uint64_t hypervisor_end() { return address(::hypervisor_end) + heap.arena_size; }

std::uint64_t reserve_arena(std::uint64_t count) {
  constexpr std::uint64_t kLargePage = 0x200000;
  const std::uint64_t base = hypervisor_end();
  heap.arena_size = (count * kPageSize + kLargePage - 1) & ~(kLargePage - 1);
  __builtin_memset(at<void>(base), 0, heap.arena_size);
  return base;
}

std::uint64_t allocate_page() {
  if (heap.freed == 0) return allocate_pages(1);
  const std::uint64_t page = heap.freed;
  heap.freed = *at<std::uint64_t>(page);
  --heap.freed_count;
  clear_page(page);
  return page;
}

std::uint64_t allocate_pages(std::uint64_t count) {
  if (heap.next_unused == 0) heap.next_unused = address(heap_start);
  const std::uint64_t first = heap.next_unused;
  if (first + count * kPageSize > address(heap_end)) stop("out of hypervisor pages");
  heap.next_unused += count * kPageSize;
  for (std::uint64_t i = 0; i < count; ++i) clear_page(first + i * kPageSize);
  return first;
}

void free_page(std::uint64_t page) {
  *at<std::uint64_t>(page) = heap.freed;
  heap.freed = page;
  ++heap.freed_count;
}

std::uint64_t free_pages() {
  const std::uint64_t unused = heap.next_unused == 0 ? address(heap_start) : heap.next_unused;
  return (address(heap_end) - unused) / kPageSize + heap.freed_count;
}

}  // namespace vitrine::hv
