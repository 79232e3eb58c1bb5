// LazyMemory on POSIX (anonymous mapping without reservation of swap) and Windows.
#include "emu/host/lazy_memory.h"

#include <new>

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace vitrine::emu::host {

#ifdef _WIN32
LazyMemory::LazyMemory(uint64_t size) : size_(size) {
  void* const at = VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (at == nullptr) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(at);
}

LazyMemory::~LazyMemory() { VirtualFree(data_, 0, MEM_RELEASE); }
#else
LazyMemory::LazyMemory(uint64_t size) : size_(size) {
  void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(at);
}

LazyMemory::~LazyMemory() { munmap(data_, size_); }
#endif

}  // namespace vitrine::emu::host
