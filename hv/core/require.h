// The check for the hypervisor's own bugs; guest input never reaches it.
#pragma once

namespace vitrine::hv {

// Defined once per program: the image stops the machine, the native tests throw.
[[noreturn]] void require_failed(const char* why, const char* file, int line);

constexpr void require(bool ok, const char* why, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  if (!ok) [[unlikely]]
    require_failed(why, file, line);
}

}  // namespace vitrine::hv
