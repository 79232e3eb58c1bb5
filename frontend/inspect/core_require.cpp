// The hypervisor core's check for its own bugs: here its tables are read and none of it runs.
#include "hv/core/require.h"

#include <cstdio>
#include <cstdlib>

namespace vitrine::hv {

void require_failed(const char* why, const char* file, int line) {
  std::fprintf(stderr, "vitrine: the hypervisor core says at %s:%d: %s\n", file, line, why);
  std::abort();
}

}  // namespace vitrine::hv
