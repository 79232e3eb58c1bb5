// Repeated string instructions in bulk: many iterations of REP MOVS and REP STOS at once.
#pragma once

#include <cstdint>

#include "emu/cpu/cpu.h"

namespace vitrine::emu {

/// Does up to `most` iterations of a forward REP MOVS or REP STOS in 64-bit mode that need nothing but
/// cached translations, never the last one; answers how many. The state is as after so many calls of the
/// handler.
uint64_t repeat_in_bulk(Cpu& cpu, const Insn& insn, uint64_t most);

}  // namespace vitrine::emu
