// What the AVX files share: vectors of one or two 128-bit lanes, readiness, sources, frames, rows.
#pragma once

#include "emu/cpu/handlers/vector.h"

namespace vitrine::emu {

std::span<const Row> avx_move_rows();
std::span<const Row> avx_element_rows();
std::span<const Row> avx_permute_rows();
std::span<const Row> avx_integer_rows();
std::span<const Row> avx_float_rows();
std::span<const Row> avx_convert_rows();
std::span<const Row> avx_masked_rows();
std::span<const Row> avx_gather_rows();
std::span<const Row> avx_fma_rows();
std::span<const Row> avx_crypto_rows();
std::span<const Row> avx_string_rows();

/// VEX.L: one lane is an XMM register, two are a YMM register.
template <size_t lanes>
using Vector = std::array<Xmm, lanes>;

/// The same bytes as elements of T.
template <class T, size_t lanes>
using Elements = std::array<T, lanes * 16 / sizeof(T)>;
template <class T, size_t lanes>
Elements<T, lanes> elements_of(const Vector<lanes>& value) {
  return std::bit_cast<Elements<T, lanes>>(value);
}
template <size_t lanes, class Array>
Vector<lanes> vector_of(const Array& elements) {
  return std::bit_cast<Vector<lanes>>(elements);
}

template <size_t lanes>
Vector<lanes> read_vector(const Cpu& cpu, uint8_t number) {
  const auto& ymm = cpu.state.vector.ymm[number];
  Vector<lanes> value{};
  for (size_t i = 0; i < lanes; ++i) value[i] = {ymm[2 * i], ymm[2 * i + 1]};
  return value;
}
/// A VEX instruction clears what is above its destination.
template <size_t lanes>
void write_vector(Cpu& cpu, uint8_t number, const Vector<lanes>& value) {
  auto& ymm = cpu.state.vector.ymm[number];
  ymm = {};
  for (size_t i = 0; i < lanes; ++i) {
    ymm[2 * i] = value[i][0];
    ymm[2 * i + 1] = value[i][1];
  }
}
inline void write_low(Cpu& cpu, uint8_t number, const Xmm& value) {
  write_vector<1>(cpu, number, {value});
}

/// SDM "VEX Instruction Encoding and Exceptions": #UD in real-address and virtual-8086 mode, without
/// CR4.OSXSAVE, and unless XCR0 enables SSE and AVX; then #NM by CR0.TS. CR0.EM does not count.
inline bool avx_blocked(Cpu& cpu, Flow& flow) {
  const CpuState& s = cpu.state;
  constexpr uint64_t kEnabled = 6;  // XCR0: SSE and AVX
  const bool usable = s.protected_mode() && !s.v8086() && (s.cr4 & arch::cr4::osxsave) != 0 &&
                      (s.xcr0 & kEnabled) == kEnabled;
  if (!usable) {
    flow = cpu.raise(kUndefinedOpcode);
    return true;
  }
  if ((s.cr0 & arch::cr0::ts) != 0) {
    flow = cpu.raise(arch::Vector::device_not_available);
    return true;
  }
  return false;
}

/// Operand `index`: a register, or memory of any alignment.
template <size_t lanes>
Result<Vector<lanes>, Fault> vector_source(Cpu& cpu, const Insn& insn, size_t index) {
  if (insn.op[index] == kMemory) return cpu.load<Vector<lanes>>(insn);
  return read_vector<lanes>(cpu, insn.op[index]);
}

/// The operand that may be in memory: the third one, or the second of two.
inline size_t last_source(const Insn& insn) { return insn.op[2] == kNoOperand ? 1 : 2; }

/// Checks that a store at this offset will not fault.
Result<void, Fault> probe_store(Cpu& cpu, const Insn& insn, uint64_t offset, size_t size);

// --- Frames: one operation for each lane ---

// Vxxx v, v, v/m and Vxxx v, v/m
template <size_t lanes, Xmm (*operation)(const Xmm&, const Xmm&)>
Flow each_lane(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const size_t last = last_source(insn);
  const auto second = vector_source<lanes>(cpu, insn, last);
  if (!second) return cpu.raise(second.error());
  auto r = read_vector<lanes>(cpu, insn.op[last - 1]);
  for (size_t i = 0; i < lanes; ++i) r[i] = operation(r[i], (*second)[i]);
  write_vector<lanes>(cpu, insn.op[0], r);
  return Flow::next;
}

// The same with an imm8, of which the upper lane takes the bits from `step` on
template <size_t lanes, Xmm (*operation)(const Xmm&, const Xmm&, uint8_t), unsigned step>
Flow each_lane_by(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const size_t last = last_source(insn);
  const auto second = vector_source<lanes>(cpu, insn, last);
  if (!second) return cpu.raise(second.error());
  auto r = read_vector<lanes>(cpu, insn.op[last - 1]);
  for (size_t i = 0; i < lanes; ++i) {
    const auto imm = static_cast<uint8_t>((insn.imm & 0xFF) >> (i * step));
    r[i] = operation(r[i], (*second)[i], imm);
  }
  write_vector<lanes>(cpu, insn.op[0], r);
  return Flow::next;
}

// --- Rows ---

/// A null handler stands for a width that does not exist.
template <Handler narrow, Handler wide>
Handler select_vex(const Decoded& d) {
  if (!d.vex) return nullptr;
  return d.vector_bits_log2 == 8 ? wide : narrow;
}
inline constexpr Handler kNoForm = nullptr;

constexpr Row avx_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                      CostClass cost = CostClass::sse_alu, Feature feature = Feature::avx) {
  return {mnemonic, feature, InsnClass::plain, cost, {}, select};
}

/// Integer instructions: the narrow form came with AVX, the wide one with AVX2.
using TwoRows = std::array<Row, 2>;
template <Handler narrow, Handler wide>
constexpr TwoRows both_widths(std::string_view mnemonic, CostClass cost = CostClass::sse_alu) {
  return {avx_row(mnemonic, select_vex<narrow, kNoForm>, cost),
          avx_row(mnemonic, select_vex<kNoForm, wide>, cost, Feature::avx2)};
}

template <size_t... sizes>
constexpr auto join(const std::array<Row, sizes>&... lists) {
  std::array<Row, (sizes + ...)> all{};
  size_t at = 0;
  const auto append = [&](const auto& list) {
    for (const Row& row : list) all[at++] = row;
  };
  (append(lists), ...);
  return all;
}

}  // namespace vitrine::emu
