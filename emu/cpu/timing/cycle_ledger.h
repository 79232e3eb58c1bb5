// CycleLedger: where cycles went, told by the core's clock as it advances.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "emu/cpu/timing/core_parameters.h"

namespace vitrine::emu::timing {

/// What the clock waited for. Every tick of it has one cause.
enum class Cause : uint8_t {
  issue,         ///< slots of the instruction itself
  front_end,     ///< decoders and micro-operation cache
  fetch,         ///< lines of code and their translations
  port,          ///< execution ports
  divider,
  dependence,    ///< results of other instructions
  second_level,  ///< loads: where the line was found
  third_level,
  memory,
  walk,          ///< translations of data
  store_buffer,
  string,        ///< bytes of REP MOVS and REP STOS
  branch,        ///< a wrong prediction
  drain,         ///< what was under way before something that serialises
  exception,
  interrupt,
  vm_exit,
  vm_entry,
  serialising,   ///< every other named cost
  idle,
  kCount,
};

inline constexpr std::array<std::string_view, static_cast<size_t>(Cause::kCount)> kCauseNames = {
    "issue",  "front_end",    "fetch",     "port",      "divider", "dependence", "second_level",
    "third_level", "memory",  "walk",      "store_buffer", "string", "branch", "drain",    "exception",
    "interrupt", "vm_exit",   "vm_entry",  "serialising", "idle"};

class CycleLedger {
 public:
  virtual ~CycleLedger() = default;
  /// A block begins: what is told from now on is of the processor as it is now.
  virtual void entered() {}
  /// The instruction at the linear address took so long for this cause; the sum over all calls is what
  /// the clock has advanced by.
  virtual void spent(uint64_t address, Cause cause, Ticks ticks) = 0;
};

}  // namespace vitrine::emu::timing
