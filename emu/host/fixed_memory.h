// Memory at an address that is given, for programs that are linked for it.
#pragma once

#include <cstdint>

namespace vitrine::emu::host {

/// Zeroed memory, readable, writable and executable, at these pages of this process until it ends. Throws
/// HostError where something else lies there or the host refuses.
void take_fixed_memory(uint64_t address, uint64_t size);

}  // namespace vitrine::emu::host
