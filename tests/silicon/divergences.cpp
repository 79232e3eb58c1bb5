// The divergence table.
#include "tests/silicon/divergences.h"

#include <array>

#include "emu/arch/registers.h"

namespace vitrine::test {

namespace {

using emu::Insn;
using emu::arch::Vector;
namespace rflags = emu::arch::rflags;

bool ends_with(const Outcome& o, Vector vector) { return o.faulted && o.fault.vector == vector; }

/// SHLD and SHRD of 16 bits by 16 (OF) or more (everything).
bool shifts_past_operand(const Case& c, const Insn& insn, const Outcome&, const Outcome&) {
  const bool by_cl = insn.op[2] != emu::kNoOperand;
  const uint64_t count = (by_cl ? c.before.gpr[emu::arch::rcx] : insn.imm) & 31;
  return insn.operand_size == 1 && count >= 16;
}

/// Both operands of CMPS fault: which one is reported is not architectural.
bool two_operands_fault(const Case&, const Insn&, const Outcome& host, const Outcome& ours) {
  return ends_with(host, Vector::page_fault) && ends_with(ours, Vector::page_fault);
}

/// POPA faults on the way.
bool partly_popped(const Case&, const Insn&, const Outcome& host, const Outcome& ours) {
  return host.faulted && ours.faulted && host.fault == ours.fault;
}

/// CALL has a target that is not canonical and a stack that faults.
bool target_and_stack_fault(const Case&, const Insn&, const Outcome& host, const Outcome& ours) {
  return host.faulted && host.fault.vector != Vector::general_protection &&
         ends_with(ours, Vector::general_protection);
}

constexpr std::string_view kFirst = "the source at rSI is read first";
constexpr std::string_view kSecond = "the operand at rDI is read first";
constexpr std::string_view kAtomic = "a fault leaves the registers as they were (SDM \"POPA\")";
constexpr std::string_view kPartial = "registers popped before the fault are written";
constexpr std::string_view kThrice = "the shifter sees destination:source:destination";
constexpr std::string_view kOther = "a different undefined result";

// clang-format off
constexpr std::array<UndefinedFlags, 24> kUndefinedFlags = {{
  {"shl",    rflags::af},
  {"shr",    rflags::af},
  {"sar",    rflags::af},
  {"shld",   rflags::af},
  {"shrd",   rflags::af},
  {"bsf",    rflags::cf | rflags::pf | rflags::af | rflags::sf | rflags::of},
  {"bsr",    rflags::cf | rflags::pf | rflags::af | rflags::sf | rflags::of},
  {"tzcnt",  rflags::of},
  {"lzcnt",  rflags::of},
  {"andn",   rflags::pf},
  {"bextr",  rflags::pf | rflags::af},
  {"blsi",   rflags::pf},
  {"blsr",   rflags::pf},
  {"blsmsk", rflags::pf},
  {"bzhi",   rflags::pf},
  {"mul",    rflags::pf | rflags::af | rflags::zf | rflags::sf},
  {"imul",   rflags::pf | rflags::af | rflags::zf | rflags::sf},
  {"div",    rflags::cf | rflags::af | rflags::of},
  {"idiv",   rflags::cf | rflags::af | rflags::of},
  {"aaa",    rflags::pf | rflags::zf | rflags::sf | rflags::of},
  {"aas",    rflags::pf | rflags::zf | rflags::sf | rflags::of},
  {"daa",    rflags::of},
  {"das",    rflags::of},
  {"aad",    rflags::cf | rflags::af | rflags::of},
}};

constexpr std::array<Divergence, 9> kDivergences = {{
  {"shld",  shifts_past_operand,    kThrice, kOther},
  {"shrd",  shifts_past_operand,    kThrice, kOther},
  {"cmpsb", two_operands_fault,     kFirst,  kSecond},
  {"cmpsw", two_operands_fault,     kFirst,  kSecond},
  {"cmpsd", two_operands_fault,     kFirst,  kSecond},
  {"cmpsq", two_operands_fault,     kFirst,  kSecond},
  {"popa",  partly_popped,          kAtomic, kPartial},
  {"popad", partly_popped,          kAtomic, kPartial},
  {"call",  target_and_stack_fault, "the target is judged before the push (SDM \"CALL\")", "the push comes first"},
}};
// clang-format on

}  // namespace

std::span<const UndefinedFlags> undefined_flags() { return kUndefinedFlags; }
std::span<const Divergence> divergences() { return kDivergences; }

uint64_t ignored_flags(std::string_view mnemonic) {
  for (const auto& row : kUndefinedFlags) {
    if (row.mnemonic == mnemonic) return row.flags;
  }
  return 0;
}

bool diverges(std::string_view mnemonic, const Case& c, const Insn& insn, const Outcome& host,
              const Outcome& ours) {
  if (!HostProcessor::is_amd()) return false;
  for (const auto& row : kDivergences) {
    if (row.mnemonic == mnemonic && row.applies(c, insn, host, ours)) return true;
  }
  return false;
}

}  // namespace vitrine::test
