// VMX as the hypervisor uses it: what the processor must offer, VMXON, and access to the current
// VMCS.
#pragma once

#include <cstdint>

#include "emu/arch/ept.h"
#include "emu/arch/exit_reasons.h"
#include "emu/arch/vmcs_fields.h"
#include "emu/arch/vmx_controls.h"
#include "emu/arch/vmx_info.h"

namespace vitrine::hv {

namespace arch = emu::arch;
using arch::Field;

// The control words that every VMCS starts from: what we need, what we would like and may have,
// and what the processor insists on (SDM "Reserved Controls and Default Settings").
struct Controls {
  std::uint32_t pin{};
  std::uint32_t primary{};
  std::uint32_t secondary{};
  std::uint32_t exit{};
  std::uint32_t entry{};
};

// Checks every feature the hypervisor stands on; names all that is missing, then stops the machine.
Controls check_vmx();

// Enters VMX root operation on this processor with `region`, a zeroed page.
void vmx_on(std::uint64_t region);

// Makes `vmcs`, a zeroed page, a VMCS in the clear state.
void initialize_vmcs(std::uint64_t vmcs);
void clear_vmcs(std::uint64_t vmcs);
void load_vmcs(std::uint64_t vmcs);

[[noreturn]] void vmcs_access_failed(Field field, bool write);

inline std::uint64_t read_vmcs(Field field) {
  std::uint64_t value;
  bool failed;
  asm volatile("vmread %2, %0"
               : "=r"(value), "=@ccbe"(failed)
               : "r"(static_cast<std::uint64_t>(field))
               : "memory");
  if (failed) [[unlikely]]
    vmcs_access_failed(field, false);
  return value;
}

inline void write_vmcs(Field field, std::uint64_t value) {
  bool failed;
  asm volatile("vmwrite %1, %2"
               : "=@ccbe"(failed)
               : "r"(value), "r"(static_cast<std::uint64_t>(field))
               : "memory");
  if (failed) [[unlikely]]
    vmcs_access_failed(field, true);
}

inline std::uint32_t read_vmcs32(Field field) {
  return static_cast<std::uint32_t>(read_vmcs(field));
}

// SDM "INVEPT": drops what this processor has cached of one EPT hierarchy.
void invalidate_ept(std::uint64_t eptp);
void invalidate_vpid(std::uint16_t vpid);
// Everything cached of any hierarchy and any virtual processor.
void invalidate_everything(const Controls& controls);

}  // namespace vitrine::hv
