// The x87 control instructions: FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, FWAIT, EMMS.
#include <vector>

#include "emu/cpu/handlers/x87.h"

namespace vitrine::emu {

namespace {

constexpr uint16_t kX87Busy = 0x8000;
constexpr uint16_t kX87ErrorSummary = 0x0080;

}  // namespace

/// #NM by CR0.EM or CR0.TS (SDM "x87 FPU Exception Handling"; no wait for pending exceptions).
bool x87_blocked(Cpu& cpu, Flow& flow) {
  if ((cpu.state.cr0 & (arch::cr0::em | arch::cr0::ts)) == 0) return false;
  flow = cpu.raise(arch::Vector::device_not_available);
  return true;
}

/// #MF when an unmasked exception is pending and CR0.NE is set.
bool x87_pending(Cpu& cpu, Flow& flow) {
  if ((cpu.state.x87.fsw & kX87ErrorSummary) == 0) return false;
  if ((cpu.state.cr0 & arch::cr0::ne) == 0) {
    cpu.ports().set_ferr(cpu.index(), true, cpu.now());
    return false;
  }
  flow = cpu.raise(arch::Vector::x87_floating_point);
  return true;
}

void x87_update_summary(X87State& x) {
  const bool unmasked = (x.fsw & ~x.fcw & 0x3F) != 0;
  x.fsw = static_cast<uint16_t>(unmasked ? x.fsw | kX87ErrorSummary | kX87Busy
                                         : x.fsw & ~(kX87ErrorSummary | kX87Busy));
}

namespace {

constexpr uint16_t kExceptions = 0x00FF;  ///< FSW bits 7:0: IE … PE, SF, ES

// FNINIT
Flow fninit(Cpu& cpu, const Insn&) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  const auto significand = x.significand;
  const auto sign_exponent = x.sign_exponent;
  x = X87State{};
  x.significand = significand;
  x.sign_exponent = sign_exponent;
  x.fcw = 0x037F;
  return Flow::next;
}

// FNCLEX
Flow fnclex(Cpu& cpu, const Insn&) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  cpu.state.x87.fsw &= static_cast<uint16_t>(~(kExceptions | kX87Busy));
  return Flow::next;
}

// FLDCW m16
Flow fldcw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto word = cpu.load<uint16_t>(insn);
  if (!word) return cpu.raise(word.error());
  cpu.state.x87.fcw = static_cast<uint16_t>((*word & 0x1F7F) | 0x0040);
  x87_update_summary(cpu.state.x87);
  return Flow::next;
}

// FNSTCW m16
Flow fnstcw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  const auto stored = cpu.store<uint16_t>(insn, cpu.state.x87.fcw);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// FNSTSW m16, FNSTSW AX
Flow fnstsw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  if (insn.op[0] != kMemory) {
    cpu.set_reg<uint16_t>(at::rax, cpu.state.x87.fsw);
    return Flow::next;
  }
  const auto stored = cpu.store<uint16_t>(insn, cpu.state.x87.fsw);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// FWAIT
Flow fwait(Cpu& cpu, const Insn&) {
  constexpr uint64_t kBoth = arch::cr0::mp | arch::cr0::ts;
  if ((cpu.state.cr0 & kBoth) == kBoth) return cpu.raise(arch::Vector::device_not_available);
  Flow flow;
  return x87_pending(cpu, flow) ? flow : Flow::next;
}

template <Handler handler>
Handler select(const Decoded&) {
  return handler;
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    {"fninit", Feature::x87, InsnClass::plain, CostClass::x87_state,  {}, select<fninit>},
    {"fnclex", Feature::x87, InsnClass::plain, CostClass::x87_state,  {}, select<fnclex>},
    {"fldcw",  Feature::x87, InsnClass::plain, CostClass::x87_simple, {}, select<fldcw>},
    {"fnstcw", Feature::x87, InsnClass::plain, CostClass::x87_simple, {}, select<fnstcw>},
    {"fnstsw", Feature::x87, InsnClass::plain, CostClass::x87_simple, {}, select<fnstsw>},
    {"fwait",  Feature::x87, InsnClass::plain, CostClass::x87_simple, {}, select<fwait>},
});
// clang-format on

}  // namespace

std::span<const Row> x87_control_rows() { return kRows; }

std::span<const Row> x87_rows() {
  static const std::vector<Row> kAll = [] {
    std::vector<Row> all(kRows.begin(), kRows.end());
    const auto moves = x87_move_rows();
    all.insert(all.end(), moves.begin(), moves.end());
    return all;
  }();
  return kAll;
}

}  // namespace vitrine::emu
