// The compiler: makes x86-64 code of a unit of planned blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emu/cpu/jit/layout.h"
#include "emu/cpu/jit/unit.h"
#include "emu/host/code_memory.h"

namespace vitrine::emu::jit {

/// What the compiler refers to.
struct Surroundings {
  const Layout& layout;
  const Thunks& thunks;
  const void* targets;  ///< table of indirect targets
};

/// False in a build without an assembler.
bool can_compile();

/// Whether the host has what vector forms are made of: AVX, AVX2 and FMA.
bool can_compile_vectors();

/// What the shared pieces call: one instruction by its handler, and all from there on. Their answer is
/// where to go on, null for behind the instruction.
struct Interpreters {
  const void* one;
  const void* rest;
};

/// Emits the shared pieces at the start of `memory`; answers the bytes used.
uint64_t emit_thunks(host::CodeMemory& memory, const Layout& layout, const Interpreters& calls,
                     Thunks& thunks);

/// Emits the unit at `at` bytes into `memory` and fills the codes of its blocks. Answers the bytes used,
/// 0 when there is no room.
uint64_t compile_unit(host::CodeMemory& memory, uint64_t at, const Surroundings& around,
                      const Unit& unit);

}  // namespace vitrine::emu::jit
