// AVX and AVX2 permutations and variable blends.
#include "emu/cpu/handlers/avx.h"
#include "emu/cpu/handlers/vector_shuffle.h"

namespace vitrine::emu {

namespace {

// --- Within lanes ---

// VPERMILPS, VPERMILPD v, v/m, imm8
Xmm permute_singles(const Xmm& a, const Xmm& b, uint8_t imm) { return shuffle_dwords(a, b, imm); }
Xmm permute_doubles(const Xmm&, const Xmm& b, uint8_t imm) { return {b[imm & 1], b[imm >> 1 & 1]}; }
// VPERMILPS, VPERMILPD v, v, v/m: bits 1:0 or bit 1 of each element choose
Xmm choose_singles(const Xmm& a, const Xmm& b) {
  const auto x = as<uint32_t>(a);
  auto control = as<uint32_t>(b);
  for (auto& element : control) element = x[element & 3];
  return from<uint32_t>(control);
}
Xmm choose_doubles(const Xmm& a, const Xmm& b) { return {a[b[0] >> 1 & 1], a[b[1] >> 1 & 1]}; }

template <Handler narrow, Handler wide, bool by_immediate>
Handler select_in_lanes(const Decoded& d) {
  const bool immediate = d.operands[2].kind == OperandKind::immediate;
  return immediate == by_immediate ? select_vex<narrow, wide>(d) : nullptr;
}

// --- Across lanes ---

// VPERM2F128, VPERM2I128 ymm, ymm, ymm/m256, imm8
Flow permute_halves(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<2>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  const auto first = read_vector<2>(cpu, insn.op[1]);
  Vector<2> r{};
  for (size_t i = 0; i < 2; ++i) {
    const uint64_t control = insn.imm >> (4 * i) & 0xF;
    if ((control & 8) != 0) continue;
    r[i] = (control & 2) != 0 ? (*second)[control & 1] : first[control & 1];
  }
  write_vector<2>(cpu, insn.op[0], r);
  return Flow::next;
}

// VPERMD, VPERMPS ymm, ymm, ymm/m256: the second operand has the indices
Flow permute_dwords(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = vector_source<2>(cpu, insn, 2);
  if (!source) return cpu.raise(source.error());
  auto r = elements_of<uint32_t>(read_vector<2>(cpu, insn.op[1]));
  const auto x = elements_of<uint32_t>(*source);
  for (auto& element : r) element = x[element & 7];
  write_vector<2>(cpu, insn.op[0], vector_of<2>(r));
  return Flow::next;
}

// VPERMQ, VPERMPD ymm, ymm/m256, imm8
Flow permute_qwords(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = vector_source<2>(cpu, insn, 1);
  if (!source) return cpu.raise(source.error());
  const auto x = elements_of<uint64_t>(*source);
  Elements<uint64_t, 2> r{};
  for (size_t i = 0; i < r.size(); ++i) r[i] = x[insn.imm >> (2 * i) & 3];
  write_vector<2>(cpu, insn.op[0], vector_of<2>(r));
  return Flow::next;
}

// VPBLENDVB, VBLENDVPS, VBLENDVPD v, v, v/m, v
template <size_t lanes, class T>
Flow blend_variable(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<lanes>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const auto y = elements_of<T>(*second);
  const auto mask = elements_of<T>(read_vector<lanes>(cpu, static_cast<uint8_t>(insn.imm)));
  for (size_t i = 0; i < x.size(); ++i) x[i] = sign(mask[i]) ? y[i] : x[i];
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(x));
  return Flow::next;
}

constexpr auto kShuffle = CostClass::sse_shuffle;
constexpr auto kAvx2 = Feature::avx2;

/// By an immediate, and by a register.
template <Xmm (*by)(const Xmm&, const Xmm&, uint8_t), unsigned step,
          Xmm (*choose)(const Xmm&, const Xmm&)>
constexpr TwoRows in_lanes(std::string_view mnemonic) {
  return {
      avx_row(mnemonic, select_in_lanes<each_lane_by<1, by, step>, each_lane_by<2, by, step>, true>,
              kShuffle),
      avx_row(mnemonic, select_in_lanes<each_lane<1, choose>, each_lane<2, choose>, false>,
              kShuffle)};
}
template <Handler handler>
constexpr std::array<Row, 1> wide_row(std::string_view mnemonic, Feature feature = kAvx2) {
  return {avx_row(mnemonic, select_vex<kNoForm, handler>, kShuffle, feature)};
}
template <class T>
constexpr std::array<Row, 1> blend_row(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_vex<blend_variable<1, T>, blend_variable<2, T>>, kShuffle)};
}

// clang-format off
constexpr auto kRows = join(
    in_lanes<permute_singles, 0, choose_singles>("vpermilps"), in_lanes<permute_doubles, 2, choose_doubles>("vpermilpd"),
    wide_row<permute_halves>("vperm2f128", Feature::avx), wide_row<permute_halves>("vperm2i128"),
    wide_row<permute_dwords>("vpermd"), wide_row<permute_dwords>("vpermps"),
    wide_row<permute_qwords>("vpermq"), wide_row<permute_qwords>("vpermpd"),
    blend_row<uint32_t>("vblendvps"), blend_row<uint64_t>("vblendvpd"),
    both_widths<blend_variable<1, uint8_t>, blend_variable<2, uint8_t>>("vpblendvb", kShuffle));
// clang-format on

}  // namespace

std::span<const Row> avx_permute_rows() { return kRows; }

}  // namespace vitrine::emu
