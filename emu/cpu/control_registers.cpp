// Writes of CR0, CR3 and CR4: SDM "Control Registers", with the mode changes they bring.
#include "emu/cpu/control_registers.h"

#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace efer = arch::efer;
using Scope = timing::Invalidation::Scope;

constexpr uint64_t kCr0Writable = cr0::pe | cr0::mp | cr0::em | cr0::ts | cr0::ne | cr0::wp |
                                  cr0::am | cr0::nw | cr0::cd | cr0::pg;
constexpr uint64_t kCr3NoFlush = uint64_t{1} << 63;
constexpr uint64_t kPcidMask = 0xFFF;

bool any(uint64_t value, uint64_t mask) { return (value & mask) != 0; }

/// PAE paging outside IA-32e mode reads the four PDPTEs when it starts and when its setting changes.
bool pae_paging(uint64_t cr0_value, uint64_t cr4_value, uint64_t efer_value) {
  return any(cr0_value, cr0::pg) && any(cr4_value, cr4::pae) && !any(efer_value, efer::lma);
}

/// Whether CR0 may hold `value` in the present state; `becomes_long` when it starts IA-32e mode.
bool cr0_consistent(const Cpu& cpu, uint64_t value) {
  const CpuState& s = cpu.state;
  if ((value >> 32) != 0) return false;
  if (any(value, cr0::pg) && !any(value, cr0::pe)) return false;
  if (any(value, cr0::nw) && !any(value, cr0::cd)) return false;
  if (any(s.cr0, cr0::pg) && !any(value, cr0::pg)) {
    return !s.code64() && !any(s.cr4, cr4::pcide);
  }
  const bool starts_paging = any(value, cr0::pg) && !any(s.cr0, cr0::pg);
  if (starts_paging && any(s.efer, efer::lme)) {
    const bool tss16 = (s.segments[arch::tr].rights.type() & 8) == 0;
    return any(s.cr4, cr4::pae) && !s.segments[arch::cs].rights.long_mode() && !tss16;
  }
  return true;
}

}  // namespace

Result<void, Fault> write_cr0(Cpu& cpu, uint64_t value) {
  CpuState& s = cpu.state;
  if (!cr0_consistent(cpu, value)) return Err{kGeneralProtection0};
  value = (value & kCr0Writable) | cr0::et;
  if (!vmx::cr0_allowed(cpu, value)) return Err{kGeneralProtection0};
  uint64_t new_efer = s.efer & ~efer::lma;
  if (any(value, cr0::pg) && any(s.efer, efer::lme)) new_efer |= efer::lma;
  const uint64_t changed = value ^ s.cr0;
  if (pae_paging(value, s.cr4, new_efer) && any(changed, cr0::pg | cr0::cd | cr0::nw)) {
    const auto pdptes = cpu.mmu.read_pdptes(s.cr3);
    if (!pdptes) return Err{pdptes.error()};
    s.pdpte = *pdptes;
  }
  s.cr0 = value;
  s.efer = new_efer;
  if (any(changed, cr0::pg)) cpu.invalidate_translations(Scope::everything);
  cpu.context_changed();
  return {};
}

Result<void, Fault> write_cr3(Cpu& cpu, uint64_t value) {
  CpuState& s = cpu.state;
  const bool keeps = any(s.cr4, cr4::pcide) && any(value, kCr3NoFlush);
  if (s.long_mode()) {
    if (any(s.cr4, cr4::pcide)) value &= ~kCr3NoFlush;
    if (any(value, ~cpu.profile().physical_mask())) return Err{kGeneralProtection0};
  }
  if (pae_paging(s.cr0, s.cr4, s.efer)) {
    const auto pdptes = cpu.mmu.read_pdptes(value);
    if (!pdptes) return Err{pdptes.error()};
    s.pdpte = *pdptes;
  }
  s.cr3 = value;
  cpu.context_changed();
  if (!keeps) cpu.invalidate_translations(Scope::one_pcid);
  return {};
}

Result<void, Fault> write_cr4(Cpu& cpu, uint64_t value) {
  CpuState& s = cpu.state;
  if (any(value, ~arch::legal_cr4(cpu.profile()))) return Err{kGeneralProtection0};
  if (!vmx::cr4_allowed(cpu, value)) return Err{kGeneralProtection0};
  const uint64_t changed = value ^ s.cr4;
  if (s.long_mode() && !any(value, cr4::pae)) return Err{kGeneralProtection0};
  if (any(changed & value, cr4::pcide) && (!s.long_mode() || any(s.cr3, kPcidMask))) {
    return Err{kGeneralProtection0};
  }
  if (pae_paging(s.cr0, value, s.efer) &&
      any(changed, cr4::pae | cr4::pge | cr4::pse | cr4::smep)) {
    const auto pdptes = cpu.mmu.read_pdptes(s.cr3);
    if (!pdptes) return Err{pdptes.error()};
    s.pdpte = *pdptes;
  }
  s.cr4 = value;
  cpu.context_changed();
  // SDM "Operations that Invalidate TLBs and Paging-Structure Caches".
  const bool drops = any(changed, cr4::pge | cr4::pae | cr4::pse) ||
                     any(changed & ~value, cr4::pcide) || any(changed & value, cr4::smep);
  if (drops) cpu.invalidate_translations(Scope::everything);
  return {};
}

}  // namespace vitrine::emu
