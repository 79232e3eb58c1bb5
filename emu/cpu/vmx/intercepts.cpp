// Instructions that cause VM exits, unconditionally or by a control (SDM "Instructions That Cause
// VM Exits").
#include <array>
#include <span>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/wide.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/operand_info.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/virtual_apic.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
using arch::ControlWord;
using arch::CrAccess;
using arch::ExitReason;

enum class When : uint8_t { always, never, primary, secondary, xss_bitmap };

/// When an instruction exits, and the secondary control without which it is #UD.
struct InterceptRow {
  Intercept intercept;
  ExitReason reason;
  When when;
  uint32_t mask = 0;
  uint32_t enabling = 0;
  bool memory_operand = false;
};

// clang-format off
constexpr auto kIntercepts = std::to_array<InterceptRow>({
    {Intercept::cpuid,            ExitReason::cpuid,            When::always},
    {Intercept::hlt,              ExitReason::hlt,              When::primary,   primary::hlt_exiting},
    {Intercept::invd,             ExitReason::invd,             When::always},
    {Intercept::wbinvd,           ExitReason::wbinvd,           When::secondary, secondary::wbinvd_exiting},
    {Intercept::rdtsc,            ExitReason::rdtsc,            When::primary,   primary::rdtsc_exiting},
    {Intercept::rdtscp,           ExitReason::rdtscp,           When::primary,   primary::rdtsc_exiting, secondary::enable_rdtscp},
    {Intercept::rdpmc,            ExitReason::rdpmc,            When::primary,   primary::rdpmc_exiting},
    {Intercept::pause,            ExitReason::pause,            When::primary,   primary::pause_exiting},
    {Intercept::monitor,          ExitReason::monitor,          When::primary,   primary::monitor_exiting},
    {Intercept::mwait,            ExitReason::mwait,            When::primary,   primary::mwait_exiting},
    {Intercept::xsetbv,           ExitReason::xsetbv,           When::always},
    {Intercept::invlpg,           ExitReason::invlpg,           When::primary,   primary::invlpg_exiting},
    {Intercept::invpcid,          ExitReason::invpcid,          When::primary,   primary::invlpg_exiting, secondary::enable_invpcid, true},
    {Intercept::rdrand,           ExitReason::rdrand,           When::secondary, secondary::rdrand_exiting},
    {Intercept::rdseed,           ExitReason::rdseed,           When::secondary, secondary::rdseed_exiting},
    {Intercept::rsm,              ExitReason::rsm,              When::never},
    {Intercept::getsec,           ExitReason::getsec,           When::always},
    {Intercept::gdtr_idtr_access, ExitReason::gdtr_idtr_access, When::secondary, secondary::descriptor_table_exiting, 0, true},
    {Intercept::ldtr_tr_access,   ExitReason::ldtr_tr_access,   When::secondary, secondary::descriptor_table_exiting, 0, true},
    {Intercept::xsaves,           ExitReason::xsaves,           When::xss_bitmap, 0, secondary::enable_xsaves, true},
    {Intercept::xrstors,          ExitReason::xrstors,          When::xss_bitmap, 0, secondary::enable_xsaves, true},
});
// clang-format on

constexpr bool intercepts_in_enum_order() {
  for (size_t i = 0; i < kIntercepts.size(); ++i) {
    if (static_cast<size_t>(kIntercepts[i].intercept) != i) return false;
  }
  return true;
}
static_assert(intercepts_in_enum_order());

/// SDM "PAUSE": a loop of PAUSEs at CPL 0, each within PLE_Gap of the one before, exits once it has
/// lasted longer than PLE_Window.
bool pause_loop_ends(Cpu& cpu) {
  if (cpu.state.cpl != 0 || !secondary_on(cpu.vmx.vmcs, secondary::pause_loop_exiting))
    return false;
  const uint64_t now = cpu.now().value;
  const bool first =
      cpu.vmx.first_pause == 0 || now - cpu.vmx.last_pause > cpu.vmx.vmcs[Field::ple_gap];
  cpu.vmx.last_pause = now;
  if (first) {
    cpu.vmx.first_pause = now;
    return false;
  }
  return now - cpu.vmx.first_pause > cpu.vmx.vmcs[Field::ple_window];
}

