// MMX integer arithmetic, comparison, logic, shifts and shuffles, with what SSE to SSSE3 added.
#include "emu/cpu/handlers/mmx.h"
#include "emu/cpu/handlers/vector_horizontal.h"
#include "emu/cpu/handlers/vector_lanes.h"

namespace vitrine::emu {

namespace {

using Binary = uint64_t (*)(uint64_t, uint64_t);
using XmmBinary = Xmm (*)(const Xmm&, const Xmm&);

// Each MMX operation is half of the XMM one: lane by lane on the low half; for what takes lanes of
// both operands in turn, on both joined in one register; for what widens, in the result's half.
template <XmmBinary operation>
uint64_t low(uint64_t a, uint64_t b) {
  return operation({a, 0}, {b, 0})[0];
}
template <XmmBinary operation>
uint64_t high(uint64_t a, uint64_t b) {
  return operation({a, 0}, {b, 0})[1];
}
template <XmmBinary operation>
uint64_t joined(uint64_t a, uint64_t b) {
  return operation({a, b}, {a, b})[0];
}

// OP mm, mm/m64 or m32
template <Binary operation, class T>
Flow mm_binary(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  const auto source = mm_source<T>(cpu, insn);
  if (!source) return cpu.raise(source.error());
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], operation(read_mm(cpu, insn.op[0]), *source));
  return Flow::next;
}

// PSHUFW, PALIGNR mm, mm/m64, imm8
template <uint64_t (*operation)(uint64_t, uint64_t, uint8_t)>
Flow mm_immediate(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  const auto source = mm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  mmx_enter(cpu.state.x87);
  const auto imm = static_cast<uint8_t>(insn.imm);
  write_mm(cpu, insn.op[0], operation(read_mm(cpu, insn.op[0]), *source, imm));
  return Flow::next;
}
uint64_t shuffle(uint64_t, uint64_t b, uint8_t imm) { return shuffle_words<0>({}, {b, 0}, imm)[0]; }
uint64_t align_right(uint64_t a, uint64_t b, uint8_t imm) {
  if (imm >= 16) return 0;
  return imm >= 8 ? a >> (imm - 8) * 8 : imm == 0 ? b : b >> imm * 8 | a << (64 - imm * 8);
}
uint64_t shuffle_bytes_8(uint64_t a, uint64_t b) {
  const auto x = as<uint8_t>({a, 0});
  auto control = as<uint8_t>({b, 0});
  for (size_t i = 0; i < 8; ++i) control[i] = sign(control[i]) ? 0 : x[control[i] & 7];
  return from<uint8_t>(control)[0];
}

// PSLLx, PSRLx, PSRAx mm, mm/m64 or imm8
template <class T, Shift shift>
Flow mm_shift(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (mmx_blocked(cpu, flow)) return flow;
  uint64_t count = insn.imm & 0xFF;
  if (insn.op[1] != kNoOperand) {
    const auto source = mm_source(cpu, insn);
    if (!source) return cpu.raise(source.error());
    count = *source;
  }
  mmx_enter(cpu.state.x87);
  write_mm(cpu, insn.op[0], shift_lanes<T, shift>({read_mm(cpu, insn.op[0]), 0}, count)[0]);
  return Flow::next;
}

template <Binary operation, class T = uint64_t>
constexpr Row op(std::string_view mnemonic, Feature feature = Feature::mmx) {
  return mmx_row(mnemonic, select_mmx<mm_binary<operation, T>>, feature);
}
template <class T, T (*lane)(T, T)>
constexpr Row lanes(std::string_view mnemonic, Feature feature = Feature::mmx) {
  return op<low<each<T, lane>>>(mnemonic, feature);
}
template <class T>
constexpr Row unpack_low(std::string_view mnemonic) {
  return op<low<interleave<T, false>>, uint32_t>(mnemonic);
}
template <class T>
constexpr Row unpack_high(std::string_view mnemonic) {
  return op<high<interleave<T, false>>>(mnemonic);
}
template <class T, Shift shift>
constexpr Row shift_row(std::string_view mnemonic) {
  return mmx_row(mnemonic, select_mmx<mm_shift<T, shift>>);
}

