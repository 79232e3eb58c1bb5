// The divergence table.
#include "tests/silicon/divergences.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

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

/// An operand of ten bytes or more meets a segment limit and a page, or two pages.
bool long_operand_faults(const Case&, const Insn&, const Outcome& host, const Outcome& ours) {
  return host.faulted && ours.faulted;
}

/// FCOMI and its like leave C1 as it was, and agree otherwise.
bool only_c1_is_kept(const Case& c, const Insn&, const Outcome& host, const Outcome& ours) {
  constexpr uint16_t kC1 = 0x0200;
  Outcome expected = host;
  expected.after.x87.fsw = static_cast<uint16_t>(host.after.x87.fsw & ~kC1);
  return (host.after.x87.fsw & kC1) == (c.before.x87.fsw & kC1) &&
         difference(c, expected, ours, 0).empty();
}

/// Significands of one sign that follow each other, or are equal.
bool neighbours(const emu::X87State& a, const emu::X87State& b, size_t i) {
  const bool swapped = b.sign_exponent[i] < a.sign_exponent[i];
  const emu::X87State& low = swapped ? b : a;
  const emu::X87State& high = swapped ? a : b;
  const uint64_t step = high.significand[i] - low.significand[i];
  if (low.sign_exponent[i] == high.sign_exponent[i]) return step + 1 <= 2;
  constexpr uint64_t kLargest = ~uint64_t{0}, kSmallest = uint64_t{1} << 63;
  return high.sign_exponent[i] == low.sign_exponent[i] + 1 && high.significand[i] == kSmallest &&
         (low.significand[i] == kLargest || low.sign_exponent[i] % 0x8000 == 0);
}

/// The last place of a function's value, and what tells of rounding: UE, PE and C1, and the summary
/// with them.
bool last_place(const Case& c, const Insn&, const Outcome& host, const Outcome& ours) {
  constexpr uint16_t kRounding = 0x82B0;
  Outcome expected = host;
  emu::X87State& x = expected.after.x87;
  const emu::X87State& y = ours.after.x87;
  for (size_t i = 0; i < 8; ++i) {
    if (!neighbours(x, y, i)) return false;
    x.significand[i] = y.significand[i];
    x.sign_exponent[i] = y.sign_exponent[i];
  }
  x.fsw = static_cast<uint16_t>((x.fsw & ~kRounding) | (y.fsw & kRounding));
  return difference(c, expected, ours, 0).empty();
}

/// FYL2XP1 of -1 and less.
bool outside_domain(const Case& c, const Insn&, const Outcome&, const Outcome&) {
  const emu::X87State& x = c.before.x87;
  return x.sign_exponent[(x.fsw >> 11) & 7] >= 0xBFFF;
}

/// A lane of RCPPS and its like: special values alike, others within twice the manual's bound; beside
/// the smallest normal number one may have become zero.
bool both_estimates(uint32_t host, uint32_t ours) {
  const auto x = double{std::bit_cast<float>(host)};
  const auto y = double{std::bit_cast<float>(ours)};
  constexpr double kBound = 1.5 / 4096;
  constexpr double kSmallest = 0x1.01p-126;
  const bool vanished = x == 0 && std::fabs(y) < kSmallest && std::signbit(x) == std::signbit(y);
  return host == ours || vanished || std::fabs(x - y) <= 2 * kBound * std::fabs(y);
}

bool estimates(const Case& c, const Insn& insn, const Outcome& host, const Outcome& ours) {
  using Singles = std::array<uint32_t, 8>;
  Outcome expected = host;
  auto& target = expected.after.vector.ymm[insn.op[0]];
  const auto& result = ours.after.vector.ymm[insn.op[0]];
  const auto x = std::bit_cast<Singles>(target);
  const auto y = std::bit_cast<Singles>(result);
  target = result;
  return std::equal(x.begin(), x.end(), y.begin(), both_estimates) &&
         difference(c, expected, ours, 0).empty();
}