bool is_set(const Cpu& cpu, const InterceptRow& row) {
  const Vmcs& v = cpu.vmx.vmcs;
  switch (row.when) {
    case When::always: return true;
    case When::never: return false;
    case When::primary: return primary_on(v, row.mask);
    case When::secondary: return secondary_on(v, row.mask);
    case When::xss_bitmap: {
      const uint64_t asked =
          (cpu.state.regs[arch::rdx] << 32) | (cpu.state.regs[arch::rax] & 0xFFFFFFFF);
      return (asked & cpu.state.msr.xss & v[Field::xss_exiting_bitmap]) != 0;
    }
  }
  return false;
}

uint8_t bitmap_byte(Cpu& cpu, uint64_t bitmap, uint64_t number) {
  std::array<std::byte, 1> byte{};
  cpu.bus().read_block(Hpa{bitmap + number / 8}, byte);
  return static_cast<uint8_t>(byte[0]);
}
bool bitmap_bit(Cpu& cpu, uint64_t bitmap, uint64_t number) {
  return (bitmap_byte(cpu, bitmap, number) >> (number % 8) & 1) != 0;
}

bool port_exits(Cpu& cpu, uint16_t port, unsigned size) {
  const Vmcs& v = cpu.vmx.vmcs;
  if (!primary_on(v, primary::use_io_bitmaps)) {
    return primary_on(v, primary::unconditional_io_exiting);
  }
  if (uint32_t{port} + size > 0x10000) return true;
  for (uint32_t p = port; p < port + size; ++p) {
    const uint64_t bitmap = p < 0x8000 ? v[Field::io_bitmap_a] : v[Field::io_bitmap_b];
    if (bitmap_bit(cpu, bitmap, p & 0x7FFF)) return true;
  }
  return false;
}

/// SDM "MSR-Bitmap Address": read bitmaps for low and high MSRs, then write bitmaps, 1 KiB each.
bool msr_exits(Cpu& cpu, uint32_t msr, bool write) {
  const Vmcs& v = cpu.vmx.vmcs;
  if (!primary_on(v, primary::use_msr_bitmaps)) return true;
  const uint64_t bitmap = v[Field::msr_bitmaps] + (write ? 0x800 : 0);
  if (msr <= 0x1FFF) return bitmap_bit(cpu, bitmap, msr);
  if (msr >= 0xC0000000 && msr <= 0xC0001FFF) return bitmap_bit(cpu, bitmap + 0x400, msr & 0x1FFF);
  return true;
}

bool is_cr3_target(const Vmcs& v, uint64_t value) {
  const uint64_t count = v[Field::cr3_target_count];
  for (unsigned i = 0; i < arch::kCr3Targets && i < count; ++i) {
    const auto target = static_cast<Field>(static_cast<unsigned>(Field::cr3_target_0) + 2 * i);
    if (v[target] == value) return true;
  }
  return false;
}

/// Writes CR0 or CR4 under a guest/host mask: exits when an owned bit would differ from the shadow,
/// else only the guest's own bits change.
bool masked_write(uint64_t mask, uint64_t shadow, uint64_t current, uint64_t& value) {
  if (((value ^ shadow) & mask) != 0) return true;
  value = (value & ~mask) | (current & mask);
  return false;
}

}  // namespace

bool disabled(const Cpu& cpu, Intercept intercept) {
  const InterceptRow& row = kIntercepts[static_cast<size_t>(intercept)];
  return cpu.vmx.nonroot && row.enabling != 0 && !secondary_on(cpu.vmx.vmcs, row.enabling);
}

