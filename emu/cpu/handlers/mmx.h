// What the MMX files share: readiness, the registers behind the x87 stack, and operands.
#pragma once

#include "emu/cpu/handlers/vector.h"
#include "emu/cpu/handlers/x87.h"

namespace vitrine::emu {

std::span<const Row> mmx_integer_rows();
std::span<const Row> mmx_move_rows();

/// SDM "Exception Conditions of Legacy SIMD Instructions That Access MMX Registers": #UD by CR0.EM,
/// #NM by CR0.TS, then a pending x87 exception. None when ready.
inline bool mmx_blocked(Cpu& cpu, Flow& flow) {
  if ((cpu.state.cr0 & arch::cr0::em) != 0) {
    flow = cpu.raise(kUndefinedOpcode);
    return true;
  }
  if ((cpu.state.cr0 & arch::cr0::ts) != 0) {
    flow = cpu.raise(arch::Vector::device_not_available);
    return true;
  }
  return x87_pending(cpu, flow);
}
/// The same for instructions with operands of both kinds.
inline bool mmx_xmm_blocked(Cpu& cpu, Flow& flow) {
  return sse_blocked(cpu, flow) || x87_pending(cpu, flow);
}

/// SDM "Effect of MMX Instructions on the x87 FPU Tag Word": TOP is 0 and every register valid.
inline void mmx_enter(X87State& x) {
  x.fsw = static_cast<uint16_t>(x.fsw & ~fsw::top);
  x.valid = 0xFF;
}
inline uint64_t read_mm(const Cpu& cpu, uint8_t number) {
  return cpu.state.x87.significand[number];
}
/// Sign and exponent become all ones.
inline void write_mm(Cpu& cpu, uint8_t number, uint64_t value) {
  X87State& x = cpu.state.x87;
  x.significand[number] = value;
  x.sign_exponent[number] = 0xFFFF;
}

/// Operand `index`: an MMX register, or T in memory.
template <class T = uint64_t>
Result<uint64_t, Fault> mm_source(Cpu& cpu, const Insn& insn, size_t index = 1) {
  if (insn.op[index] != kMemory) return read_mm(cpu, insn.op[index]);
  const auto loaded = cpu.load<T>(insn);
  if (!loaded) return Err{loaded.error()};
  return uint64_t{*loaded};
}

inline bool is_mmx(const Operand& operand) { return operand.kind == OperandKind::mmx; }
/// Some operand is an MMX register and none an XMM register.
inline bool mmx_form(const Decoded& d) {
  bool found = false;
  for (uint8_t i = 0; i < d.operand_count; ++i) {
    if (is_xmm(d.operands[i])) return false;
    found = found || is_mmx(d.operands[i]);
  }
  return found;
}
template <Handler handler>
Handler select_mmx(const Decoded& d) {
  return mmx_form(d) ? handler : nullptr;
}
constexpr Row mmx_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                      Feature feature = Feature::mmx) {
  return {mnemonic, feature, InsnClass::plain, CostClass::mmx, {}, select};
}

}  // namespace vitrine::emu