/// An instruction that faults has already made TOP 0 and every register valid.
bool enters_mmx_before_fault(const Case& c, const Insn&, const Outcome& host, const Outcome& ours) {
  constexpr uint16_t kTop = 0x3800;
  Outcome expected = host;
  expected.after.x87.fsw = static_cast<uint16_t>(host.after.x87.fsw | (c.before.x87.fsw & kTop));
  expected.after.x87.valid = c.before.x87.valid;
  expected.fault_address = ours.fault_address;
  return host.faulted && (host.after.x87.fsw & kTop) == 0 && host.after.x87.valid == 0xFF &&
         difference(c, expected, ours, 0).empty();
}

/// The operand as a whole faults, whether or not the byte that does is to be stored.
bool masked_store_faults(const Case&, const Insn&, const Outcome& host, const Outcome&) {
  return host.faulted;
}

/// A gather that faults on the way keeps the elements of its mask as they were, and what lies above
/// them; the signs of the elements, which are all that counts when it goes on, agree.
bool mask_kept(const Case& c, const Insn& insn, const Outcome& host, const Outcome& ours) {
  Outcome expected = host;
  auto& mask = expected.after.vector.ymm[insn.op[2]];
  const auto& result = ours.after.vector.ymm[insn.op[2]];
  const bool quads = (insn.flags & emu::insn_flag::rex_w) != 0;
  const uint64_t signs = quads ? 0x8000000000000000 : 0x8000000080000000;
  for (size_t i = 0; i < mask.size(); ++i) {
    const bool above = i != 0 && result[i] == 0 && mask[i] == c.before.vector.ymm[insn.op[2]][i];
    if (((mask[i] ^ result[i]) & signs) != 0 && !above) return false;
  }
  mask = result;
  return host.faulted && difference(c, expected, ours, 0).empty();
}

/// MXCSR bit 17, which AMD has and Intel reserves.
bool loads_bit_17(const Case&, const Insn&, const Outcome& host, const Outcome& ours) {
  constexpr uint32_t kMisalignedMask = 1u << 17;
  return ends_with(ours, Vector::general_protection) && !host.faulted &&
         (host.after.vector.mxcsr & kMisalignedMask) != 0;
}

constexpr std::string_view kReserved = "bits 31:16 are reserved: #GP (SDM \"LDMXCSR\")";
constexpr std::string_view kMisaligned = "bit 17 is the misaligned exception mask";
constexpr std::string_view kExtended =
    "the mask is made of whole elements first (SDM \"VPGATHERDD\", \"Operation\")";
constexpr std::string_view kUnextended = "elements that are not complete keep their mask";
constexpr std::string_view kCanonical =
    "the reciprocal rounded to 12 bits (SDM \"RCPPS\": an error of at most 1.5 * 2^-12)";
constexpr std::string_view kTable = "a table of its own within the same bound";
constexpr std::string_view kBefore =
    "a fault leaves the state as it was (SDM \"Program or Task Restart\")";
constexpr std::string_view kEntered = "TOP and the tags are changed before the fault";
constexpr std::string_view kStored =
    "bytes that are stored fault (SDM \"MASKMOVQ\": other faults depend on the implementation)";
constexpr std::string_view kOperandFaults =
    "the operand as a whole faults, unless nothing is stored";
constexpr std::string_view kPole = "a pole at -1, invalid below (SDM \"FYL2XP1\": undefined)";
constexpr std::string_view kOperand = "ST(0) comes back";
constexpr std::string_view kRounded =
    "rounded once, exact results not inexact (SDM \"Inexact-Result (Precision) Exception (#P)\")";
constexpr std::string_view kAccurate = "within one unit in the last place, always inexact";
constexpr std::string_view kWhole = "the operand is one access: its limit, then its first page";
constexpr std::string_view kParts = "parts of the operand are judged one by one";
constexpr std::string_view kCleared = "C1 is 0 (SDM \"FCOMI\", \"FPU Flags Affected\")";
constexpr std::string_view kKept = "C1 stays as it was";
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

