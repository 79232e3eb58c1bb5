// AVX and AVX2 elements: extracted, inserted, broadcast; halves of YMM; tests of bits and signs.
#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

namespace {

// VPEXTRB, VPEXTRW, VPEXTRD, VPEXTRQ, VEXTRACTPS r/m, xmm, imm8
template <class T>
Flow extract(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto lanes = as<T>(read_xmm(cpu, insn.op[1]));
  const T value = lanes[insn.imm & (lanes.size() - 1)];
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, value);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  using Register = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  cpu.set_reg<Register>(insn.op[0], Register{value});
  return Flow::next;
}

// VPINSRB, VPINSRW, VPINSRD, VPINSRQ xmm, xmm, r/m, imm8
template <class T>
Flow insert(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  T value = 0;
  if (insn.op[2] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = static_cast<T>(cpu.reg<uint64_t>(insn.op[2]));
  }
  auto lanes = as<T>(read_xmm(cpu, insn.op[1]));
  lanes[insn.imm & (lanes.size() - 1)] = value;
  write_low(cpu, insn.op[0], from<T>(lanes));
  return Flow::next;
}

// VINSERTPS xmm, xmm, xmm/m32, imm8
Flow insert_single(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  uint32_t value = 0;
  if (insn.op[2] == kMemory) {
    const auto loaded = cpu.load<uint32_t>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = as<uint32_t>(read_xmm(cpu, insn.op[2]))[insn.imm >> 6 & 3];
  }
  auto lanes = as<uint32_t>(read_xmm(cpu, insn.op[1]));
  lanes[insn.imm >> 4 & 3] = value;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if ((insn.imm >> i & 1) != 0) lanes[i] = 0;
  }
  write_low(cpu, insn.op[0], from<uint32_t>(lanes));
  return Flow::next;
}

// VEXTRACTF128, VEXTRACTI128 xmm/m128, ymm, imm8
Flow extract_half(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const Xmm value = read_vector<2>(cpu, insn.op[1])[insn.imm & 1];
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<Xmm>(insn, value);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  write_low(cpu, insn.op[0], value);
  return Flow::next;
}

// VINSERTF128, VINSERTI128 ymm, ymm, xmm/m128, imm8
Flow insert_half(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto value = vector_source<1>(cpu, insn, 2);
  if (!value) return cpu.raise(value.error());
  auto r = read_vector<2>(cpu, insn.op[1]);
  r[insn.imm & 1] = (*value)[0];
  write_vector<2>(cpu, insn.op[0], r);
  return Flow::next;
}

// VBROADCASTxx, VPBROADCASTx v, xmm/m; VMOVDDUP xmm, xmm/m64
template <size_t lanes, class T>
Flow broadcast(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  T value{};
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = elements_of<T>(read_vector<2>(cpu, insn.op[1]))[0];
  }
  Elements<T, lanes> r{};
  r.fill(value);
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(r));
  return Flow::next;
}
/// Of memory with AVX, of a register with AVX2.
template <Handler narrow, Handler wide, bool memory>
Handler select_broadcast(const Decoded& d) {
  return is_memory(d.operands[1]) == memory ? select_vex<narrow, wide>(d) : nullptr;
}

// VMOVDDUP ymm, ymm/m256
Flow duplicate_doubles(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  auto r = vector_source<2>(cpu, insn, 1);
  if (!r) return cpu.raise(r.error());
  auto value = *r;
  for (Xmm& lane : value) lane[1] = lane[0];
  write_vector<2>(cpu, insn.op[0], value);
  return Flow::next;
}

// VPTEST v, v/m: any bit; VTESTPS, VTESTPD: signs of elements alone
template <size_t lanes, uint64_t bits>
Flow test(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<lanes>(cpu, insn, 1);
  if (!second) return cpu.raise(second.error());
  const auto x = elements_of<uint64_t>(read_vector<lanes>(cpu, insn.op[0]));
  const auto y = elements_of<uint64_t>(*second);
  uint64_t both = 0;
  uint64_t uncovered = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    both |= x[i] & y[i] & bits;
    uncovered |= ~x[i] & y[i] & bits;
  }
  cpu.state.flags.set_arithmetic((both == 0 ? flag::zf : 0u) | (uncovered == 0 ? flag::cf : 0u));
  return Flow::next;
}

constexpr auto kShuffle = CostClass::sse_shuffle;
constexpr auto kAvx2 = Feature::avx2;

template <class T>
constexpr std::array<Row, 1> extract_row(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_vex<extract<T>, kNoForm>, kShuffle)};
}
template <Handler handler>
constexpr std::array<Row, 1> narrow_row(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_vex<handler, kNoForm>, kShuffle)};
}
template <Handler handler>
constexpr std::array<Row, 1> wide_row(std::string_view mnemonic, Feature feature = Feature::avx) {
  return {avx_row(mnemonic, select_vex<kNoForm, handler>, kShuffle, feature)};
}
template <Handler narrow, Handler wide>
constexpr TwoRows float_broadcast(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_broadcast<narrow, wide, true>, kShuffle),
          avx_row(mnemonic, select_broadcast<narrow, wide, false>, kShuffle, kAvx2)};
}
template <class T>
constexpr std::array<Row, 1> integer_broadcast(std::string_view mnemonic) {
  return {avx_row(mnemonic, select_vex<broadcast<1, T>, broadcast<2, T>>, kShuffle, kAvx2)};
}
template <uint64_t bits>
constexpr std::array<Row, 1> test_row(std::string_view mnemonic) {
  Row row = avx_row(mnemonic, select_vex<test<1, bits>, test<2, bits>>);
  row.flags.written = flag::all;
  return {row};
}

// clang-format off
constexpr auto kRows = join(
    extract_row<uint8_t>("vpextrb"), extract_row<uint16_t>("vpextrw"), extract_row<uint32_t>("vpextrd"),
    extract_row<uint64_t>("vpextrq"), extract_row<uint32_t>("vextractps"),
    narrow_row<insert<uint8_t>>("vpinsrb"), narrow_row<insert<uint16_t>>("vpinsrw"), narrow_row<insert<uint32_t>>("vpinsrd"),
    narrow_row<insert<uint64_t>>("vpinsrq"), narrow_row<insert_single>("vinsertps"),
    wide_row<extract_half>("vextractf128"), wide_row<extract_half>("vextracti128", kAvx2),
    wide_row<insert_half>("vinsertf128"), wide_row<insert_half>("vinserti128", kAvx2),
    float_broadcast<broadcast<1, uint32_t>, broadcast<2, uint32_t>>("vbroadcastss"),
    float_broadcast<kNoForm, broadcast<2, uint64_t>>("vbroadcastsd"),
    wide_row<broadcast<2, Xmm>>("vbroadcastf128"), wide_row<broadcast<2, Xmm>>("vbroadcasti128", kAvx2),
    integer_broadcast<uint8_t>("vpbroadcastb"), integer_broadcast<uint16_t>("vpbroadcastw"),
    integer_broadcast<uint32_t>("vpbroadcastd"), integer_broadcast<uint64_t>("vpbroadcastq"),
    std::array<Row, 1>{avx_row("vmovddup", select_vex<broadcast<1, uint64_t>, duplicate_doubles>, kShuffle)},
    test_row<~uint64_t{0}>("vptest"), test_row<0x80000000'80000000>("vtestps"), test_row<0x80000000'00000000>("vtestpd"));
// clang-format on

}  // namespace

std::span<const Row> avx_element_rows() { return kRows; }

}  // namespace vitrine::emu
