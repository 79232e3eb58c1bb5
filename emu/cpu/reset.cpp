// Reset and INIT: SDM "Processor State After Reset".
#include "emu/arch/msr.h"
#include "emu/cpu/cpu.h"

namespace vitrine::emu {

namespace {

constexpr uint32_t kCodeRights = 0x9B;    // present, read/execute, accessed
constexpr uint32_t kDataRights = 0x93;    // present, read/write, accessed
constexpr uint32_t kLdtRights = 0x82;
constexpr uint32_t kTssRights = 0x8B;
constexpr uint64_t kResetVectorBase = 0xFFFF0000;
constexpr uint64_t kResetVectorOffset = 0xFFF0;

}  // namespace

void Cpu::reset(bool init) {
  const CpuState before = state;
  CpuState fresh;
  for (auto& segment : fresh.segments) {
    segment = SegmentState{0, 0xFFFF, arch::SegmentRights{kDataRights}, 0};
  }
  fresh.segments[arch::cs] =
      SegmentState{kResetVectorBase, 0xFFFF, arch::SegmentRights{kCodeRights}, 0xF000};
  fresh.segments[arch::ldtr].rights = arch::SegmentRights{kLdtRights};
  fresh.segments[arch::tr].rights = arch::SegmentRights{kTssRights};
  fresh.set_rip(kResetVectorOffset);
  fresh.flags.set_arithmetic(0);
  fresh.regs[arch::rdx] = profile_.signature;
  fresh.random = before.random;
  fresh.clock = before.clock;
  fresh.retired = before.retired;
  fresh.exceptions = before.exceptions;
  fresh.interrupts = before.interrupts;
  if (init) {
    // INIT keeps the x87, SSE and XCR0 state, the MSRs, and CR0's cache bits.
    fresh.x87 = before.x87;
    fresh.vector = before.vector;
    fresh.xcr0 = before.xcr0;
    fresh.msr = before.msr;
    fresh.cr0 = 0x10 | (before.cr0 & (arch::cr0::cd | arch::cr0::nw));
  } else {
    fresh.msr.misc_enable = arch::misc_enable::reset;
    fresh.msr.feature_control = arch::profile_msr(profile_, arch::msr::ia32_feature_control);
    vmx = vmx::State{};
  }
  state = fresh;
  context_changed();
  attention();
}

}  // namespace vitrine::emu