bool exits(Cpu& cpu, Intercept intercept, const Insn& insn, uint64_t qualification,
           uint32_t instruction_information) {
  if (!cpu.vmx.nonroot) return false;
  const InterceptRow& row = kIntercepts[static_cast<size_t>(intercept)];
  const bool loops = intercept == Intercept::pause && !is_set(cpu, row) && pause_loop_ends(cpu);
  if (!loops && !is_set(cpu, row)) return false;
  Exit exit{row.reason};
  exit.qualification = qualification;
  exit.instruction_information = instruction_information;
  if (row.memory_operand) {
    using Info = arch::InstructionInfo;
    const bool memory = insn.op[0] == kMemory || insn.op[1] == kMemory;
    if (memory) {
      exit.instruction_information |= memory_information(insn);
      exit.qualification = displacement_qualification(insn, cpu.state.rip());
    } else {
      exit.instruction_information |= Info::kRegister | gpr_number(insn.op[0]) << Info::kReg1Shift;
    }
    if (intercept == Intercept::invpcid) {
      exit.instruction_information |= gpr_number(insn.op[0]) << Info::kReg2Shift;
    } else if (intercept == Intercept::gdtr_idtr_access && insn.operand_size > 1) {
      exit.instruction_information |= 1u << Info::kOperandSizeShift;
    }
  }
  exit_instruction(cpu, insn, exit);
  return true;
}

bool exits_on_port(Cpu& cpu, const Insn& insn, uint16_t port, unsigned size, bool in, bool string,
                   bool rep, bool immediate, uint64_t linear_address, uint8_t segment) {
  if (!cpu.vmx.nonroot || !port_exits(cpu, port, size)) return false;
  using Info = arch::InstructionInfo;
  Exit exit{ExitReason::io_instruction};
  exit.qualification = arch::IoAccess::make(port, size, in, string, rep, immediate).value;
  if (string) {
    exit.guest_linear_address = linear_address;
    exit.instruction_information = (insn.address_size - 1u) << Info::kAddressSizeShift |
                                   uint32_t{segment} << Info::kSegmentShift;
  }
  exit_instruction(cpu, insn, exit);
  return true;
}

bool exits_on_rdmsr(Cpu& cpu, const Insn& insn, uint32_t msr) {
  if (!cpu.vmx.nonroot || !msr_exits(cpu, msr, false)) return false;
  exit_instruction(cpu, insn, Exit{ExitReason::rdmsr});
  return true;
}

bool exits_on_wrmsr(Cpu& cpu, const Insn& insn, uint32_t msr) {
  if (!cpu.vmx.nonroot || !msr_exits(cpu, msr, true)) return false;
  exit_instruction(cpu, insn, Exit{ExitReason::wrmsr});
  return true;
}

bool exits_on_cr_write(Cpu& cpu, const Insn& insn, unsigned cr, unsigned gpr, uint64_t& value) {
  if (!cpu.vmx.nonroot) return false;
  const Vmcs& v = cpu.vmx.vmcs;
  const CpuState& s = cpu.state;
  bool leaves = false;
  switch (cr) {
    case 0: leaves = masked_write(v[Field::cr0_mask], v[Field::cr0_shadow], s.cr0, value); break;
    case 3: leaves = primary_on(v, primary::cr3_load_exiting) && !is_cr3_target(v, value); break;
    case 4: leaves = masked_write(v[Field::cr4_mask], v[Field::cr4_shadow], s.cr4, value); break;
    case 8: leaves = primary_on(v, primary::cr8_load_exiting); break;
    default: break;
  }
  if (!leaves) return false;
  Exit exit{ExitReason::control_register_access};
  exit.qualification = CrAccess::mov(CrAccess::Type::mov_to_cr, cr, gpr).value;
  exit_instruction(cpu, insn, exit);
  return true;
}

