// What the SSE files share: XMM values as lanes, operands with their alignment rule, and readiness.
#pragma once

#include <array>
#include <bit>
#include <span>
#include <vector>

#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

std::span<const Row> vector_move_rows();
std::span<const Row> vector_integer_rows();
std::span<const Row> vector_float_rows();
std::span<const Row> vector_sse3_rows();
std::span<const Row> vector_sse41_rows();
std::span<const Row> vector_round_rows();
std::span<const Row> vector_string_rows();
std::span<const Row> vector_crypto_rows();

template <class T>
using Lanes = std::array<T, 16 / sizeof(T)>;
using Xmm = Lanes<uint64_t>;

/// The same 16 bytes as lanes of T.
template <class T>
Lanes<T> as(const Xmm& value) {
  return std::bit_cast<Lanes<T>>(value);
}
template <class T>
Xmm from(const Lanes<T>& lanes) {
  return std::bit_cast<Xmm>(lanes);
}

inline Xmm read_xmm(const Cpu& cpu, uint8_t number) {
  const auto& ymm = cpu.state.vector.ymm[number];
  return {ymm[0], ymm[1]};
}
/// Legacy SSE keeps the upper half of the YMM register.
inline void write_xmm(Cpu& cpu, uint8_t number, const Xmm& value) {
  auto& ymm = cpu.state.vector.ymm[number];
  ymm[0] = value[0];
  ymm[1] = value[1];
}

/// SDM "Exceptions Type 1-5": #UD by CR0.EM and CR4.OSFXSR, then #NM by CR0.TS. None when ready.
inline bool sse_blocked(Cpu& cpu, Flow& flow) {
  const bool undefined =
      (cpu.state.cr0 & arch::cr0::em) != 0 || (cpu.state.cr4 & arch::cr4::osfxsr) == 0;
  if (undefined) {
    flow = cpu.raise(kUndefinedOpcode);
    return true;
  }
  if ((cpu.state.cr0 & arch::cr0::ts) != 0) {
    flow = cpu.raise(arch::Vector::device_not_available);
    return true;
  }
  return false;
}

enum class Alignment : uint8_t { required, free };

/// The 16-byte memory operand; misaligned where alignment is required is #GP(0).
template <Alignment alignment>
Result<Xmm, Fault> load_xmm(Cpu& cpu, const Insn& insn) {
  if constexpr (alignment == Alignment::required) {
    const uint64_t linear = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
    if ((linear & 15) != 0) return Err{kGeneralProtection0};
  }
  return cpu.load<Xmm>(insn);
}

/// Operand `index` as a whole register: an XMM register or aligned memory.
inline Result<Xmm, Fault> xmm_source(Cpu& cpu, const Insn& insn, size_t index = 1) {
  if (insn.op[index] == kMemory) return load_xmm<Alignment::required>(cpu, insn);
  return read_xmm(cpu, insn.op[index]);
}

inline bool is_xmm(const Operand& operand) { return operand.kind == OperandKind::xmm; }
/// Every operand is an XMM register, memory, a general-purpose register or an immediate.
inline bool sse_form(const Decoded& d) {
  if (d.vex) return false;
  for (uint8_t i = 0; i < d.operand_count; ++i) {
    if (d.operands[i].kind == OperandKind::mmx || d.operands[i].kind == OperandKind::ymm) {
      return false;
    }
  }
  return true;
}

template <Handler handler>
Handler select_sse(const Decoded& d) {
  return sse_form(d) ? handler : nullptr;
}

/// SDM "MASKMOVQ", "MASKMOVDQU": bytes whose mask has its sign bit set go to DS:rDI.
Result<void, Fault> store_masked(Cpu& cpu, const Insn& insn, std::span<const uint8_t> value,
                                 std::span<const uint8_t> mask);

constexpr Row sse_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                      CostClass cost = CostClass::sse_alu, Feature feature = Feature::sse2) {
  return {mnemonic, feature, InsnClass::plain, cost, {}, select};
}

}  // namespace vitrine::emu
