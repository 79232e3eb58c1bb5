// What a failed require does on a host: one line on stderr, then abort, so that a debugger or a core dump has the place.
#include "emu/arch/require.h"

#include <cstdio>
#include <cstdlib>

namespace vitrine::emu {

void require_failed(const char* why, const char* file, int line) noexcept {
    std::fprintf(stderr, "vitrine: internal error: %s (%s:%d)\n", why, file, line);
    std::fflush(stderr);
    std::abort();
}

}  // namespace vitrine::emu