constexpr auto kSse = Feature::sse;
constexpr auto kSse2 = Feature::sse2;
constexpr auto kSsse3 = Feature::ssse3;

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    lanes<uint64_t, and_lane>("pand"), lanes<uint64_t, and_not_lane>("pandn"),
    lanes<uint64_t, or_lane>("por"),   lanes<uint64_t, xor_lane>("pxor"),
    lanes<uint8_t, add_lane>("paddb"),  lanes<uint16_t, add_lane>("paddw"),
    lanes<uint32_t, add_lane>("paddd"), lanes<uint64_t, add_lane>("paddq", kSse2),
    lanes<uint8_t, sub_lane>("psubb"),  lanes<uint16_t, sub_lane>("psubw"),
    lanes<uint32_t, sub_lane>("psubd"), lanes<uint64_t, sub_lane>("psubq", kSse2),
    lanes<uint8_t, saturate_lane<uint8_t, int8_t, false>>("paddsb"),
    lanes<uint16_t, saturate_lane<uint16_t, int16_t, false>>("paddsw"),
    lanes<uint8_t, saturate_lane<uint8_t, uint8_t, false>>("paddusb"),
    lanes<uint16_t, saturate_lane<uint16_t, uint16_t, false>>("paddusw"),
    lanes<uint8_t, saturate_lane<uint8_t, int8_t, true>>("psubsb"),
    lanes<uint16_t, saturate_lane<uint16_t, int16_t, true>>("psubsw"),
    lanes<uint8_t, saturate_lane<uint8_t, uint8_t, true>>("psubusb"),
    lanes<uint16_t, saturate_lane<uint16_t, uint16_t, true>>("psubusw"),
    lanes<uint8_t, equal_lane>("pcmpeqb"),    lanes<uint8_t, greater_lane>("pcmpgtb"),
    lanes<uint16_t, equal_lane>("pcmpeqw"),   lanes<uint16_t, greater_lane>("pcmpgtw"),
    lanes<uint32_t, equal_lane>("pcmpeqd"),   lanes<uint32_t, greater_lane>("pcmpgtd"),
    lanes<uint8_t, min_lane>("pminub", kSse), lanes<uint16_t, min_signed_lane>("pminsw", kSse),
    lanes<uint8_t, max_lane>("pmaxub", kSse), lanes<uint16_t, max_signed_lane>("pmaxsw", kSse),
    lanes<uint8_t, average_lane>("pavgb", kSse), lanes<uint16_t, average_lane>("pavgw", kSse),
    lanes<uint16_t, mul_low_lane>("pmullw"),  lanes<uint16_t, mul_high_lane>("pmulhw"),
    lanes<uint16_t, mul_high_unsigned_lane>("pmulhuw", kSse),
    lanes<uint64_t, mul_even_lane>("pmuludq", kSse2),
    op<low<multiply_add>>("pmaddwd"), op<low<sum_differences>>("psadbw", kSse),
    unpack_low<uint8_t>("punpcklbw"),  unpack_low<uint16_t>("punpcklwd"),  unpack_low<uint32_t>("punpckldq"),
    unpack_high<uint8_t>("punpckhbw"), unpack_high<uint16_t>("punpckhwd"), unpack_high<uint32_t>("punpckhdq"),
    op<joined<pack<uint16_t, int8_t>>>("packsswb"), op<joined<pack<uint32_t, int16_t>>>("packssdw"),
    op<joined<pack<uint16_t, uint8_t>>>("packuswb"),
    shift_row<uint16_t, Shift::left>("psllw"),  shift_row<uint32_t, Shift::left>("pslld"),  shift_row<uint64_t, Shift::left>("psllq"),
    shift_row<uint16_t, Shift::right>("psrlw"), shift_row<uint32_t, Shift::right>("psrld"), shift_row<uint64_t, Shift::right>("psrlq"),
    shift_row<uint16_t, Shift::arithmetic>("psraw"), shift_row<uint32_t, Shift::arithmetic>("psrad"),
    mmx_row("pshufw", select_mmx<mm_immediate<shuffle>>, kSse),
    mmx_row("palignr", select_mmx<mm_immediate<align_right>>, kSsse3),
    op<shuffle_bytes_8>("pshufb", kSsse3),
    op<joined<horizontal<uint16_t, add_lane>>>("phaddw", kSsse3), op<joined<horizontal<uint32_t, add_lane>>>("phaddd", kSsse3),
    op<joined<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, false>>>>("phaddsw", kSsse3),
    op<joined<horizontal<uint16_t, sub_lane>>>("phsubw", kSsse3), op<joined<horizontal<uint32_t, sub_lane>>>("phsubd", kSsse3),
    op<joined<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, true>>>>("phsubsw", kSsse3),
    op<low<multiply_add_bytes>>("pmaddubsw", kSsse3), lanes<uint16_t, mul_round_lane>("pmulhrsw", kSsse3),
    lanes<uint8_t, sign_lane>("psignb", kSsse3), lanes<uint16_t, sign_lane>("psignw", kSsse3), lanes<uint32_t, sign_lane>("psignd", kSsse3),
    lanes<uint8_t, absolute_lane>("pabsb", kSsse3), lanes<uint16_t, absolute_lane>("pabsw", kSsse3), lanes<uint32_t, absolute_lane>("pabsd", kSsse3),
});
// clang-format on

}  // namespace

std::span<const Row> mmx_integer_rows() { return kRows; }

}  // namespace vitrine::emu