constexpr std::array<Divergence, 56> kDivergences = {{
  {"ldmxcsr",  loads_bit_17, kReserved, kMisaligned},
  {"vldmxcsr", loads_bit_17, kReserved, kMisaligned},
  {"shld",  shifts_past_operand,    kThrice, kOther},
  {"shrd",  shifts_past_operand,    kThrice, kOther},
  {"cmpsb", two_operands_fault,     kFirst,  kSecond},
  {"cmpsw", two_operands_fault,     kFirst,  kSecond},
  {"cmpsd", two_operands_fault,     kFirst,  kSecond},
  {"cmpsq", two_operands_fault,     kFirst,  kSecond},
  {"popa",  partly_popped,          kAtomic, kPartial},
  {"popad", partly_popped,          kAtomic, kPartial},
  {"call",  target_and_stack_fault, "the target is judged before the push (SDM \"CALL\")", "the push comes first"},
  {"fcomi",   only_c1_is_kept,     kCleared, kKept},
  {"fcomip",  only_c1_is_kept,     kCleared, kKept},
  {"fucomi",  only_c1_is_kept,     kCleared, kKept},
  {"fucomip", only_c1_is_kept,     kCleared, kKept},
  {"fsin",    last_place,          kRounded, kAccurate},
  {"fcos",    last_place,          kRounded, kAccurate},
  {"fsincos", last_place,          kRounded, kAccurate},
  {"fptan",   last_place,          kRounded, kAccurate},
  {"fpatan",  last_place,          kRounded, kAccurate},
  {"f2xm1",   last_place,          kRounded, kAccurate},
  {"fyl2x",   last_place,          kRounded, kAccurate},
  {"fyl2xp1", last_place,          kRounded, kAccurate},
  {"fyl2xp1", outside_domain,      kPole,    kOperand},
  {"fld",     long_operand_faults, kWhole,   kParts},
  {"fbld",    long_operand_faults, kWhole,   kParts},
  {"fstp",    long_operand_faults, kWhole,   kParts},
  {"fbstp",   long_operand_faults, kWhole,   kParts},
  {"fnstenv", long_operand_faults, kWhole,   kParts},
  {"fldenv",  long_operand_faults, kWhole,   kParts},
  {"fnsave",  long_operand_faults, kWhole,   kParts},
  {"frstor",  long_operand_faults, kWhole,   kParts},
  {"rcpps",   estimates, kCanonical, kTable},
  {"rcpss",   estimates, kCanonical, kTable},
  {"rsqrtps", estimates, kCanonical, kTable},
  {"rsqrtss", estimates, kCanonical, kTable},
  {"cvtpi2ps",   enters_mmx_before_fault, kBefore, kEntered},
  {"cvtps2pi",   enters_mmx_before_fault, kBefore, kEntered},
  {"cvttps2pi",  enters_mmx_before_fault, kBefore, kEntered},
  {"cvtpd2pi",   enters_mmx_before_fault, kBefore, kEntered},
  {"cvttpd2pi",  enters_mmx_before_fault, kBefore, kEntered},
  {"maskmovq",   masked_store_faults,     kStored, kOperandFaults},
  {"maskmovdqu", masked_store_faults,     kStored, kOperandFaults},
  {"vmaskmovdqu", masked_store_faults,    kStored, kOperandFaults},
  {"vrcpps",   estimates, kCanonical, kTable},
  {"vrcpss",   estimates, kCanonical, kTable},
  {"vrsqrtps", estimates, kCanonical, kTable},
  {"vrsqrtss", estimates, kCanonical, kTable},
  {"vpgatherdd", mask_kept, kExtended, kUnextended},
  {"vpgatherdq", mask_kept, kExtended, kUnextended},
  {"vpgatherqd", mask_kept, kExtended, kUnextended},
  {"vpgatherqq", mask_kept, kExtended, kUnextended},
  {"vgatherdps", mask_kept, kExtended, kUnextended},
  {"vgatherdpd", mask_kept, kExtended, kUnextended},
  {"vgatherqps", mask_kept, kExtended, kUnextended},
  {"vgatherqpd", mask_kept, kExtended, kUnextended},
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
