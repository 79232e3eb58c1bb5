// The check for our own bugs: it stops the machine; guest input never reaches it.
#pragma once

namespace vitrine::emu {

// Defined once per program: emu/host/require.cpp on a host, each image's own start code in a guest.
[[noreturn]] void require_failed(const char* why, const char* file, int line) noexcept;

// The file and line are those of the caller, taken by the compiler.
constexpr void require(bool ok, const char* why, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) noexcept {
    if (!ok) [[unlikely]]
        require_failed(why, file, line);
}

}  // namespace vitrine::emu
