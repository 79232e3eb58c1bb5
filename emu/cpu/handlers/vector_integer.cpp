// SSE2 integer arithmetic, comparison, logic, shifts, packs and shuffles on XMM registers.
#include <algorithm>
#include <limits>

#include "emu/cpu/handlers/vector.h"

namespace vitrine::emu {

namespace {

// --- Shapes: destination op source; with an immediate; shifts by a count ---

template <Xmm (*operation)(const Xmm&, const Xmm&)>
Flow binary(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  write_xmm(cpu, insn.op[0], operation(read_xmm(cpu, insn.op[0]), *source));
  return Flow::next;
}

template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t)>
Flow with_immediate(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  const auto imm = static_cast<uint8_t>(insn.imm);
  write_xmm(cpu, insn.op[0], operation(read_xmm(cpu, insn.op[0]), *source, imm));
  return Flow::next;
}

template <class T, T (*lane)(T, T)>
Xmm each(const Xmm& a, const Xmm& b) {
  auto x = as<T>(a);
  const auto y = as<T>(b);
  for (size_t i = 0; i < x.size(); ++i) x[i] = lane(x[i], y[i]);
  return from<T>(x);
}

// --- Lanes ---

template <class T>
T add_lane(T a, T b) {
  return static_cast<T>(a + b);
}
template <class T>
T sub_lane(T a, T b) {
  return static_cast<T>(a - b);
}
/// Saturating in 32-bit integers, which hold every sum of 8- and 16-bit lanes.
template <class T, class Narrow, bool subtract>
T saturate_lane(T a, T b) {
  const int32_t x = static_cast<Narrow>(a);
  const int32_t y = static_cast<Narrow>(b);
  const int32_t exact = subtract ? x - y : x + y;
  constexpr int32_t low = std::numeric_limits<Narrow>::min();
  constexpr int32_t high = std::numeric_limits<Narrow>::max();
  return static_cast<T>(std::clamp(exact, low, high));
}
template <class T>
T equal_lane(T a, T b) {
  return a == b ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T greater_lane(T a, T b) {
  return as_signed(a) > as_signed(b) ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T min_lane(T a, T b) {
  return std::min(a, b);
}
template <class T>
T max_lane(T a, T b) {
  return std::max(a, b);
}
template <class T>
T min_signed_lane(T a, T b) {
  return static_cast<T>(std::min(as_signed(a), as_signed(b)));
}
template <class T>
T max_signed_lane(T a, T b) {
  return static_cast<T>(std::max(as_signed(a), as_signed(b)));
}
template <class T>
T average_lane(T a, T b) {
  return static_cast<T>((uint32_t{a} + uint32_t{b} + 1) >> 1);
}
uint16_t mul_low_lane(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>(uint32_t{a} * uint32_t{b});
}
uint16_t mul_high_lane(uint16_t a, uint16_t b) {
  const int32_t product = int32_t{as_signed(a)} * int32_t{as_signed(b)};
  return static_cast<uint16_t>(static_cast<uint32_t>(product) >> 16);
}
uint16_t mul_high_unsigned_lane(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>((uint32_t{a} * uint32_t{b}) >> 16);
}
uint64_t mul_even_lane(uint64_t a, uint64_t b) { return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF); }
uint64_t and_lane(uint64_t a, uint64_t b) { return a & b; }
uint64_t and_not_lane(uint64_t a, uint64_t b) { return ~a & b; }
uint64_t or_lane(uint64_t a, uint64_t b) { return a | b; }
uint64_t xor_lane(uint64_t a, uint64_t b) { return a ^ b; }

// --- Across lanes ---

// PMADDWD
Xmm multiply_add(const Xmm& a, const Xmm& b) {
  const auto x = as<uint16_t>(a);
  const auto y = as<uint16_t>(b);
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    const int64_t low = int64_t{as_signed(x[2 * i])} * as_signed(y[2 * i]);
    const int64_t high = int64_t{as_signed(x[2 * i + 1])} * as_signed(y[2 * i + 1]);
    r[i] = static_cast<uint32_t>(low + high);
  }
  return from<uint32_t>(r);
}

// PSADBW
Xmm sum_differences(const Xmm& a, const Xmm& b) {
  const auto x = as<uint8_t>(a);
  const auto y = as<uint8_t>(b);
  Xmm r{};
  for (size_t i = 0; i < x.size(); ++i) {
    r[i / 8] += x[i] > y[i] ? uint64_t{x[i]} - y[i] : uint64_t{y[i]} - x[i];
  }
  return r;
}

// PUNPCKL*, PUNPCKH*, UNPCK*
template <class T, bool high>
Xmm interleave(const Xmm& a, const Xmm& b) {
  const auto x = as<T>(a);
  const auto y = as<T>(b);
  Lanes<T> r{};
  constexpr size_t half = 16 / sizeof(T) / 2;
  for (size_t i = 0; i < half; ++i) {
    r[2 * i] = x[i + (high ? half : 0)];
    r[2 * i + 1] = y[i + (high ? half : 0)];
  }
  return from<T>(r);
}

// PACKSSWB, PACKSSDW, PACKUSWB
template <class Wide, class Narrow>
Xmm pack(const Xmm& a, const Xmm& b) {
  using Out = std::make_unsigned_t<Narrow>;
  const auto x = as<Wide>(a);
  const auto y = as<Wide>(b);
  Lanes<Out> r{};
  constexpr size_t half = 16 / sizeof(Wide);
  constexpr int64_t low = std::numeric_limits<Narrow>::min();
  constexpr int64_t high = std::numeric_limits<Narrow>::max();
  for (size_t i = 0; i < half; ++i) {
    r[i] = static_cast<Out>(std::clamp<int64_t>(as_signed(x[i]), low, high));
    r[i + half] = static_cast<Out>(std::clamp<int64_t>(as_signed(y[i]), low, high));
  }
  return from<Out>(r);
}

// PSHUFD, PSHUFLW, PSHUFHW, SHUFPS, SHUFPD
Xmm shuffle_dwords(const Xmm&, const Xmm& b, uint8_t imm) {
  const auto y = as<uint32_t>(b);
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < 4; ++i) r[i] = y[imm >> (2 * i) & 3];
  return from<uint32_t>(r);
}
template <size_t first>
Xmm shuffle_words(const Xmm&, const Xmm& b, uint8_t imm) {
  const auto y = as<uint16_t>(b);
  auto r = y;
  for (size_t i = 0; i < 4; ++i) r[first + i] = y[first + (imm >> (2 * i) & 3u)];
  return from<uint16_t>(r);
}
Xmm shuffle_singles(const Xmm& a, const Xmm& b, uint8_t imm) {
  const auto x = as<uint32_t>(a);
  const auto y = as<uint32_t>(b);
  return from<uint32_t>({x[imm & 3], x[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6 & 3]});
}
Xmm shuffle_doubles(const Xmm& a, const Xmm& b, uint8_t imm) {
  return {a[imm & 1], b[imm >> 1 & 1]};
}

