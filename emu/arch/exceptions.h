// Exception vectors and Fault: the reason an instruction could not complete.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <string_view>

#include "emu/arch/result.h"

namespace vitrine::emu {

namespace arch {

/// SDM "Exception and Interrupt Reference".
enum class Vector : uint8_t {
  divide_error = 0,
  debug = 1,
  nmi = 2,
  breakpoint = 3,
  overflow = 4,
  bound_range = 5,
  invalid_opcode = 6,
  device_not_available = 7,
  double_fault = 8,
  coprocessor_segment_overrun = 9,
  invalid_tss = 10,
  segment_not_present = 11,
  stack_fault = 12,
  general_protection = 13,
  page_fault = 14,
  x87_floating_point = 16,
  alignment_check = 17,
  machine_check = 18,
  simd_floating_point = 19,
  virtualization = 20,
  control_protection = 21,
};

inline constexpr std::array<std::string_view, 22> kVectorNames = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#CSO", "#TS",
    "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM", "#VE",  "#CP"};

/// Whether delivery through the IDT pushes an error code (SDM "Error Code").
constexpr bool pushes_error_code(Vector v) {
  switch (v) {
    case Vector::double_fault:
    case Vector::invalid_tss:
    case Vector::segment_not_present:
    case Vector::stack_fault:
    case Vector::general_protection:
    case Vector::page_fault:
    case Vector::alignment_check:
    case Vector::control_protection: return true;
    default: return false;
  }
}

/// #PF error-code bits (SDM "Page-Fault Exceptions").
namespace pf {
inline constexpr uint32_t present = 1u << 0;
inline constexpr uint32_t write = 1u << 1;
inline constexpr uint32_t user = 1u << 2;
inline constexpr uint32_t reserved = 1u << 3;
inline constexpr uint32_t fetch = 1u << 4;
}  // namespace pf

}  // namespace arch

/// Why an instruction stopped. `exception` is delivered to the guest (or intercepted); the EPT kinds,
/// an access to the APIC-access page and a full page-modification log leave VMX non-root operation,
/// with the details in Mmu::ept_fault() or the VMX state; `non_canonical` is the Mmu's word for an
/// address that becomes #SS(0) or #GP(0) by the segment it was reached through.
struct Fault {
  // 16 bits wide so that a Fault has no padding: it is stored and copied whole.
  enum class Kind : uint16_t {
    exception, ept_violation, ept_misconfiguration, non_canonical, apic_access, page_log_full,
  };

  Kind kind = Kind::exception;
  arch::Vector vector = arch::Vector::general_protection;
  bool has_error_code = false;
  uint32_t error_code = 0;

  friend constexpr bool operator==(const Fault&, const Fault&) = default;
};
static_assert(sizeof(Fault) == 8 && std::has_unique_object_representations_v<Fault>);

/// A fault with the error code that its vector pushes, 0 unless given.
constexpr Fault fault(arch::Vector vector, uint32_t error_code = 0) {
  return Fault{Fault::Kind::exception, vector, arch::pushes_error_code(vector), error_code};
}
inline constexpr Fault kUndefinedOpcode = fault(arch::Vector::invalid_opcode);
inline constexpr Fault kGeneralProtection0 = fault(arch::Vector::general_protection);

}  // namespace vitrine::emu
