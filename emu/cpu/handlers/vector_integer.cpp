// SSE2 integer arithmetic, comparison, logic, shifts, packs and shuffles on XMM registers.
#include <algorithm>

#include "emu/cpu/handlers/vector_shuffle.h"

namespace vitrine::emu {

namespace {

// --- Shifts ---

// PSLLx, PSRLx, PSRAx xmm, xmm/m128 or imm8
template <class T, Shift shift, bool immediate>
Flow shift_by(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  uint64_t count = insn.imm & 0xFF;
  if constexpr (!immediate) {
    const auto source = xmm_source(cpu, insn);
    if (!source) return cpu.raise(source.error());
    count = (*source)[0];
  }
  write_xmm(cpu, insn.op[0], shift_lanes<T, shift>(read_xmm(cpu, insn.op[0]), count));
  return Flow::next;
}
template <class T, Shift shift>
Handler select_shift(const Decoded& d) {
  if (!sse_form(d)) return nullptr;
  const bool immediate = d.operands[1].kind == OperandKind::immediate;
  return immediate ? shift_by<T, shift, true> : shift_by<T, shift, false>;
}

// PSLLDQ, PSRLDQ
template <bool left>
Flow shift_register(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const uint64_t count = insn.imm & 0xFF;
  write_xmm(cpu, insn.op[0], shift_bytes<left>(read_xmm(cpu, insn.op[0]), count));
  return Flow::next;
}

// --- Words in and out ---

// PEXTRW r32, xmm, imm8
Flow extract_word(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  cpu.set_reg<uint32_t>(insn.op[0], as<uint16_t>(read_xmm(cpu, insn.op[1]))[insn.imm & 7]);
  return Flow::next;
}
// 66 0F 3A 15 is the form of SSE4.1.
Handler select_extract(const Decoded& d) {
  return sse_form(d) && d.opcode_map == 1 && is_gpr(d.operands[0]) ? extract_word : nullptr;
}

// PINSRW xmm, r32/m16, imm8
Flow insert_word(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  uint16_t word = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<uint16_t>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    word = *loaded;
  } else {
    word = cpu.reg<uint16_t>(insn.op[1]);
  }
  auto lanes = as<uint16_t>(read_xmm(cpu, insn.op[0]));
  lanes[insn.imm & 7] = word;
  write_xmm(cpu, insn.op[0], from<uint16_t>(lanes));
  return Flow::next;
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    logic<and_lane>("pand"), logic<and_lane>("andps", Feature::sse), logic<and_lane>("andpd"),
    logic<and_not_lane>("pandn"), logic<and_not_lane>("andnps", Feature::sse), logic<and_not_lane>("andnpd"),
    logic<or_lane>("por"), logic<or_lane>("orps", Feature::sse), logic<or_lane>("orpd"),
    logic<xor_lane>("pxor"), logic<xor_lane>("xorps", Feature::sse), logic<xor_lane>("xorpd"),
    lane_op<uint8_t, add_lane>("paddb"), lane_op<uint16_t, add_lane>("paddw"),
    lane_op<uint32_t, add_lane>("paddd"), lane_op<uint64_t, add_lane>("paddq"),
    lane_op<uint8_t, sub_lane>("psubb"), lane_op<uint16_t, sub_lane>("psubw"),
    lane_op<uint32_t, sub_lane>("psubd"), lane_op<uint64_t, sub_lane>("psubq"),
    lane_op<uint8_t, saturate_lane<uint8_t, int8_t, false>>("paddsb"),
    lane_op<uint16_t, saturate_lane<uint16_t, int16_t, false>>("paddsw"),
    lane_op<uint8_t, saturate_lane<uint8_t, uint8_t, false>>("paddusb"),
    lane_op<uint16_t, saturate_lane<uint16_t, uint16_t, false>>("paddusw"),
    lane_op<uint8_t, saturate_lane<uint8_t, int8_t, true>>("psubsb"),
    lane_op<uint16_t, saturate_lane<uint16_t, int16_t, true>>("psubsw"),
    lane_op<uint8_t, saturate_lane<uint8_t, uint8_t, true>>("psubusb"),
    lane_op<uint16_t, saturate_lane<uint16_t, uint16_t, true>>("psubusw"),
    lane_op<uint8_t, equal_lane>("pcmpeqb"), lane_op<uint16_t, equal_lane>("pcmpeqw"),
    lane_op<uint32_t, equal_lane>("pcmpeqd"), lane_op<uint8_t, greater_lane>("pcmpgtb"),
    lane_op<uint16_t, greater_lane>("pcmpgtw"), lane_op<uint32_t, greater_lane>("pcmpgtd"),
    lane_op<uint8_t, min_lane>("pminub"), lane_op<uint8_t, max_lane>("pmaxub"),
    lane_op<uint16_t, min_signed_lane>("pminsw"), lane_op<uint16_t, max_signed_lane>("pmaxsw"),
    lane_op<uint8_t, average_lane>("pavgb"), lane_op<uint16_t, average_lane>("pavgw"),
    lane_op<uint16_t, mul_low_lane>("pmullw", CostClass::sse_mul),
    lane_op<uint16_t, mul_high_lane>("pmulhw", CostClass::sse_mul),
    lane_op<uint16_t, mul_high_unsigned_lane>("pmulhuw", CostClass::sse_mul),
    lane_op<uint64_t, mul_even_lane>("pmuludq", CostClass::sse_mul),
    op<multiply_add>("pmaddwd", CostClass::sse_mul), op<sum_differences>("psadbw", CostClass::sse_mul),
    op<interleave<uint8_t, false>>("punpcklbw", CostClass::sse_shuffle),
    op<interleave<uint16_t, false>>("punpcklwd", CostClass::sse_shuffle),
    op<interleave<uint32_t, false>>("punpckldq", CostClass::sse_shuffle),
    op<interleave<uint64_t, false>>("punpcklqdq", CostClass::sse_shuffle),
    op<interleave<uint8_t, true>>("punpckhbw", CostClass::sse_shuffle),
    op<interleave<uint16_t, true>>("punpckhwd", CostClass::sse_shuffle),
    op<interleave<uint32_t, true>>("punpckhdq", CostClass::sse_shuffle),
    op<interleave<uint64_t, true>>("punpckhqdq", CostClass::sse_shuffle),
    op<interleave<uint32_t, false>>("unpcklps", CostClass::sse_shuffle, Feature::sse),
    op<interleave<uint32_t, true>>("unpckhps", CostClass::sse_shuffle, Feature::sse),
    op<interleave<uint64_t, false>>("unpcklpd", CostClass::sse_shuffle),
    op<interleave<uint64_t, true>>("unpckhpd", CostClass::sse_shuffle),
    op<pack<uint16_t, int8_t>>("packsswb", CostClass::sse_shuffle),
    op<pack<uint32_t, int16_t>>("packssdw", CostClass::sse_shuffle),
    op<pack<uint16_t, uint8_t>>("packuswb", CostClass::sse_shuffle),
    shuffle<shuffle_dwords>("pshufd"), shuffle<shuffle_words<0>>("pshuflw"),
    shuffle<shuffle_words<4>>("pshufhw"), shuffle<shuffle_singles>("shufps", Feature::sse),
    shuffle<shuffle_doubles>("shufpd"),
    sse_row("psllw", select_shift<uint16_t, Shift::left>), sse_row("pslld", select_shift<uint32_t, Shift::left>),
    sse_row("psllq", select_shift<uint64_t, Shift::left>), sse_row("psrlw", select_shift<uint16_t, Shift::right>),
    sse_row("psrld", select_shift<uint32_t, Shift::right>), sse_row("psrlq", select_shift<uint64_t, Shift::right>),
    sse_row("psraw", select_shift<uint16_t, Shift::arithmetic>),
    sse_row("psrad", select_shift<uint32_t, Shift::arithmetic>),
    sse_row("pslldq", select_sse<shift_register<true>>, CostClass::sse_shuffle),
    sse_row("psrldq", select_sse<shift_register<false>>, CostClass::sse_shuffle),
    sse_row("pextrw", select_extract, CostClass::sse_shuffle),
    sse_row("pinsrw", select_sse<insert_word>, CostClass::sse_shuffle),
});
// clang-format on

}  // namespace

std::span<const Row> vector_integer_rows() { return kRows; }

}  // namespace vitrine::emu
