// The comparison with the host's processor finds defects: each of these, put into our results, is caught.
#include <array>
#include <catch2/catch.hpp>
#include <string_view>

#include "emu/arch/exceptions.h"
#include "emu/arch/registers.h"
#include "tests/silicon/comparison.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

using emu::Insn;
using emu::arch::Vector;
namespace rflags = emu::arch::rflags;

constexpr uint16_t kPrecision = 0x20;  // PE of the x87 status word

uint64_t& destination(const Insn& insn, Outcome& ours) { return ours.after.gpr[insn.op[0] / 8]; }
uint64_t low_bits(const Insn& insn) { return ~uint64_t{0} >> (64 - (8u << insn.operand_size)); }
bool page_fault(const Outcome& ours) {
  return ours.faulted && ours.fault.vector == Vector::page_fault;
}
unsigned top(const Outcome& ours) { return (ours.after.x87.fsw >> 11) & 7u; }

struct DefectRow {
  std::string_view name;
  std::string_view form;  ///< in the generator's notation
  Comparison::Defect defect;
};

// clang-format off
constexpr auto kDefects = std::to_array<DefectRow>({
    {"flag: AF of ADD inverted", "01 /r",
     [](const Case&, const Insn&, Outcome& o) { if (!o.faulted) o.after.rflags ^= rflags::af; }},
    {"flag: INC changes CF", "ff /0",
     [](const Case&, const Insn&, Outcome& o) { if (!o.faulted) o.after.rflags ^= rflags::cf; }},
    {"flag: SUB's CF is that of a signed comparison", "29 /r",
     [](const Case&, const Insn&, Outcome& o) {
       const uint64_t f = o.after.rflags;
       const bool less = ((f & rflags::sf) != 0) != ((f & rflags::of) != 0);
       o.after.rflags = (f & ~rflags::cf) | (less ? rflags::cf : 0);
     }},
    {"flag: a shift by 0 changes CF", "d3 /4 reg",
     [](const Case& c, const Insn&, Outcome& o) {
       if ((c.before.gpr[emu::arch::rcx] & 31) == 0) o.after.rflags ^= rflags::cf;
     }},
    {"flag: IMUL overflows when its product fits", "0f af /r",
     [](const Case&, const Insn&, Outcome& o) { if (!o.faulted) o.after.rflags |= rflags::of | rflags::cf; }},
    {"result: ADC forgets the carry", "11 /r reg",
     [](const Case& c, const Insn& insn, Outcome& o) {
       if ((c.before.rflags & rflags::cf) == 0) return;
       uint64_t& d = destination(insn, o);
       const uint64_t mask = low_bits(insn);
       d = (d & ~mask) | ((d - 1) & mask);
     }},
    {"result: a 32-bit move keeps the upper half", "8b /r reg",
     [](const Case& c, const Insn& insn, Outcome& o) {
       if (insn.operand_size != 2) return;
       destination(insn, o) |= c.before.gpr[insn.op[0] / 8] & ~uint64_t{0xFFFFFFFF};
     }},
    {"rounding: FADD's inexact sums are one too large", "d8 /0 reg",
     [](const Case&, const Insn&, Outcome& o) {
       if ((o.after.x87.fsw & kPrecision) != 0) ++o.after.x87.significand[top(o)];
     }},
    {"fault: the error code of a store's page fault lacks W", "89 /r mem",
     [](const Case&, const Insn&, Outcome& o) { if (page_fault(o)) o.fault.error_code &= ~2u; }},
    {"fault: CR2 is the first byte though the second page is missing", "8b /r mem",
     [](const Case& c, const Insn&, Outcome& o) { if (page_fault(o)) o.fault_address = c.target; }},
    {"fault order: DIV divides before its operand is read", "f7 /6 mem",
     [](const Case&, const Insn&, Outcome& o) { if (page_fault(o)) o.fault = emu::fault(Vector::divide_error); }},
    {"fault order: a PUSH that faults has moved the pointer", "ff /6 mem stack",
     [](const Case&, const Insn&, Outcome& o) { if (o.faulted) o.after.gpr[emu::arch::rsp] -= 8; }},
});
// clang-format on
static_assert(kDefects.size() >= 10);

/// Eight full registers with values of similar size, everything masked, round to nearest.
void prepare(Case& c, Random& random, std::span<uint8_t>, std::span<uint8_t>) {
  c.with_vectors = true;
  auto& x = c.before.x87;
  x.fcw = 0x037F;
  x.fsw = 0;
  x.valid = 0xFF;
  for (unsigned i = 0; i < 8; ++i) {
    x.significand[i] = random.next() | uint64_t{1} << 63;
    x.sign_exponent[i] = static_cast<uint16_t>(0x3FFF + random.below(8));
  }
}

constexpr uint64_t kCases = 4'000;

uint64_t failures_of(const DefectRow& row, Comparison::Defect defect) {
  const std::array<std::string_view, 1> text = {row.form};
  Comparison comparison(prepare);
  comparison.defect = defect;
  comparison.run(parse_forms(text), kCases, 19);
  return comparison.failures;
}

TEST_CASE("a defect in any result is caught: flag, value, rounding, fault and their order",
          "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  for (const DefectRow& row : kDefects) {
    INFO(row.name);
    CHECK(failures_of(row, nullptr) == 0);
    CHECK(failures_of(row, row.defect) > 0);
  }
}

}  // namespace
}  // namespace vitrine::test
