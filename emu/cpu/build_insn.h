// The builder: from instruction bytes and the mode to the Insn that the engines execute.
#pragma once

#include <cstddef>
#include <span>

#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/decode.h"
#include "emu/cpu/decoded.h"
#include "emu/cpu/insn.h"

namespace vitrine::emu {

/// False when the instruction goes on behind `bytes`; fifteen bytes always decide. What cannot be
/// executed becomes an Insn that raises #UD, or #GP(0) when it is too long.
bool build_insn(std::span<const std::byte> bytes, const DecodeMode& mode,
                const arch::CpuProfile& profile, Insn& insn);

/// Handlers of what cannot be executed.
Flow undefined_opcode(Cpu& cpu, const Insn& insn);
Flow instruction_too_long(Cpu& cpu, const Insn& insn);

}  // namespace vitrine::emu
