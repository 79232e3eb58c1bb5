// The hypercall's control word and result word, and the registers that carry parameters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hv/tlfs/status.h"

namespace vitrine::hv::tlfs {

// TLFS "Hypercall Inputs": RCX on x64, EDX:EAX otherwise.
struct HypercallControl {
  std::uint64_t word{};

  constexpr std::uint16_t call_code() const { return static_cast<std::uint16_t>(word); }
  constexpr bool fast() const { return (word >> 16 & 1) != 0; }
  // Differs: RsvdZ in TLFS 2.0; the later editions' size of the variable header in quadwords.
  constexpr std::uint32_t variable_header() const {
    return static_cast<std::uint32_t>(word >> 17 & 0x3FF);
  }
  constexpr std::uint32_t rep_count() const {
    return static_cast<std::uint32_t>(word >> 32 & 0xFFF);
  }
  constexpr std::uint32_t rep_start() const {
    return static_cast<std::uint32_t>(word >> 48 & 0xFFF);
  }
  // Decided: bit 31 (route to the outer hypervisor) is reserved as in TLFS 2.0, there being none.
  constexpr bool reserved_clear() const { return (word & kReserved) == 0; }

  constexpr HypercallControl with_rep_start(std::uint32_t start) const {
    return {(word & ~(std::uint64_t{0xFFF} << 48)) | (std::uint64_t{start & 0xFFF} << 48)};
  }
  static constexpr HypercallControl make(std::uint16_t code, bool fast = false,
                                         std::uint32_t reps = 0, std::uint32_t start = 0) {
    return {code | (std::uint64_t{fast} << 16) | (std::uint64_t{reps & 0xFFF} << 32) |
            (std::uint64_t{start & 0xFFF} << 48)};
  }

  static constexpr std::uint64_t kReserved =
      (std::uint64_t{0x1F} << 27) | (std::uint64_t{0xF} << 44) | (std::uint64_t{0xF} << 60);
};

// TLFS "Hypercall Outputs": RAX, or EDX:EAX. Reps count from element 0, not from the start index.
// Manual says "63:40 ignore"; the field ends at bit 43, so 63:44 is meant.
struct HypercallResult {
  std::uint64_t word{};

  constexpr Status status() const { return static_cast<Status>(word & 0xFFFF); }
  constexpr std::uint32_t reps() const { return static_cast<std::uint32_t>(word >> 32 & 0xFFF); }
  static constexpr HypercallResult make(Status status, std::uint32_t reps = 0) {
    return {static_cast<std::uint64_t>(status) | (std::uint64_t{reps & 0xFFF} << 32)};
  }
};

// Fast calls: two general registers, then XMM0-5 (CPUID 0x40000003.EDX bits 4 and 15).
inline constexpr std::size_t kFastRegisterBytes = 16;
inline constexpr std::size_t kFastBytes = 112;
inline constexpr std::size_t kFastXmmRegisters = 6;
// Memory calls: a parameter block is aligned to 8 and stays within its page.
inline constexpr std::uint64_t kParameterAlignment = 8;

inline constexpr std::uint32_t kMaximumReps = 0xFFF;

}  // namespace vitrine::hv::tlfs
