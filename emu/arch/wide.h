// 128-bit integers, named once so that pedantic builds accept the compiler extension.
#pragma once

namespace vitrine::emu {

__extension__ typedef unsigned __int128 uint128_t;
__extension__ typedef __int128 int128_t;

}  // namespace vitrine::emu
