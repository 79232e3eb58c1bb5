// The order in which VM-entry checks are judged, all of them or only those that changes can affect.
#include "emu/cpu/vmx/entry_checks.h"

#include <bit>

#include "emu/arch/require.h"

namespace vitrine::emu::vmx {

namespace {

constexpr size_t kRowWords = 3;
using RowSet = std::array<uint64_t, kRowWords>;

void insert(RowSet& set, size_t row) { set[row / 64] |= uint64_t{1} << (row % 64); }
void unite(RowSet& set, const RowSet& other) {
  for (size_t i = 0; i < kRowWords; ++i) set[i] |= other[i];
}

/// The rows of all lists in order, and which of them each field can change.
struct Index {
  std::vector<const EntryCheck*> rows;
  std::array<RowSet, arch::kFieldCount> readers{};
  RowSet always{};

  Index() {
    for (const auto list : entry_checks()) {
      for (const EntryCheck& check : list) {
        const size_t row = rows.size();
        rows.push_back(&check);
        if (check.always) insert(always, row);
        for (const Field field : check.fields) insert(readers[arch::field_slot(field)], row);
      }
    }
    require(rows.size() <= 64 * kRowWords, "a row set holds every entry check");
  }
};

const Index& index() {
  static const Index made;
  return made;
}

}  // namespace

std::array<std::span<const EntryCheck>, kCheckLists> entry_checks() {
  return {control_checks(), host_checks(), guest_register_checks(), guest_segment_checks(),
          guest_state_checks()};
}

const EntryCheck* first_failing_check(const EntryInputs& in) {
  for (const auto list : entry_checks()) {
    for (const EntryCheck& check : list) {
      if (!check.holds(in)) return &check;
    }
  }
  return nullptr;
}

const EntryCheck* first_failing_changed_check(const EntryInputs& in) {
  const Index& table = index();
  RowSet due = table.always;
  for (size_t word = 0; word < in.vmcs.changed.size(); ++word) {
    for (uint64_t bits = in.vmcs.changed[word]; bits != 0; bits &= bits - 1) {
      const size_t slot = 64 * word + static_cast<size_t>(std::countr_zero(bits));
      if (slot < arch::kFieldCount) unite(due, table.readers[slot]);
    }
  }
  for (size_t word = 0; word < kRowWords; ++word) {
    for (uint64_t bits = due[word]; bits != 0; bits &= bits - 1) {
      const size_t row = 64 * word + static_cast<size_t>(std::countr_zero(bits));
      if (!table.rows[row]->holds(in)) return table.rows[row];
    }
  }
  return nullptr;
}

std::vector<const EntryCheck*> failing_checks(const EntryInputs& in) {
  std::vector<const EntryCheck*> failing;
  for (const auto list : entry_checks()) {
    for (const EntryCheck& check : list) {
      if (!check.holds(in)) failing.push_back(&check);
    }
  }
  return failing;
}

}  // namespace vitrine::emu::vmx
