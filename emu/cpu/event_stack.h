// EventStack: the stack that an interrupt, exception or gate pushes its frame on, old or new.
#pragma once

#include <cstdint>

#include "emu/cpu/cpu.h"

namespace vitrine::emu {

/// Pushes with the rights of the level it belongs to; nothing of the processor changes until the
/// caller takes `ss` and `sp` over.
struct EventStack {
  SegmentState ss;
  uint64_t sp = 0;
  uint64_t mask = ~uint64_t{0};
  bool user = false;        ///< pushes have CPL 3 rights
  bool flat = false;        ///< 64-bit mode: no segment checks
  uint32_t fault_code = 0;  ///< error code of #SS

  Result<void, Fault> push(Cpu& cpu, uint64_t value, unsigned bytes) {
    const uint64_t next = (sp - bytes) & mask;
    const Fault refused = fault(arch::Vector::stack_fault, fault_code);
    Gva at{next};
    if (flat) {
      if (!Cpu::canonical(next) || !Cpu::canonical(next + bytes - 1)) return Err{refused};
    } else {
      const uint64_t last = next + bytes - 1;
      const bool inside =
          ss.rights.expand_down() ? next > ss.limit && last <= mask : last <= ss.limit;
      if (!inside) return Err{refused};
      at = Gva{(ss.base + next) & 0xFFFFFFFF};
    }
    const AccessRequest request{.write = true, .user = user};
    const auto written = bytes == 8 ? cpu.mmu.write_as(at, value, request)
                                    : cpu.mmu.write_bytes(at, &value, bytes, request);
    if (!written) return written;
    sp = (sp & ~mask) | next;
    return {};
  }
};

/// The running stack at the current level.
inline EventStack current_stack(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  EventStack stack;
  stack.ss = s.segments[arch::ss];
  stack.sp = s.regs[arch::rsp];
  stack.mask = cpu.stack_mask();
  stack.user = s.cpl == 3;
  stack.flat = s.code64();
  return stack;
}

/// SS:SP of an inner level from a 16- or 32-bit TSS; `ext` goes into error codes.
Result<EventStack, Fault> inner_stack(Cpu& cpu, unsigned cpl, uint32_t ext);
/// The stack whose pointer lies at `offset` in a 64-bit TSS: an RSPn or an ISTn.
Result<EventStack, Fault> long_mode_stack(Cpu& cpu, uint32_t offset, unsigned cpl, uint32_t ext);
constexpr uint32_t tss_rsp(unsigned cpl) { return 4 + cpl * 8; }
constexpr uint32_t tss_ist(unsigned ist) { return 36 + (ist - 1) * 8; }

}  // namespace vitrine::emu
