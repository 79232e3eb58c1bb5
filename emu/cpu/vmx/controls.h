// The controls of the current VMCS as questions: what is on in VMX non-root operation.
#pragma once

#include <cstdint>

#include "emu/arch/vmx_controls.h"
#include "emu/cpu/vmx/state.h"

namespace vitrine::emu::vmx {

namespace pin = arch::pin;
namespace primary = arch::primary;
namespace secondary = arch::secondary;
namespace exit_control = arch::exit_control;
namespace entry_control = arch::entry_control;

/// Bits of CR0 that neither VM entry nor VM exit changes: ET, CD, NW and the reserved ones (SDM
/// "Loading Guest Control Registers, Debug Registers, and MSRs").
inline constexpr uint64_t kCr0Kept =
    arch::cr0::et | arch::cr0::cd | arch::cr0::nw | 0x1FF80000 | arch::bit(17) | 0xFFC0;

inline bool pin_on(const Vmcs& v, uint32_t mask) { return (v[Field::pin_controls] & mask) != 0; }
inline bool primary_on(const Vmcs& v, uint32_t mask) {
  return (v[Field::primary_controls] & mask) != 0;
}
/// Secondary controls count as 0 while "activate secondary controls" is 0.
inline bool secondary_on(const Vmcs& v, uint32_t mask) {
  return primary_on(v, primary::activate_secondary) && (v[Field::secondary_controls] & mask) != 0;
}
inline bool exit_on(const Vmcs& v, uint32_t mask) { return (v[Field::exit_controls] & mask) != 0; }
inline bool entry_on(const Vmcs& v, uint32_t mask) {
  return (v[Field::entry_controls] & mask) != 0;
}

/// The same, answering "no" outside non-root operation.
inline bool guest_pin(const State& s, uint32_t mask) { return s.nonroot && pin_on(s.vmcs, mask); }
inline bool guest_primary(const State& s, uint32_t mask) {
  return s.nonroot && primary_on(s.vmcs, mask);
}
inline bool guest_secondary(const State& s, uint32_t mask) {
  return s.nonroot && secondary_on(s.vmcs, mask);
}

}  // namespace vitrine::emu::vmx
