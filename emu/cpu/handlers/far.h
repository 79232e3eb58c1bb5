// What far transfers and far returns share: targets, their limits, and the step that takes them.
#pragma once

#include <cstdint>

#include "emu/cpu/cpu.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

struct FarPointer {
  uint64_t offset = 0;
  uint16_t selector = 0;
};

/// Real or virtual-8086 mode: selectors are paragraph numbers.
inline bool real_like(const CpuState& s) { return !s.protected_mode() || s.v8086(); }

inline Fault selector_fault(arch::Vector vector, uint16_t selector) {
  return fault(vector, selector_error(selector));
}

/// Whether RIP may be set to `offset` in the code segment `cs`.
inline bool offset_fits(const CpuState& s, const Descriptor& cs, uint64_t offset) {
  if (s.long_mode() && cs.rights().long_mode()) return Cpu::canonical(offset);
  return offset <= cs.limit();
}

inline Flow go_real(Cpu& cpu, const FarPointer& target) {
  load_real_segment(cpu, arch::cs, target.selector);
  cpu.state.set_rip(target.offset);
  return Flow::branch;
}

/// Loads CS and RIP. The descriptor's accessed bit has been set.
inline Flow finish_transfer(Cpu& cpu, uint16_t selector, const Descriptor& d, unsigned cpl,
                            uint64_t offset) {
  load_code_segment(cpu, selector, d, cpl);
  cpu.state.set_rip(offset);
  cpu.segments_changed();
  cpu.attention();
  return Flow::branch;
}

}  // namespace vitrine::emu
