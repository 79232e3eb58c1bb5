// AVX and AVX2 integers: lane arithmetic, comparison, packs, shuffles, shifts, and the float logic.
#include "emu/cpu/handlers/avx.h"
#include "emu/cpu/handlers/vector_horizontal.h"
#include "emu/cpu/handlers/vector_shuffle.h"

namespace vitrine::emu {

namespace {

// VPSLLx, VPSRLx, VPSRAx v, v, xmm/m128 or v, v, imm8: one count for all
template <size_t lanes, class T, Shift shift, bool immediate>
Flow shift_all(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  uint64_t count = insn.imm & 0xFF;
  if constexpr (!immediate) {
    const auto source = vector_source<1>(cpu, insn, 2);
    if (!source) return cpu.raise(source.error());
    count = (*source)[0][0];
  }
  auto r = read_vector<lanes>(cpu, insn.op[1]);
  for (Xmm& lane : r) lane = shift_lanes<T, shift>(lane, count);
  write_vector<lanes>(cpu, insn.op[0], r);
  return Flow::next;
}
template <size_t lanes, class T, Shift shift>
Handler select_shift(const Decoded& d) {
  if (!d.vex || d.vector_bits_log2 != (lanes == 2 ? 8 : 7)) return nullptr;
  const bool immediate = d.operands[2].kind == OperandKind::immediate;
  return immediate ? shift_all<lanes, T, shift, true> : shift_all<lanes, T, shift, false>;
}

// VPSLLVx, VPSRLVx, VPSRAVD v, v, v/m: a count for each
template <class T, Shift shift>
Xmm shift_each(const Xmm& a, const Xmm& b) {
  auto x = as<T>(a);
  const auto counts = as<T>(b);
  constexpr T kWidth = sizeof(T) * 8;
  for (size_t i = 0; i < x.size(); ++i) {
    const T count = counts[i];
    if constexpr (shift == Shift::arithmetic) {
      x[i] = static_cast<T>(as_signed(x[i]) >> std::min<T>(count, kWidth - 1));
    } else if (count >= kWidth) {
      x[i] = 0;
    } else {
      x[i] = shift == Shift::left ? static_cast<T>(x[i] << count) : static_cast<T>(x[i] >> count);
    }
  }
  return from<T>(x);
}

// VPSLLDQ, VPSRLDQ v, v, imm8
template <size_t lanes, bool left>
Flow shift_lane_bytes(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  auto r = read_vector<lanes>(cpu, insn.op[1]);
  for (Xmm& lane : r) lane = shift_bytes<left>(lane, insn.imm & 0xFF);
  write_vector<lanes>(cpu, insn.op[0], r);
  return Flow::next;
}

// --- Rows ---

constexpr auto kAlu = CostClass::sse_alu;
constexpr auto kMul = CostClass::sse_mul;
constexpr auto kShuffle = CostClass::sse_shuffle;

template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr TwoRows vop(std::string_view mnemonic, CostClass cost = kAlu) {
  return both_widths<each_lane<1, operation>, each_lane<2, operation>>(mnemonic, cost);
}
template <class T, T (*lane)(T, T)>
constexpr TwoRows vlane(std::string_view mnemonic, CostClass cost = kAlu) {
  return vop<each<T, lane>>(mnemonic, cost);
}
template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t), unsigned step = 0>
constexpr TwoRows vby(std::string_view mnemonic, CostClass cost = kShuffle) {
  return both_widths<each_lane_by<1, operation, step>, each_lane_by<2, operation, step>>(mnemonic,
                                                                                         cost);
}
template <class T, Shift shift>
constexpr TwoRows vshift(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_shift<1, T, shift>),
          avx_row(mnemonic, select_shift<2, T, shift>, kAlu, Feature::avx2)};
}
/// Both widths came with one feature.
template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr std::array<Row, 1> one(std::string_view mnemonic, CostClass cost = kAlu,
                                 Feature feature = Feature::avx) {
  return {avx_row(mnemonic, select_vex<each_lane<1, operation>, each_lane<2, operation>>, cost,
                  feature)};
}
template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t), unsigned step>
constexpr std::array<Row, 1> one_by(std::string_view mnemonic, Feature feature = Feature::avx) {
  return {avx_row(mnemonic,
                  select_vex<each_lane_by<1, operation, step>, each_lane_by<2, operation, step>>,
                  kShuffle, feature)};
}
template <uint64_t (*lane)(uint64_t, uint64_t)>
constexpr std::array<Row, 1> float_logic(std::string_view mnemonic) {
  return one<each<uint64_t, lane>>(mnemonic);
}

