// Runs a case on both sides and judges the difference.
#include "tests/silicon/comparison.h"

#include <cstdio>
#include <cstring>
#include <string>

#include "emu/arch/registers.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/instruction_table.h"
#include "tests/silicon/divergences.h"

namespace vitrine::test {

namespace {

/// Pages outside the window hold who knows what on the host: such a case is not run there. Nor is one
/// that would leave alignment checking on.
bool safe_on_host(const Outcome& ours) {
  if ((ours.after.rflags & emu::arch::rflags::ac) != 0) return false;
  if (!ours.faulted || ours.fault.vector != emu::arch::Vector::page_fault) return true;
  return ours.fault_address >= kWindow - 0x1000 && ours.fault_address < kUnmapped + 0x1000;
}

bool lands_on_trap(const Case& c, const Outcome& ours) {
  const uint64_t rip = ours.after.rip;
  const bool in_instruction = rip >= c.before.rip && rip < c.before.rip + c.length;
  const uint64_t page = kCode - code_base(c.size);
  return ours.faulted || (rip >= page && rip < page + kCodeBytes && !in_instruction);
}

std::string_view mnemonic_of(const emu::Insn& insn) {
  return emu::instruction_table()[insn.row].mnemonic;
}

}  // namespace

std::vector<Form> parse_forms(std::span<const std::string_view> texts) {
  std::vector<Form> forms;
  for (const auto text : texts) forms.push_back(parse_form(text));
  return forms;
}

void Comparison::resynchronise() {
  std::memcpy(ours_.memory().data(), host_.memory().data(), kWritableBytes);
}

void Comparison::run(std::span<const Form> forms, uint64_t cases, uint64_t seed) {
  Random random(seed);
  for (uint64_t i = 0; i < cases; ++i) run_case(forms[i % forms.size()], random);
}

void Comparison::run_case(const Form& form, Random& random) {
  const auto ours_memory = ours_.memory();
  const auto host_memory = host_.memory();
  Case c = make_case(form, random, host_.has_segments(), ours_memory, host_memory);
  if (prepare_) prepare_(c, random, ours_memory, host_memory);
  judge(c, form.text);
}

void Comparison::run_sequences(std::span<const Form> forms, uint64_t cases, uint64_t seed) {
  Random random(seed);
  for (uint64_t i = 0; i < cases; ++i) {
    const auto count = static_cast<unsigned>(2 + random.below(19));
    Case c = make_sequence(forms, count, random, ours_.memory(), host_.memory());
    if (prepare_) prepare_(c, random, ours_.memory(), host_.memory());
    judge(c, "sequence");
  }
}

void Comparison::judge(Case& c, std::string_view form) {
  const auto ours_memory = ours_.memory();
  const auto host_memory = host_.memory();
  emu::Insn insn;
  Outcome ours = ours_.execute(c, insn);
  if (!safe_on_host(ours)) {
    resynchronise();
    return;
  }
  if (!lands_on_trap(c, ours)) c.single_step = true;
  const Outcome host = host_.execute(c);
  if (defect != nullptr) defect(c, insn, ours);
  ++total;
  // UD0, UD1 and UD2 have rows; row 0 is ADD, which never raises #UD itself.
  const bool has_row = insn.handler != emu::undefined_opcode || insn.row != 0;
  const std::string_view name = has_row ? mnemonic_of(insn) : "(#UD)";
  RowCount& count = has_row ? rows[insn.row] : undefined;
  ++count.cases;
  const bool alone = c.instructions == 1;
  std::string text = difference(c, host, ours, alone ? ignored_flags(name) : 0);
  if (std::memcmp(ours_memory.data(), host_memory.data(), kWritableBytes) != 0) {
    text += "  memory differs\n";
  }
  if (text.empty()) return;
  resynchronise();
  if (alone && diverges(name, c, insn, host, ours)) {
    ++count.diverging;
    return;
  }
  ++failures;
  if (++count.differing > kPrintedPerRow) return;
  std::printf("%s  [%s]\n%s%s\n", std::string(name).c_str(), std::string(form).c_str(),
              describe(c).c_str(), text.c_str());
}

void Comparison::print() const {
  const auto line = [](std::string_view name, const RowCount& count) {
    std::printf("%-12s %8llu cases %6llu diverge %6llu differ\n", std::string(name).c_str(),
                static_cast<unsigned long long>(count.cases),
                static_cast<unsigned long long>(count.diverging),
                static_cast<unsigned long long>(count.differing));
  };
  for (const auto& [row, count] : rows) line(emu::instruction_table()[row].mnemonic, count);
  line("(#UD)", undefined);
  std::printf("%zu rows, %llu cases\n", rows.size(), static_cast<unsigned long long>(total));
}

}  // namespace vitrine::test
