// The architectural state of one logical processor: everything a snapshot holds and a hash covers.
#pragma once

#include <array>
#include <cstdint>

#include "emu/arch/registers.h"
#include "emu/arch/types.h"
#include "emu/cpu/flags.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// A segment register with its hidden part.
struct SegmentState {
  uint64_t base = 0;
  uint32_t limit = 0xFFFF;  ///< in bytes, granularity applied
  arch::SegmentRights rights;
  uint16_t selector = 0;
};

struct TableRegister {
  uint64_t base = 0;
  uint16_t limit = 0xFFFF;
};

/// x87 and MMX. Register i is physical; TOP is in fsw bits 13:11. MM registers alias significands.
struct X87State {
  std::array<uint64_t, 8> significand{};
  std::array<uint16_t, 8> sign_exponent{};
  uint16_t fcw = 0x0040;
  uint16_t fsw = 0;
  uint8_t valid = 0;  ///< abridged tag word: bit i set = physical register i not empty
  uint16_t fop = 0;
  uint64_t fip = 0;
  uint64_t fdp = 0;
  uint16_t fcs = 0;
  uint16_t fds = 0;
};

struct VectorState {
  /// XMM in words 0-1, upper half of YMM in words 2-3.
  std::array<std::array<uint64_t, 4>, 16> ymm{};
  uint32_t mxcsr = 0x1F80;
};

enum class Activity : uint8_t { active, hlt, shutdown, wait_for_sipi };

/// Model-specific registers that hold nothing but their value.
struct MsrState {
  uint64_t star = 0, lstar = 0, cstar = 0, sfmask = 0, kernel_gs_base = 0, tsc_aux = 0;
  uint64_t sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  uint64_t pat = 0x0007040600070406;
  uint64_t apic_base = 0;
  uint64_t tsc_adjust = 0;  ///< added to the clock-derived TSC; WRMSR to the TSC changes it too
  uint64_t misc_enable = 0;
  uint64_t feature_control = 0;
  uint64_t debugctl = 0;
  uint64_t xss = 0;
  uint64_t spec_ctrl = 0;
  uint64_t mtrr_def_type = 0;
  std::array<uint64_t, 11> mtrr_fixed{};
  std::array<uint64_t, 20> mtrr_variable{};  ///< base, mask pairs
  uint64_t mcg_status = 0;
  std::array<uint64_t, 4> perf_scratch{};  ///< reserved for counters the profile shows as values
};

/// Where execution stands inside a timing block; index 0 means "at no block, start one at RIP".
/// Stops that are not architectural (breakpoint, step, budget, snapshot) keep it.
struct BlockPosition {
  Gva entry;
  Hpa entry_hpa;
  uint64_t mode = 0;
  uint32_t index = 0;
  uint32_t bytes = 0;  ///< of the whole block
  Cycle entry_clock;
};

inline constexpr uint8_t kZeroRegister = 16;  ///< always 0: "no base", "no index"
inline constexpr uint8_t kRipRegister = 17;   ///< RIP of the next instruction while one executes

struct CpuState {
  /// 0-15 general purpose, 16 zero, 17 RIP. First member: handlers address it by byte offset.
  std::array<uint64_t, 18> regs{};
  Flags flags;
  /// RFLAGS without the six arithmetic flags; bit 1 set.
  uint64_t rflags_system = arch::rflags::fixed1;
  /// ES CS SS DS FS GS LDTR TR.
  std::array<SegmentState, 8> segments{};
  TableRegister gdtr, idtr;
  uint64_t cr0 = 0x60000010, cr2 = 0, cr3 = 0, cr4 = 0;
  uint64_t efer = 0;
  uint64_t xcr0 = 1;
  std::array<uint64_t, 4> pdpte{};
  std::array<uint64_t, 4> dr{};
  uint64_t dr6 = 0xFFFF0FF0, dr7 = 0x400;
  uint8_t cpl = 0;
  MsrState msr;
  X87State x87;
  VectorState vector;

  Activity activity = Activity::active;
  bool sti_shadow = false;      ///< interrupts held off until after the next instruction
  bool mov_ss_shadow = false;   ///< as above, and debug exceptions too
  bool nmi_blocked = false;     ///< between an NMI and the next IRET
  bool nmi_pending = false;
  bool init_pending = false;
  bool sipi_pending = false;
  uint8_t sipi_vector = 0;
  bool smi_blocked = false;
  uint64_t pending_debug = 0;   ///< DR6 bits of #DB still to be delivered at the next boundary

  uint64_t random = 1;          ///< state of the generator behind RDRAND and RDSEED

  Cycle clock;                  ///< this processor's own time
  uint64_t retired = 0;         ///< instructions completed since reset
  uint64_t exceptions = 0;      ///< delivered, for the counters panel
  uint64_t interrupts = 0;
  BlockPosition position;

  uint64_t rip() const { return regs[kRipRegister]; }
  void set_rip(uint64_t rip) { regs[kRipRegister] = rip; }
  uint64_t rflags() const { return rflags_system | flags.arithmetic(); }
  /// Bits outside `rflags_system`'s legal set are the caller's to mask.
  void set_rflags(uint64_t value) {
    flags.set_arithmetic(value);
    rflags_system = (value & ~arch::rflags::arithmetic) | arch::rflags::fixed1;
  }
  bool long_mode() const { return (efer & arch::efer::lma) != 0; }
  bool code64() const { return long_mode() && segments[arch::cs].rights.long_mode(); }
  bool protected_mode() const { return (cr0 & arch::cr0::pe) != 0; }
  bool v8086() const { return (rflags_system & arch::rflags::vm) != 0; }

  void visit(StateVisitor& v);
};

}  // namespace vitrine::emu
