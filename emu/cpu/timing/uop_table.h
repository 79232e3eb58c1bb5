// Micro-operations of instruction forms: how a profile's class table is written and looked up.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vitrine::emu::timing {

/// Execution ports as bits 0 to 15.
using PortSet = uint16_t;

/// One line of a class table: forms that cost the same.
///
/// `names` are mnemonics in lower case with spaces between; `lock_` before a name is its locked form.
/// `operands` is one word per explicit operand: r8 r16 r32 r64 or r for any of them, x y or v, mm,
/// m8 … m512 or m, i, st. `uops` are port sets with a count before them: "p0156 2p23". Latency is from
/// the last register source to the result, in cycles; of memory forms without the load. Slots are those
/// of the fused domain.
///
/// A form with a memory operand and no line of its own takes the line of its register form, one load
/// (and, for a destination, store address and store data) more, and shares the slot of its operation
/// unless `load_apart`. A VEX form without a line takes that of the legacy form.
struct UopRow {
  std::string_view names;
  std::string_view operands;
  std::string_view uops;
  uint16_t latency = 1;
  uint32_t slots = 1;
  bool load_apart = false;
};

struct UopGroup {
  PortSet ports = 0;
  uint32_t count = 0;
};

/// What a form costs a core.
struct FormCost {
  std::vector<UopGroup> uops;  ///< loads, store addresses and store data included
  uint32_t latency = 1;        ///< cycles, from register sources
  uint32_t slots = 1;          ///< fused-domain micro-operations
  bool load_apart = false;
  uint32_t uop_count() const;
};

/// An instruction form as the table names it.
struct Form {
  std::string name;
  std::vector<std::string> operands;
  bool locked = false;
  bool vex = false;
  bool loads = false;
  bool stores = false;
};

/// The ports that memory micro-operations of a profile use.
struct MemoryPorts {
  PortSet load;
  PortSet store_address;
  PortSet store_data;
};

class UopTable {
 public:
  UopTable(std::span<const UopRow> rows, MemoryPorts ports);

  /// The cost of a form; false when the table has neither its line nor a related one.
  bool find(const Form& form, FormCost& out) const;
  /// True when the table has a line of this mnemonic for any operands.
  bool knows(std::string_view mnemonic) const { return names_.contains(mnemonic); }
  const MemoryPorts& ports() const { return ports_; }
  size_t size() const { return costs_.size(); }

 private:
  const FormCost* line(const std::string& name, const std::vector<std::string>& operands) const;
  const FormCost* line_or_legacy(const Form& form, const std::vector<std::string>& operands) const;

  std::unordered_map<std::string, FormCost> costs_;  // never iterated
  std::set<std::string, std::less<>> names_;
  MemoryPorts ports_;
};

/// Skylake-SP, from the measurements published as the uops.info table for Skylake-X.
const UopTable& skylake_uops();
/// Zen 4: published slots and latencies, fitted ports.
const UopTable& zen4_uops();

}  // namespace vitrine::emu::timing
