// Comparison: cases of many forms on the host's processor and on ours, counted by row.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "tests/silicon/generator.h"
#include "tests/silicon/harness.h"

namespace vitrine::test {

std::vector<Form> parse_forms(std::span<const std::string_view> texts);

struct RowCount {
  uint64_t cases = 0;
  uint64_t diverging = 0;
  uint64_t differing = 0;
};

class Comparison {
 public:
  /// Changes a case before it runs: other registers, other bytes at its operand. Both memories are
  /// given, to be changed alike.
  using Prepare =
      std::function<void(Case&, Random&, std::span<uint8_t> ours, std::span<uint8_t> host)>;

  Comparison() = default;
  explicit Comparison(Prepare prepare) : prepare_(std::move(prepare)) {}

  void run(std::span<const Form> forms, uint64_t cases, uint64_t seed);
  /// Sequences of 2 to 20 instructions, judged as a whole: no difference is expected.
  void run_sequences(std::span<const Form> forms, uint64_t cases, uint64_t seed);
  void print() const;

  /// Falsifies what ours did, before it is judged: how the suite itself is tested.
  using Defect = void (*)(const Case&, const emu::Insn&, Outcome& ours);
  Defect defect = nullptr;

  uint64_t failures = 0;
  uint64_t total = 0;
  std::map<uint16_t, RowCount> rows;
  RowCount undefined;  ///< #UD without a row

 private:
  static constexpr uint64_t kPrintedPerRow = 3;

  void run_case(const Form& form, Random& random);
  void judge(Case& c, std::string_view form);
  void resynchronise();

  Prepare prepare_;
  HostProcessor host_;
  OurProcessor ours_;
};

}  // namespace vitrine::test
