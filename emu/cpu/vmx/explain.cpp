// Explanations are made from the table of entry checks and the names of the fields.
#include "emu/cpu/vmx/explain.h"

#include <array>
#include <charconv>

namespace vitrine::emu::vmx {

namespace {

std::string hex(uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

}  // namespace

std::string_view failure_words(CheckKind kind) {
  switch (kind) {
    case CheckKind::control: return "VMfailValid 7, invalid control field";
    case CheckKind::host: return "VMfailValid 8, invalid host-state field";
    case CheckKind::guest: return "VM-entry failure, invalid guest state";
  }
  return {};
}

std::vector<Explanation> explain_entry(const EntryInputs& in) {
  std::vector<Explanation> explanations;
  for (const EntryCheck* check : failing_checks(in)) {
    Explanation e{check->kind, check->section, check->claim, {}};
    for (size_t i = 0; i < check->fields.size(); ++i) {
      // Unused places repeat the first field.
      if (i != 0 && check->fields[i] == check->fields[0]) continue;
      const Field field = check->fields[i];
      e.fields.push_back({arch::kFields[arch::field_slot(field)].name, in[field]});
    }
    explanations.push_back(e);
  }
  return explanations;
}

std::string explain_text(const std::vector<Explanation>& explanations) {
  std::string text;
  for (const Explanation& e : explanations) {
    text += std::string(failure_words(e.kind)) + ": " + std::string(e.claim) + " (" +
            std::string(e.section) + ")\n";
    for (const ExplainedField& field : e.fields) {
      text += "  " + std::string(field.name) + " = " + hex(field.value) + "\n";
    }
  }
  return text;
}

}  // namespace vitrine::emu::vmx
