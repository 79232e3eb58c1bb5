// EPT: the EPT pointer, table entries, violation qualifications and invalidation types.
#pragma once

#include <cstdint>

#include "emu/arch/bits.h"
#include "emu/arch/msr.h"

namespace vitrine::emu::arch {

/// SDM "Extended-Page-Table Pointer (EPTP)".
struct Eptp {
  uint64_t value = 0;

  constexpr MemoryType memory_type() const { return static_cast<MemoryType>(bits(value, 2, 0)); }
  /// Page-walk length minus 1.
  constexpr unsigned walk_length() const { return static_cast<unsigned>(bits(value, 5, 3)) + 1; }
  constexpr bool accessed_dirty() const { return (value & bit(6)) != 0; }
  constexpr uint64_t table() const { return value & ~uint64_t{0xFFF}; }
  /// SDM "Checks on VM-Execution Control Fields", the row about the EPTP.
  constexpr bool valid(unsigned physical_bits) const {
    return (memory_type() == MemoryType::uc || memory_type() == MemoryType::wb) &&
           walk_length() == 4 && bits(value, 11, 7) == 0 && (value >> physical_bits) == 0;
  }
};
constexpr uint64_t make_eptp(uint64_t table, bool accessed_dirty) {
  return table | (accessed_dirty ? bit(6) : 0) | 3u << 3 | static_cast<uint64_t>(MemoryType::wb);
}

/// SDM "EPT Translation Mechanism", formats of the paging-structure entries.
namespace ept {
inline constexpr uint64_t read = bit(0);
inline constexpr uint64_t write = bit(1);
inline constexpr uint64_t execute = bit(2);  ///< with mode-based control: supervisor-mode linear
inline constexpr uint64_t rights = read | write | execute;
inline constexpr uint64_t ignore_pat = bit(6);
inline constexpr uint64_t large = bit(7);
inline constexpr uint64_t accessed = bit(8);
inline constexpr uint64_t dirty = bit(9);
inline constexpr uint64_t execute_user = bit(10);
inline constexpr uint64_t suppress_ve = bit(63);
inline constexpr unsigned type_shift = 3;
constexpr uint64_t type(MemoryType t) { return static_cast<uint64_t>(t) << type_shift; }
constexpr MemoryType entry_type(uint64_t entry) {
  return static_cast<MemoryType>(bits(entry, 5, 3));
}
}  // namespace ept

/// SDM "Exit Qualification for EPT Violations".
namespace ept_violation {
inline constexpr uint64_t read = bit(0);
inline constexpr uint64_t write = bit(1);
inline constexpr uint64_t fetch = bit(2);
inline constexpr unsigned rights_shift = 3;  ///< bits 5:3: AND of bits 2:0 of the entries used
inline constexpr uint64_t user_execute_right = bit(6);
inline constexpr uint64_t linear_valid = bit(7);
inline constexpr uint64_t final_access =
    bit(8);  ///< of the translation; clear: paging-structure access
inline constexpr uint64_t nmi_unblocking = bit(12);
}  // namespace ept_violation

/// SDM "INVEPT" and "INVVPID", invalidation types.
enum class InveptType : uint8_t { single_context = 1, all_context = 2 };
enum class InvvpidType : uint8_t {
  individual_address = 0,
  single_context = 1,
  all_context = 2,
  single_context_keep_globals = 3,
};

/// SDM "Page-Modification Logging": 512 entries, index counting down.
inline constexpr uint16_t kPmlLastIndex = 511;

}  // namespace vitrine::emu::arch
