// BranchModel: what a core predicts of a branch, and how wrong it was.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/data_flow.h"
#include "emu/cpu/timing/tag_sets.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::timing {

/// How the front end fared.
enum class Prediction : uint8_t {
  right,
  resteered,  ///< the decoders found the target that the target buffer did not have
  wrong,      ///< known only when the branch was executed
};

/// Directions by tables of counters under histories of growing length, of which the longest that
/// knows the branch decides; targets of taken branches from a buffer, of indirect ones under the
/// history, of returns from a stack. Trained when a branch retires, so that nothing speculative is in
/// it.
class BranchModel {
 public:
  explicit BranchModel(const CoreParameters& core);

  struct Branch {
    BranchKind kind = BranchKind::none;
    uint64_t at = 0;      ///< address behind it, which names it
    uint64_t target = 0;  ///< where it went
    bool taken = true;
  };
  /// Compares with what would have been predicted, and learns.
  Prediction retire(const Branch& branch);
  void visit(StateVisitor& v);

 private:
  static constexpr size_t kTables = 4;
  static constexpr size_t kEntries = 1024;
  static constexpr size_t kMostReturns = 32;
  struct Counter {
    uint16_t tag = 0;
    uint8_t state = 0;   ///< 0 to 7: taken from 4 on
    uint8_t useful = 0;  ///< 0 to 3
  };

  bool retire_direction(const Branch& branch);
  bool retire_target(const Branch& branch);
  size_t slot(uint64_t at, size_t table) const;
  uint16_t tag(uint64_t at, size_t table) const;
  uint64_t folded(size_t length, unsigned bits) const;
  void remember(bool bit);

  const CoreParameters& core_;
  std::array<uint64_t, 2> history_{};  ///< directions, the youngest in bit 0 of the first
  std::array<uint8_t, 4096> base_;     ///< 0 to 3: taken from 2 on
  std::array<std::array<Counter, kEntries>, kTables> tables_{};
  TagSets<uint32_t> buffer_;                  ///< branches whose target is known
  std::array<uint64_t, 512> targets_{};       ///< of indirect branches, by address
  std::array<uint64_t, 1024> path_targets_{};  ///< and by address and history
  std::array<uint64_t, kMostReturns> returns_{};
  uint32_t top_ = 0;
};

}  // namespace vitrine::emu::timing
