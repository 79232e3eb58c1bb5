// Why a VM entry fails, in words: every failing check with the fields it read.
#pragma once

#include <string>
#include <vector>

#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu::vmx {

/// One field that a failing check read.
struct ExplainedField {
  std::string_view name;
  uint64_t value = 0;
};

/// One failing check.
struct Explanation {
  CheckKind kind;
  std::string_view section;
  std::string_view claim;
  std::vector<ExplainedField> fields;
};

/// How a check of this kind shows, as the manual words it.
std::string_view failure_words(CheckKind kind);
/// All failing checks in the order in which they are judged; empty when the entry would succeed.
std::vector<Explanation> explain_entry(const EntryInputs& in);
/// One line per failing check, then one indented line per field.
std::string explain_text(const std::vector<Explanation>& explanations);

}  // namespace vitrine::emu::vmx