// --- Shifts ---

enum class Shift : uint8_t { left, right, arithmetic };

template <class T, Shift shift>
Xmm shift_lanes(const Xmm& a, uint64_t count) {
  auto x = as<T>(a);
  constexpr uint64_t width = sizeof(T) * 8;
  for (T& lane : x) {
    if constexpr (shift == Shift::arithmetic) {
      lane = static_cast<T>(as_signed(lane) >> std::min(count, width - 1));
    } else if (count >= width) {
      lane = 0;
    } else {
      lane = static_cast<T>(shift == Shift::left ? uint64_t{lane} << count
                                                 : uint64_t{lane} >> count);
    }
  }
  return from<T>(x);
}

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
Flow shift_bytes(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto x = as<uint8_t>(read_xmm(cpu, insn.op[0]));
  const size_t count = std::min<size_t>(insn.imm & 0xFF, 16);
  Lanes<uint8_t> r{};
  for (size_t i = 0; i + count < 16; ++i) {
    if (left) {
      r[i + count] = x[i];
    } else {
      r[i] = x[i + count];
    }
  }
  write_xmm(cpu, insn.op[0], from<uint8_t>(r));
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

template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr Row op(std::string_view mnemonic, CostClass cost = CostClass::sse_alu,
                 Feature feature = Feature::sse2) {
  return sse_row(mnemonic, select_sse<binary<operation>>, cost, feature);
}
template <class T, T (*lane)(T, T)>
constexpr Row lane_op(std::string_view mnemonic, CostClass cost = CostClass::sse_alu) {
  return op<each<T, lane>>(mnemonic, cost);
}
template <uint64_t (*lane)(uint64_t, uint64_t)>
constexpr Row logic(std::string_view mnemonic, Feature feature = Feature::sse2) {
  return op<each<uint64_t, lane>>(mnemonic, CostClass::sse_alu, feature);
}
template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t)>
constexpr Row shuffle(std::string_view mnemonic, Feature feature = Feature::sse2) {
  return sse_row(mnemonic, select_sse<with_immediate<operation>>, CostClass::sse_shuffle, feature);
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
    sse_row("pslldq", select_sse<shift_bytes<true>>, CostClass::sse_shuffle),
    sse_row("psrldq", select_sse<shift_bytes<false>>, CostClass::sse_shuffle),
    sse_row("pextrw", select_extract, CostClass::sse_shuffle),
    sse_row("pinsrw", select_sse<insert_word>, CostClass::sse_shuffle),
});
// clang-format on

}  // namespace

std::span<const Row> vector_integer_rows() { return kRows; }

}  // namespace vitrine::emu
