// Data flow of one instruction: what it waits for, what it makes, and its form, for the timing model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "emu/arch/require.h"
#include "emu/cpu/timing/uop_table.h"

namespace vitrine::emu::timing {

/// A place whose value instructions wait for.
namespace resource {
inline constexpr uint8_t gpr = 0;      ///< 16 of them
inline constexpr uint8_t vector = 16;  ///< 16 of them
inline constexpr uint8_t carry = 32;   ///< CF
inline constexpr uint8_t flags = 33;   ///< the other arithmetic flags, renamed together
inline constexpr uint8_t x87 = 34;     ///< x87 and MMX registers as one
inline constexpr uint8_t count = 35;
}  // namespace resource

/// At most N resources, each once.
template <size_t N>
class ResourceList {
 public:
  void add(uint8_t resource) {
    for (const uint8_t present : *this) {
      if (present == resource) return;
    }
    require(size_ < N, "an instruction has few operands");
    items_[size_++] = resource;
  }
  void clear() { size_ = 0; }
  bool contains(uint8_t resource) const {
    for (const uint8_t present : *this) {
      if (present == resource) return true;
    }
    return false;
  }
  size_t size() const { return size_; }
  const uint8_t* begin() const { return items_.data(); }
  const uint8_t* end() const { return items_.data() + size_; }

 private:
  std::array<uint8_t, N> items_{};
  uint8_t size_ = 0;
};

/// Which conditional branches an instruction can share a slot with (Intel optimisation manual,
/// "Optimizing Macro-fusion").
enum class MacroFusion : uint8_t {
  none,
  all,        ///< TEST, AND
  compare,    ///< CMP, ADD, SUB: not with those on sign, overflow or parity alone
  increment,  ///< INC, DEC: nor with those on carry
};

/// Near branches by what predicts them; far ones are none.
enum class BranchKind : uint8_t {
  none,
  conditional,
  jump,
  call,
  indirect_jump,
  indirect_call,
  ret,
};

enum class Stack : uint8_t { none, push, pop };

struct DataFlow {
  uint8_t length = 0;
  Form form;
  ResourceList<12> sources;
  ResourceList<4> address;
  ResourceList<12> results;
  bool loads = false;
  bool stores = false;
  uint8_t access_size = 0;    ///< bytes of the memory operand; 0 without one
  uint32_t address_name = 0;  ///< of an expression of base and displacement, 32 or 64 bits wide
  bool indexed = false;       ///< the memory operand has an index register
  bool short_displacement = false;  ///< base and 0 ≤ displacement < 2048, no index
  bool changes_length = false;      ///< a 66H prefix that changes the immediate's length (LCP)
  bool zero_idiom = false;          ///< result does not depend on the source
  bool move = false;                ///< register move that renaming can carry out
  bool memory_updated = false;      ///< the first operand is read as well as written
  Stack stack = Stack::none;        ///< moved the stack pointer in the front end
  bool explicit_rsp = false;        ///< uses RSP in the execution ports
  MacroFusion fusion = MacroFusion::none;
  bool is_jcc = false;
  BranchKind branch = BranchKind::none;
  uint8_t condition = 0;      ///< low nibble of a Jcc opcode
  bool fast_string = false;   ///< REP MOVS or REP STOS
  bool serialises = false;    ///< LOCK, fences, CPUID …: waits for all before it
  uint16_t divider_bits = 0;  ///< operand size of an integer or floating-point division, or 0
};

/// Takes apart the instruction at the start of `bytes`; `code_size` is 2, 4 or 8 bytes. False for bytes
/// that are no instruction.
bool analyse(std::span<const std::byte> bytes, uint8_t code_size, DataFlow& out);

}  // namespace vitrine::emu::timing
