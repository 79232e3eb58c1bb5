// Emitter: an AsmJit assembler with our pinned registers, and the small sequences that blocks are made of.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>

#include "emu/cpu/jit/layout.h"

namespace vitrine::emu::jit {

namespace x86 = asmjit::x86;

inline const x86::Gp kState = x86::rbp;    ///< CpuState::regs
inline const x86::Gp kClock = x86::r14;    ///< at the entry of the block
inline const x86::Gp kRetired = x86::r15;  ///< before the block

inline x86::Gp host_register(uint8_t number, unsigned bytes) {
  switch (bytes) {
    case 1: return x86::gpb_lo(number);
    case 2: return x86::gpw(number);
    case 4: return x86::gpd(number);
    default: return x86::gpq(number);
  }
}

/// The flags' way into the frame and back; both spoil RAX alone, and saving keeps the host's flags.
inline void save_flags(x86::Assembler& a, const Layout& layout) {
  a.lahf();
  a.seto(x86::al);
  a.mov(x86::word_ptr(kState, layout.flags), x86::ax);
}
inline void load_flags(x86::Assembler& a, const Layout& layout) {
  a.movzx(x86::eax, x86::word_ptr(kState, layout.flags));
  a.add(x86::al, 0x7F);  // 1 + 0x7F overflows
  a.sahf();
}

inline x86::Mem guest_register(unsigned number, unsigned bytes = 8) {
  return x86::Mem(kState, static_cast<int32_t>(number * 8), bytes);
}

inline asmjit::Imm address(const void* at) { return asmjit::Imm(reinterpret_cast<uint64_t>(at)); }

}  // namespace vitrine::emu::jit
