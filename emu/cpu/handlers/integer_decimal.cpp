// What 64-bit mode dropped: AAA, AAS, AAD, AAM, DAA, DAS, BOUND, SALC.
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

uint8_t al(const Cpu& cpu) { return cpu.reg<uint8_t>(at::al); }

// AAA, AAS: OF, SF, ZF and PF, undefined, become 0
template <bool subtract>
Flow ascii_adjust(Cpu& cpu, const Insn&) {
  Flags& flags = cpu.state.flags;
  const bool adjust = (al(cpu) & 0xF) > 9 || flags.af();
  auto ax = cpu.reg<uint16_t>(at::rax);
  if (adjust) ax = static_cast<uint16_t>(subtract ? ax - 0x106 : ax + 0x106);
  cpu.set_reg<uint16_t>(at::rax, ax & 0xFF0F);
  flags.set_arithmetic(adjust ? arch::rflags::af | arch::rflags::cf : 0);
  return Flow::next;
}

// DAA, DAS: OF, undefined, becomes 0
template <bool subtract>
Flow decimal_adjust(Cpu& cpu, const Insn&) {
  Flags& flags = cpu.state.flags;
  const unsigned before = al(cpu);
  const bool low = (before & 0xF) > 9 || flags.af();
  const bool high = before > 0x99 || flags.cf();
  const unsigned by = (low ? 6u : 0u) + (high ? 0x60u : 0u);
  // DAS takes a borrow of its first step into CF as well.
  const bool borrow = subtract && low && before < 6;
  const auto result = static_cast<uint8_t>(subtract ? before - by : before + by);
  cpu.set_reg<uint8_t>(at::al, result);
  flags.set<uint8_t>(result, high || borrow, false, low);
  return Flow::next;
}

// AAM imm8: CF, OF and AF, undefined, become 0
Flow aam(Cpu& cpu, const Insn& insn) {
  const auto base = static_cast<uint8_t>(insn.imm);
  if (base == 0) return cpu.raise(arch::Vector::divide_error);
  const auto low = static_cast<uint8_t>(al(cpu) % base);
  cpu.set_reg<uint8_t>(at::ah, static_cast<uint8_t>(al(cpu) / base));
  cpu.set_reg<uint8_t>(at::al, low);
  cpu.state.flags.set<uint8_t>(low, false, false, false);
  return Flow::next;
}

// AAD imm8: CF, OF and AF, undefined, become 0
Flow aad(Cpu& cpu, const Insn& insn) {
  const unsigned sum = al(cpu) + cpu.reg<uint8_t>(at::ah) * static_cast<uint8_t>(insn.imm);
  const auto result = static_cast<uint8_t>(sum);
  cpu.set_reg<uint16_t>(at::rax, result);
  cpu.state.flags.set<uint8_t>(result, false, false, false);
  return Flow::next;
}

// SALC
Flow salc(Cpu& cpu, const Insn&) {
  cpu.set_reg<uint8_t>(at::al, cpu.state.flags.cf() ? 0xFF : 0);
  return Flow::next;
}

// BOUND r, m: lower and upper bound, signed
template <class T>
Flow bound(Cpu& cpu, const Insn& insn) {
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const uint64_t offset = cpu.effective_address(insn);
  const auto lower = cpu.load_at<T>(insn.segment, offset, checked);
  if (!lower) return cpu.raise(lower.error());
  const uint64_t second = (offset + sizeof(T)) & address_mask(insn);
  const auto upper = cpu.load_at<T>(insn.segment, second, checked);
  if (!upper) return cpu.raise(upper.error());
  const auto index = as_signed(cpu.reg<T>(insn.op[0]));
  if (index < as_signed(*lower) || index > as_signed(*upper)) {
    return cpu.raise(arch::Vector::bound_range);
  }
  return Flow::next;
}

Handler select_bound(const Decoded& d) {
  if (!is_gpr(d.operands[0])) return nullptr;
  return d.operand_size == 2 ? bound<uint16_t> : bound<uint32_t>;
}

template <Handler handler>
Handler select(const Decoded&) {
  return handler;
}

constexpr uint16_t kByResult = flag::sf | flag::zf | flag::pf;
constexpr FlagUse kAscii{flag::af, flag::all, kByResult | flag::of};
constexpr FlagUse kDecimal{flag::af | flag::cf, flag::all, flag::of};
constexpr FlagUse kDigits{0, flag::all, flag::of | flag::af | flag::cf};

// clang-format off
constexpr std::array<Row, 8> kRows = {{
  {"aaa",   Feature::base, InsnClass::plain, CostClass::mul,     kAscii,          select<ascii_adjust<false>>},
  {"aas",   Feature::base, InsnClass::plain, CostClass::mul,     kAscii,          select<ascii_adjust<true>>},
  {"daa",   Feature::base, InsnClass::plain, CostClass::mul,     kDecimal,        select<decimal_adjust<false>>},
  {"das",   Feature::base, InsnClass::plain, CostClass::mul,     kDecimal,        select<decimal_adjust<true>>},
  {"aam",   Feature::base, InsnClass::plain, CostClass::div8,    kDigits,         select<aam>},
  {"aad",   Feature::base, InsnClass::plain, CostClass::mul,     kDigits,         select<aad>},
  {"salc",  Feature::base, InsnClass::plain, CostClass::alu,     {flag::cf, 0, 0}, select<salc>},
  {"bound", Feature::base, InsnClass::plain, CostClass::load_op, {},              select_bound},
}};
// clang-format on

}  // namespace

std::span<const Row> decimal_rows() { return kRows; }

}  // namespace vitrine::emu
