// VM-entry checks as a table: one row per check of the SDM, with what it reads and how it fails.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/vmx_info.h"
#include "emu/cpu/vmx/state.h"
#include "emu/mmu/bus.h"

namespace vitrine::emu::vmx {

/// What a VM entry is judged by besides the VMCS.
struct EntryInputs {
  const Vmcs& vmcs;
  const arch::CpuProfile& profile;
  const Bus& bus;
  bool long_mode = true;  ///< IA32_EFER.LMA when the entry is attempted
  uint64_t vmcs_address = kNoVmcs;

  uint64_t operator[](Field field) const { return vmcs[field]; }
};

/// How a failing check shows: VMfailValid with error 7 or 8, or a VM exit with reason 33.
enum class CheckKind : uint8_t { control, host, guest };

struct EntryCheck {
  CheckKind kind;
  std::string_view section;  ///< of the SDM
  std::string_view claim;
  bool (*holds)(const EntryInputs&);
  /// Every field the predicate reads; unused places repeat the first.
  std::array<Field, 8> fields;
  arch::EntryFailureDetail detail = arch::EntryFailureDetail::none;
  /// It also looks at memory or at the processor, which may change without a field changing.
  bool always = false;
};

std::span<const EntryCheck> control_checks();
std::span<const EntryCheck> host_checks();
std::span<const EntryCheck> guest_register_checks();
std::span<const EntryCheck> guest_segment_checks();
std::span<const EntryCheck> guest_state_checks();

/// All lists, in the order in which they are judged.
inline constexpr size_t kCheckLists = 5;
std::array<std::span<const EntryCheck>, kCheckLists> entry_checks();

/// The first failing check; null when the entry may go on.
const EntryCheck* first_failing_check(const EntryInputs& in);
/// The same, judging only what may have changed since the last entry with this VMCS that passed:
/// checks that read a changed field, and those that look beyond the VMCS.
const EntryCheck* first_failing_changed_check(const EntryInputs& in);
/// Every failing check, for `explain`.
std::vector<const EntryCheck*> failing_checks(const EntryInputs& in);

// --- Words the predicates share ---

inline bool canonical(uint64_t address) { return ((address + (uint64_t{1} << 47)) >> 48) == 0; }
inline bool fits_physical(const EntryInputs& in, uint64_t address) {
  return (address >> in.profile.physical_bits) == 0;
}
/// An address of `alignment` (a power of two) within the physical-address width.
inline bool valid_address(const EntryInputs& in, uint64_t address, uint64_t alignment) {
  return (address & (alignment - 1)) == 0 && fits_physical(in, address);
}
constexpr std::array<Field, 8> reads(Field a) { return {a, a, a, a, a, a, a, a}; }
template <class... More>
constexpr std::array<Field, 8> reads(Field a, More... more) {
  std::array<Field, 8> all = reads(a);
  const std::array<Field, sizeof...(More)> rest = {more...};
  static_assert(sizeof...(More) < 8);
  for (size_t i = 0; i < rest.size(); ++i) all[i + 1] = rest[i];
  return all;
}

}  // namespace vitrine::emu::vmx
