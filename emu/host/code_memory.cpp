// CodeMemory on Linux (one anonymous file mapped twice); elsewhere it is not available.
#include "emu/host/code_memory.h"

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace vitrine::emu::host {

#ifdef __linux__
CodeMemory::CodeMemory(uint64_t size) {
  const int file = memfd_create("vitrine-code", MFD_CLOEXEC);
  if (file < 0) return;
  if (ftruncate(file, static_cast<off_t>(size)) == 0) {
    void* const write = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    void* const execute = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    if (write != MAP_FAILED && execute != MAP_FAILED) {
      write_ = static_cast<std::byte*>(write);
      execute_ = static_cast<std::byte*>(execute);
      size_ = size;
    } else {
      if (write != MAP_FAILED) munmap(write, size);
      if (execute != MAP_FAILED) munmap(execute, size);
    }
  }
  close(file);
}

CodeMemory::~CodeMemory() {
  if (write_ == nullptr) return;
  munmap(write_, size_);
  munmap(execute_, size_);
}
#else
CodeMemory::CodeMemory(uint64_t) {}
CodeMemory::~CodeMemory() = default;
#endif

}  // namespace vitrine::emu::host
