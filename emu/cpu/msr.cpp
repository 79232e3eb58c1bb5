// RDMSR and WRMSR: the table in emu/arch/msr.h says what exists, this says what it does.
#include "emu/cpu/msr.h"

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/msr.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

namespace msr = arch::msr;

/// Registers of the processor that RDMSR and WRMSR name, with nothing to check but canonicality.
struct PlainMsr {
  uint32_t number;
  uint64_t MsrState::*field;
  bool address;  ///< WRMSR of a non-canonical value is #GP
};
// clang-format off
constexpr std::array<PlainMsr, 8> kPlain = {{
    {msr::ia32_sysenter_esp,    &MsrState::sysenter_esp,    true},
    {msr::ia32_sysenter_eip,    &MsrState::sysenter_eip,    true},
    {msr::ia32_star,            &MsrState::star,            false},
    {msr::ia32_lstar,           &MsrState::lstar,           true},
    {msr::ia32_cstar,           &MsrState::cstar,           true},
    {msr::ia32_kernel_gs_base,  &MsrState::kernel_gs_base,  true},
    {msr::ia32_spec_ctrl,       &MsrState::spec_ctrl,       false},
    {msr::ia32_mcg_status,      &MsrState::mcg_status,      false},
}};
// clang-format on

const PlainMsr* find_plain(uint32_t number) {
  for (const PlainMsr& row : kPlain) {
    if (row.number == number) return &row;
  }
  return nullptr;
}

/// Index into mtrr_fixed: FIX64K, FIX16K x 2, FIX4K x 8.
int fixed_mtrr_index(uint32_t number) {
  if (number == msr::ia32_mtrr_fix64k_00000) return 0;
  if (number >= msr::ia32_mtrr_fix16k_80000 && number < msr::ia32_mtrr_fix16k_80000 + 2) {
    return 1 + static_cast<int>(number - msr::ia32_mtrr_fix16k_80000);
  }
  if (number >= msr::ia32_mtrr_fix4k_c0000 && number < msr::ia32_mtrr_fix4k_c0000 + 8) {
    return 3 + static_cast<int>(number - msr::ia32_mtrr_fix4k_c0000);
  }
  return -1;
}

bool variable_mtrr(uint32_t number) {
  return number >= msr::ia32_mtrr_physbase0 &&
         number < msr::ia32_mtrr_physbase0 + 2 * arch::mtrr::variable_count;
}

Result<uint64_t, Fault> read_core(Cpu& cpu, uint32_t number) {
  const CpuState& s = cpu.state;
  if (const PlainMsr* plain = find_plain(number)) return s.msr.*(plain->field);
  if (variable_mtrr(number)) return s.msr.mtrr_variable[number - msr::ia32_mtrr_physbase0];
  if (const int fixed = fixed_mtrr_index(number); fixed >= 0) {
    return s.msr.mtrr_fixed[static_cast<size_t>(fixed)];
  }
  switch (number) {
    case msr::ia32_time_stamp_counter: return vmx::guest_tsc(cpu, cpu.tsc());
    case msr::ia32_tsc_adjust: return s.msr.tsc_adjust;
    case msr::ia32_bios_sign_id: return uint64_t{cpu.profile().microcode} << 32;
    case msr::ia32_sysenter_cs: return s.msr.sysenter_cs;
    case msr::ia32_misc_enable: return s.msr.misc_enable;
    case msr::ia32_debugctl: return s.msr.debugctl;
    case msr::ia32_pat: return s.msr.pat;
    case msr::ia32_mtrr_def_type: return s.msr.mtrr_def_type;
    case msr::ia32_xss: return s.msr.xss;
    case msr::ia32_efer: return s.efer;
    case msr::ia32_fmask: return s.msr.sfmask;
    case msr::ia32_fs_base: return s.segments[arch::fs].base;
    case msr::ia32_gs_base: return s.segments[arch::gs].base;
    case msr::ia32_tsc_aux: return s.msr.tsc_aux;
    default: return Err{kGeneralProtection0};
  }
}

/// SDM "Extended Feature Enable Register": LMA is read-only, LME may not change under paging.
Result<void, Fault> write_efer(Cpu& cpu, uint64_t value) {
  CpuState& s = cpu.state;
  const uint64_t kept = s.efer & arch::efer::lma;
  value = (value & ~arch::efer::lma) | kept;
  if ((value & ~arch::legal_efer(cpu.profile())) != 0) return Err{kGeneralProtection0};
  const bool paging = (s.cr0 & arch::cr0::pg) != 0;
  if (paging && ((value ^ s.efer) & arch::efer::lme) != 0) return Err{kGeneralProtection0};
  s.efer = value;
  cpu.context_changed();
  return {};
}