bool exits_on_cr_read(Cpu& cpu, const Insn& insn, unsigned cr, unsigned gpr, uint64_t& value) {
  if (!cpu.vmx.nonroot) return false;
  const Vmcs& v = cpu.vmx.vmcs;
  bool leaves = false;
  switch (cr) {
    case 0:
      value = (value & ~v[Field::cr0_mask]) | (v[Field::cr0_shadow] & v[Field::cr0_mask]);
      break;
    case 3: leaves = primary_on(v, primary::cr3_store_exiting); break;
    case 4:
      value = (value & ~v[Field::cr4_mask]) | (v[Field::cr4_shadow] & v[Field::cr4_mask]);
      break;
    case 8:
      leaves = primary_on(v, primary::cr8_store_exiting);
      if (!leaves) read_virtual_tpr(cpu, value);
      break;
    default: break;
  }
  if (!leaves) return false;
  Exit exit{ExitReason::control_register_access};
  exit.qualification = CrAccess::mov(CrAccess::Type::mov_from_cr, cr, gpr).value;
  exit_instruction(cpu, insn, exit);
  return true;
}

bool exits_on_clts(Cpu& cpu, const Insn& insn, bool& clears_ts) {
  clears_ts = true;
  if (!cpu.vmx.nonroot) return false;
  const Vmcs& v = cpu.vmx.vmcs;
  if ((v[Field::cr0_mask] & cr0::ts) == 0) return false;
  clears_ts = false;
  if ((v[Field::cr0_shadow] & cr0::ts) == 0) return false;
  Exit exit{ExitReason::control_register_access};
  exit.qualification = CrAccess::clts().value;
  exit_instruction(cpu, insn, exit);
  return true;
}

bool exits_on_lmsw(Cpu& cpu, const Insn& insn, uint16_t source, bool memory_operand,
                   uint64_t linear_address, uint64_t& cr0_value) {
  // LMSW writes PE, MP, EM and TS, and cannot clear PE.
  constexpr uint64_t kClearable = cr0::mp | cr0::em | cr0::ts;
  const uint64_t now = cpu.state.cr0;
  cr0_value = (now & ~kClearable) | (source & (kClearable | cr0::pe));
  if (!cpu.vmx.nonroot) return false;
  const Vmcs& v = cpu.vmx.vmcs;
  const uint64_t mask = v[Field::cr0_mask];
  const uint64_t shadow = v[Field::cr0_shadow];
  const bool sets_pe = (mask & source & ~shadow & cr0::pe) != 0;
  if (sets_pe || ((source ^ shadow) & mask & kClearable) != 0) {
    Exit exit{ExitReason::control_register_access};
    exit.qualification = CrAccess::lmsw(source, memory_operand).value;
    exit.guest_linear_address = memory_operand ? linear_address : 0;
    exit_instruction(cpu, insn, exit);
    return true;
  }
  cr0_value = (cr0_value & ~mask) | (now & mask);
  return false;
}

bool exits_on_dr_access(Cpu& cpu, const Insn& insn, unsigned dr, unsigned gpr, bool read) {
  if (!guest_primary(cpu.vmx, primary::mov_dr_exiting)) return false;
  Exit exit{ExitReason::mov_dr};
  exit.qualification = arch::DrAccess::make(dr, read, gpr).value;
  exit_instruction(cpu, insn, exit);
  return true;
}

bool cr0_allowed(const Cpu& cpu, uint64_t value) {
  if (!cpu.vmx.on) return true;
  const bool unrestricted = guest_secondary(cpu.vmx, secondary::unrestricted_guest);
  const uint64_t required = arch::kVmxCr0Fixed0 & ~(unrestricted ? cr0::pe | cr0::pg : uint64_t{0});
  return (value & required) == required;
}

bool cr4_allowed(const Cpu& cpu, uint64_t value) {
  return !cpu.vmx.on || (value & arch::kVmxCr4Fixed0) == arch::kVmxCr4Fixed0;
}

uint64_t guest_tsc(const Cpu& cpu, uint64_t tsc) {
  if (!guest_primary(cpu.vmx, primary::use_tsc_offsetting)) return tsc;
  const Vmcs& v = cpu.vmx.vmcs;
  if (secondary_on(v, secondary::use_tsc_scaling)) {
    tsc = static_cast<uint64_t>(uint128_t{tsc} * v[Field::tsc_multiplier] >> 48);
  }
  return tsc + v[Field::tsc_offset];
}

}  // namespace vitrine::emu::vmx
