// CR4.VME and CR4.PVI: IF stands for VIF where IOPL forbids to change it.
#pragma once

#include "emu/cpu/cpu.h"

namespace vitrine::emu {

/// SDM "Virtual Interrupts": at CPL 3 with IOPL below 3, CLI and STI work on VIF; by CR4.VME in
/// virtual-8086 mode, by CR4.PVI outside it.
inline bool virtual_interrupts(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  const uint64_t enable = s.v8086() ? arch::cr4::vme : arch::cr4::pvi;
  const bool limited = (s.rflags_system & arch::rflags::iopl) != arch::rflags::iopl;
  return s.protected_mode() && s.cpl == 3 && limited && (s.cr4 & enable) != 0;
}
/// PUSHF, POPF, IRET and INT n virtualise flags in virtual-8086 mode alone.
inline bool virtual_flags(const Cpu& cpu) { return cpu.state.v8086() && virtual_interrupts(cpu); }

/// The 16-bit image of FLAGS: under virtual flags IF shows VIF, and IOPL reads as 3.
inline uint64_t virtual_flags_image(const Cpu& cpu) {
  namespace rflags = arch::rflags;
  const uint64_t flags = cpu.state.rflags();
  if (!virtual_flags(cpu)) return flags;
  const uint64_t shown = (flags & rflags::vif) != 0 ? rflags::if_ : 0;
  return (flags & ~rflags::if_) | shown | rflags::iopl;
}

/// Whether a 16-bit image may be loaded: not TF, and not IF while an interrupt is pending (VIP).
inline bool virtual_flags_allow(const Cpu& cpu, uint64_t image) {
  namespace rflags = arch::rflags;
  const bool pending = (cpu.state.rflags_system & rflags::vip) != 0;
  return (image & rflags::tf) == 0 && !(pending && (image & rflags::if_) != 0);
}
/// Loads it: IF goes to VIF; IF and IOPL stay.
inline void load_virtual_flags(CpuState& s, uint64_t image) {
  namespace rflags = arch::rflags;
  constexpr uint64_t kLoaded = rflags::arithmetic | rflags::df | rflags::nt | rflags::tf;
  const uint64_t vif = (image & rflags::if_) != 0 ? rflags::vif : 0;
  s.set_rflags((s.rflags() & ~(kLoaded | rflags::vif)) | (image & kLoaded) | vif);
}

}  // namespace vitrine::emu