Result<void, Fault> write_core(Cpu& cpu, uint32_t number, uint64_t value) {
  CpuState& s = cpu.state;
  const auto store = [&](uint64_t& field, bool legal) -> Result<void, Fault> {
    if (!legal) return Err{kGeneralProtection0};
    field = value;
    return {};
  };
  if (const PlainMsr* plain = find_plain(number)) {
    return store(s.msr.*(plain->field), !plain->address || Cpu::canonical(value));
  }
  const unsigned bits = cpu.profile().physical_bits;
  if (variable_mtrr(number)) {
    const uint32_t index = number - msr::ia32_mtrr_physbase0;
    const bool legal = index % 2 == 0 ? arch::mtrr::valid_base(value, bits)
                                      : arch::mtrr::valid_mask(value, bits);
    return store(s.msr.mtrr_variable[index], legal);
  }
  if (const int fixed = fixed_mtrr_index(number); fixed >= 0) {
    return store(s.msr.mtrr_fixed[static_cast<size_t>(fixed)], arch::mtrr::valid_fixed(value));
  }
  switch (number) {
    case msr::ia32_time_stamp_counter:
      // Writing the TSC moves IA32_TSC_ADJUST by the same distance.
      s.msr.tsc_adjust += value - cpu.tsc();
      cpu.ports().tsc_changed(cpu.index(), cpu.now());
      return {};
    case msr::ia32_tsc_adjust:
      s.msr.tsc_adjust = value;
      cpu.ports().tsc_changed(cpu.index(), cpu.now());
      return {};
    case msr::ia32_bios_sign_id: return {};  // cleared by software before CPUID; reads as before
    case msr::ia32_sysenter_cs: return store(s.msr.sysenter_cs, (value >> 32) == 0);
    case msr::ia32_misc_enable:
      if (((value ^ s.msr.misc_enable) & ~arch::misc_enable::writable) != 0) {
        return Err{kGeneralProtection0};
      }
      s.msr.misc_enable = value;
      return {};
    case msr::ia32_debugctl: return store(s.msr.debugctl, (value & ~arch::debugctl::writable) == 0);
    case msr::ia32_pat: return store(s.msr.pat, arch::valid_pat(value));
    case msr::ia32_mtrr_def_type:
      return store(s.msr.mtrr_def_type, arch::mtrr::valid_def_type(value));
    case msr::ia32_xss: return store(s.msr.xss, value == 0);
    case msr::ia32_efer: return write_efer(cpu, value);
    case msr::ia32_fmask: return store(s.msr.sfmask, (value >> 32) == 0);
    case msr::ia32_tsc_aux: return store(s.msr.tsc_aux, (value >> 32) == 0);
    case msr::ia32_fs_base:
    case msr::ia32_gs_base: {
      const uint8_t segment = number == msr::ia32_fs_base ? arch::fs : arch::gs;
      const auto stored = store(s.segments[segment].base, Cpu::canonical(value));
      if (stored) cpu.segments_changed();
      return stored;
    }
    default: return Err{kGeneralProtection0};
  }
}

/// The row of a register that this processor has; an access to any other is counted.
const arch::MsrRow* find_existing(Cpu& cpu, uint32_t number) {
  const arch::MsrRow* const row = arch::find_msr(number);
  const bool exists = row != nullptr && row->kind != arch::MsrKind::absent &&
                      arch::msr_exists(cpu.profile(), number);
  if (!exists) cpu.count_unknown_msr(number);
  return exists ? row : nullptr;
}

}  // namespace

Result<uint64_t, Fault> read_msr(Cpu& cpu, uint32_t number) {
  const arch::MsrRow* const row = find_existing(cpu, number);
  if (row == nullptr) return Err{kGeneralProtection0};
  switch (row->kind) {
    case arch::MsrKind::absent:
    case arch::MsrKind::command: return Err{kGeneralProtection0};
    case arch::MsrKind::constant:
    case arch::MsrKind::ignored: return row->reset;
    case arch::MsrKind::profile: return arch::profile_msr(cpu.profile(), number);
    case arch::MsrKind::stored:
      if (row->writable == 0) return row->reset;
      return read_core(cpu, number);
    case arch::MsrKind::core: return read_core(cpu, number);
    case arch::MsrKind::apic:
      if (number == msr::ia32_apic_base) return cpu.state.msr.apic_base;
      return cpu.ports().read_apic_msr(cpu.index(), number, cpu.now());
  }
  return Err{kGeneralProtection0};
}

Result<void, Fault> write_msr(Cpu& cpu, uint32_t number, uint64_t value) {
  const arch::MsrRow* const row = find_existing(cpu, number);
  if (row == nullptr) return Err{kGeneralProtection0};
  switch (row->kind) {
    case arch::MsrKind::absent:
    case arch::MsrKind::constant:
    case arch::MsrKind::profile: return Err{kGeneralProtection0};
    case arch::MsrKind::ignored: return {};
    case arch::MsrKind::command:
      if ((value & ~row->writable) != 0) return Err{kGeneralProtection0};
      return {};
    case arch::MsrKind::stored:
      if ((value & ~row->writable) != 0) return Err{kGeneralProtection0};
      if (row->writable == 0) return {};
      return write_core(cpu, number, value);
    case arch::MsrKind::core: return write_core(cpu, number, value);
    case arch::MsrKind::apic: break;
  }
  if (number == msr::ia32_apic_base) {
    const auto set = cpu.ports().set_apic_base(cpu.index(), value);
    if (set) cpu.state.msr.apic_base = value;
    return set;
  }
  return cpu.ports().write_apic_msr(cpu.index(), number, value, cpu.now());
}

}  // namespace vitrine::emu
