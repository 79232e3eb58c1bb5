// Lockstep: two machines that must be the same at every moment, and the first moment at which they are not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emu/machine/machine.h"

namespace vitrine::emu {

struct Difference {
  Cycle cycle;                     ///< the first at which the machines differ, when `exact`
  bool exact = false;              ///< else: at most one comparison later than the first
  std::vector<std::string> lines;  ///< what differs, one field or line of memory each
};

/// Both machines are configured and booted alike and differ in their engines. They run the same
/// stretches of time and are compared whole in between. A difference is narrowed down by running both
/// again from the last moment at which they were equal.
class Lockstep {
 public:
  Lockstep(Machine& tested, Machine& reference) : tested_(tested), reference_(reference) {}

  /// Runs to `until` or the guest's end, comparing every `stretch` cycles.
  std::optional<Difference> run(Cycle until, uint64_t stretch);
  StopReason reason() const { return reason_; }

 private:
  std::optional<Difference> compare() const;
  Difference narrow(Cycle good, Cycle bad, Difference found);
  bool run_both(Cycle until);

  Machine& tested_;
  Machine& reference_;
  std::vector<std::byte> equal_;  ///< the last moment at which both were equal
  StopReason reason_{};
};

/// The fields in which two machines differ, at most `limit` of them.
std::vector<std::string> differing_fields(Machine& a, Machine& b, size_t limit);

}  // namespace vitrine::emu
