// Fixed memory on Linux; elsewhere there is none.
#include "emu/host/fixed_memory.h"

#include "emu/host/files.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace vitrine::emu::host {

void take_fixed_memory(uint64_t address, uint64_t size) {
#ifdef __linux__
  void* const place = mmap(reinterpret_cast<void*>(address), size, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (place != MAP_FAILED) return;
#else
  static_cast<void>(address);
  static_cast<void>(size);
#endif
  throw HostError("the addresses that the program is linked for are not to be had here");
}

}  // namespace vitrine::emu::host
