// Where the host's processor may rightly differ from ours: a closed table, judged by our own rule.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tests/silicon/harness.h"

namespace vitrine::test {

/// Flags that the SDM leaves undefined and that processors compute in their own way. Ours are stated
/// beside the handler and tested without an oracle in divergences_test.cpp.
struct UndefinedFlags {
  std::string_view mnemonic;
  uint64_t flags;
};
std::span<const UndefinedFlags> undefined_flags();

/// An outcome as a whole that differs on AMD. Conditions cover few cases of a form.
struct Divergence {
  std::string_view mnemonic;
  bool (*applies)(const Case&, const emu::Insn&, const Outcome& host, const Outcome& ours);
  std::string_view ours;  ///< what the profile does, with the section that says so
  std::string_view amd;
};
std::span<const Divergence> divergences();

uint64_t ignored_flags(std::string_view mnemonic);
bool diverges(std::string_view mnemonic, const Case& c, const emu::Insn& insn, const Outcome& host,
              const Outcome& ours);

}  // namespace vitrine::test
