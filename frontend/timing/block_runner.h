// BlockRunner: times one block of code on the ordinary engine, the way blocks are measured on silicon.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "emu/cpu/timing/core_parameters.h"

namespace vitrine::ui {

/// What a measurement found, or the sentence that says why there is none.
struct BlockTime {
  double cycles = 0;  ///< of the core, per repetition
  std::string error;  ///< empty when the block was measured
};

/// The protocol of published block measurements: the block is repeated end to end in 64-bit user mode,
/// registers hold 0x12345600, and every page the block touches is mapped, when it is first touched, to
/// one physical page that is filled with the same value. Where the protocols differ goes by profile:
/// those of Skylake-SP have a stack pointer apart from the other registers and run the repetitions
/// once; those of Zen 4 have it equal, and pass over the repetitions several times.
class BlockRunner {
 public:
  /// `memory`: at that level, and not at `core`.
  BlockRunner(const emu::timing::CoreParameters& core, bool memory)
      : core_(core), memory_(memory) {}

  BlockTime run(std::span<const std::byte> block) const;

 private:
  const emu::timing::CoreParameters& core_;
  bool memory_;
};

}  // namespace vitrine::ui