// clang-format off
constexpr auto kRows = join(
    vlane<uint64_t, and_lane>("vpand"), vlane<uint64_t, and_not_lane>("vpandn"),
    vlane<uint64_t, or_lane>("vpor"), vlane<uint64_t, xor_lane>("vpxor"),
    vlane<uint8_t, add_lane>("vpaddb"), vlane<uint16_t, add_lane>("vpaddw"),
    vlane<uint32_t, add_lane>("vpaddd"), vlane<uint64_t, add_lane>("vpaddq"),
    vlane<uint8_t, sub_lane>("vpsubb"), vlane<uint16_t, sub_lane>("vpsubw"),
    vlane<uint32_t, sub_lane>("vpsubd"), vlane<uint64_t, sub_lane>("vpsubq"),
    vlane<uint8_t, saturate_lane<uint8_t, int8_t, false>>("vpaddsb"),
    vlane<uint16_t, saturate_lane<uint16_t, int16_t, false>>("vpaddsw"),
    vlane<uint8_t, saturate_lane<uint8_t, uint8_t, false>>("vpaddusb"),
    vlane<uint16_t, saturate_lane<uint16_t, uint16_t, false>>("vpaddusw"),
    vlane<uint8_t, saturate_lane<uint8_t, int8_t, true>>("vpsubsb"),
    vlane<uint16_t, saturate_lane<uint16_t, int16_t, true>>("vpsubsw"),
    vlane<uint8_t, saturate_lane<uint8_t, uint8_t, true>>("vpsubusb"),
    vlane<uint16_t, saturate_lane<uint16_t, uint16_t, true>>("vpsubusw"),
    vlane<uint8_t, equal_lane>("vpcmpeqb"), vlane<uint16_t, equal_lane>("vpcmpeqw"),
    vlane<uint32_t, equal_lane>("vpcmpeqd"), vlane<uint64_t, equal_lane>("vpcmpeqq"),
    vlane<uint8_t, greater_lane>("vpcmpgtb"), vlane<uint16_t, greater_lane>("vpcmpgtw"),
    vlane<uint32_t, greater_lane>("vpcmpgtd"), vlane<uint64_t, greater_lane>("vpcmpgtq"),
    vlane<uint8_t, min_lane>("vpminub"), vlane<uint16_t, min_lane>("vpminuw"), vlane<uint32_t, min_lane>("vpminud"),
    vlane<uint8_t, min_signed_lane>("vpminsb"), vlane<uint16_t, min_signed_lane>("vpminsw"), vlane<uint32_t, min_signed_lane>("vpminsd"),
    vlane<uint8_t, max_lane>("vpmaxub"), vlane<uint16_t, max_lane>("vpmaxuw"), vlane<uint32_t, max_lane>("vpmaxud"),
    vlane<uint8_t, max_signed_lane>("vpmaxsb"), vlane<uint16_t, max_signed_lane>("vpmaxsw"), vlane<uint32_t, max_signed_lane>("vpmaxsd"),
    vlane<uint8_t, average_lane>("vpavgb"), vlane<uint16_t, average_lane>("vpavgw"),
    vlane<uint16_t, mul_low_lane>("vpmullw", kMul), vlane<uint16_t, mul_high_lane>("vpmulhw", kMul),
    vlane<uint16_t, mul_high_unsigned_lane>("vpmulhuw", kMul), vlane<uint16_t, mul_round_lane>("vpmulhrsw", kMul),
    vlane<uint32_t, mul_low_dword>("vpmulld", kMul), vlane<uint64_t, mul_even_lane>("vpmuludq", kMul),
    vlane<uint64_t, mul_even_signed_lane>("vpmuldq", kMul), vop<multiply_add>("vpmaddwd", kMul),
    vop<multiply_add_bytes>("vpmaddubsw", kMul), vop<sum_differences>("vpsadbw", kMul),
    vop<interleave<uint8_t, false>>("vpunpcklbw", kShuffle), vop<interleave<uint16_t, false>>("vpunpcklwd", kShuffle),
    vop<interleave<uint32_t, false>>("vpunpckldq", kShuffle), vop<interleave<uint64_t, false>>("vpunpcklqdq", kShuffle),
    vop<interleave<uint8_t, true>>("vpunpckhbw", kShuffle), vop<interleave<uint16_t, true>>("vpunpckhwd", kShuffle),
    vop<interleave<uint32_t, true>>("vpunpckhdq", kShuffle), vop<interleave<uint64_t, true>>("vpunpckhqdq", kShuffle),
    vop<pack<uint16_t, int8_t>>("vpacksswb", kShuffle), vop<pack<uint32_t, int16_t>>("vpackssdw", kShuffle),
    vop<pack<uint16_t, uint8_t>>("vpackuswb", kShuffle), vop<pack<uint32_t, uint16_t>>("vpackusdw", kShuffle),
    vop<shuffle_by>("vpshufb", kShuffle), vby<shuffle_dwords>("vpshufd"), vby<shuffle_words<0>>("vpshuflw"),
    vby<shuffle_words<4>>("vpshufhw"), vby<align_right>("vpalignr"), vby<blend<uint16_t>>("vpblendw"),
    vby<multiple_differences, 3>("vmpsadbw", kMul),
    vop<horizontal<uint16_t, add_lane>>("vphaddw"), vop<horizontal<uint32_t, add_lane>>("vphaddd"),
    vop<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, false>>>("vphaddsw"),
    vop<horizontal<uint16_t, sub_lane>>("vphsubw"), vop<horizontal<uint32_t, sub_lane>>("vphsubd"),
    vop<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, true>>>("vphsubsw"),
    vlane<uint8_t, sign_lane>("vpsignb"), vlane<uint16_t, sign_lane>("vpsignw"), vlane<uint32_t, sign_lane>("vpsignd"),
    vlane<uint8_t, absolute_lane>("vpabsb"), vlane<uint16_t, absolute_lane>("vpabsw"), vlane<uint32_t, absolute_lane>("vpabsd"),
    vshift<uint16_t, Shift::left>("vpsllw"), vshift<uint32_t, Shift::left>("vpslld"), vshift<uint64_t, Shift::left>("vpsllq"),
    vshift<uint16_t, Shift::right>("vpsrlw"), vshift<uint32_t, Shift::right>("vpsrld"), vshift<uint64_t, Shift::right>("vpsrlq"),
    vshift<uint16_t, Shift::arithmetic>("vpsraw"), vshift<uint32_t, Shift::arithmetic>("vpsrad"),
    both_widths<shift_lane_bytes<1, true>, shift_lane_bytes<2, true>>("vpslldq", kShuffle),
    both_widths<shift_lane_bytes<1, false>, shift_lane_bytes<2, false>>("vpsrldq", kShuffle),
    one<shift_each<uint32_t, Shift::left>>("vpsllvd", kAlu, Feature::avx2), one<shift_each<uint64_t, Shift::left>>("vpsllvq", kAlu, Feature::avx2),
    one<shift_each<uint32_t, Shift::right>>("vpsrlvd", kAlu, Feature::avx2), one<shift_each<uint64_t, Shift::right>>("vpsrlvq", kAlu, Feature::avx2),
    one<shift_each<uint32_t, Shift::arithmetic>>("vpsravd", kAlu, Feature::avx2),
    one_by<blend<uint32_t>, 4>("vpblendd", Feature::avx2),
    std::array<Row, 1>{avx_row("vphminposuw", select_vex<each_lane<1, horizontal_minimum>, kNoForm>, kMul)},
    float_logic<and_lane>("vandps"), float_logic<and_lane>("vandpd"), float_logic<and_not_lane>("vandnps"),
    float_logic<and_not_lane>("vandnpd"), float_logic<or_lane>("vorps"), float_logic<or_lane>("vorpd"),
    float_logic<xor_lane>("vxorps"), float_logic<xor_lane>("vxorpd"),
    one<interleave<uint32_t, false>>("vunpcklps", kShuffle), one<interleave<uint32_t, true>>("vunpckhps", kShuffle),
    one<interleave<uint64_t, false>>("vunpcklpd", kShuffle), one<interleave<uint64_t, true>>("vunpckhpd", kShuffle),
    one_by<shuffle_singles, 0>("vshufps"), one_by<shuffle_doubles, 2>("vshufpd"),
    one_by<blend<uint32_t>, 4>("vblendps"), one_by<blend<uint64_t>, 2>("vblendpd"),
    one<duplicate_singles<0>>("vmovsldup", kShuffle), one<duplicate_singles<1>>("vmovshdup", kShuffle));
// clang-format on

}  // namespace

std::span<const Row> avx_integer_rows() { return kRows; }

}  // namespace vitrine::emu
