// SSE3 and SSSE3 on XMM registers: horizontal and alternating arithmetic, duplicates, shuffles.
#include "emu/cpu/handlers/vector_float.h"
#include "emu/cpu/handlers/vector_horizontal.h"
#include "emu/cpu/handlers/vector_shuffle.h"

namespace vitrine::emu {

namespace {

template <class T>
using Combine = Lanes<T> (*)(Env&, const Lanes<T>&, const Lanes<T>&);

/// Packed arithmetic whose lanes are not those of one register.
template <class T, Combine<T> combine>
Flow across(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  const auto r = combine(env, as<T>(read_xmm(cpu, insn.op[0])), as<T>(*source));
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(r));
  return Flow::next;
}

// MOVDDUP xmm, xmm/m64
Flow duplicate_double(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = half(cpu, insn);
  if (!source) return cpu.raise(source.error());
  write_xmm(cpu, insn.op[0], {*source, *source});
  return Flow::next;
}
// LDDQU xmm, m128
Flow load_unaligned(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto value = load_xmm<Alignment::free>(cpu, insn);
  if (!value) return cpu.raise(value.error());
  write_xmm(cpu, insn.op[0], *value);
  return Flow::next;
}

constexpr auto kSse3 = Feature::sse3;
constexpr auto kSsse3 = Feature::ssse3;
constexpr auto kAlu = CostClass::sse_alu;
constexpr auto kMul = CostClass::sse_mul;
constexpr auto kShuffle = CostClass::sse_shuffle;

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    sse_row("addsubps", select_sse<across<uint32_t, add_subtract>>, kAlu, kSse3),
    sse_row("addsubpd", select_sse<across<uint64_t, add_subtract>>, kAlu, kSse3),
    sse_row("haddps", select_sse<across<uint32_t, neighbours<uint32_t, sf::add>>>, kAlu, kSse3),
    sse_row("haddpd", select_sse<across<uint64_t, neighbours<uint64_t, sf::add>>>, kAlu, kSse3),
    sse_row("hsubps", select_sse<across<uint32_t, neighbours<uint32_t, sf::sub>>>, kAlu, kSse3),
    sse_row("hsubpd", select_sse<across<uint64_t, neighbours<uint64_t, sf::sub>>>, kAlu, kSse3),
    sse_row("movddup", select_sse<duplicate_double>, kShuffle, kSse3),
    sse_row("lddqu", select_sse<load_unaligned>, CostClass::sse_move, kSse3),
    op<duplicate_singles<0>>("movsldup", kShuffle, kSse3), op<duplicate_singles<1>>("movshdup", kShuffle, kSse3),
    op<shuffle_by>("pshufb", kShuffle, kSsse3), shuffle<align_right>("palignr", kSsse3),
    op<horizontal<uint16_t, add_lane>>("phaddw", kAlu, kSsse3), op<horizontal<uint32_t, add_lane>>("phaddd", kAlu, kSsse3),
    op<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, false>>>("phaddsw", kAlu, kSsse3),
    op<horizontal<uint16_t, sub_lane>>("phsubw", kAlu, kSsse3), op<horizontal<uint32_t, sub_lane>>("phsubd", kAlu, kSsse3),
    op<horizontal<uint16_t, saturate_lane<uint16_t, int16_t, true>>>("phsubsw", kAlu, kSsse3),
    op<multiply_add_bytes>("pmaddubsw", kMul, kSsse3), op<each<uint16_t, mul_round_lane>>("pmulhrsw", kMul, kSsse3),
    op<each<uint8_t, sign_lane>>("psignb", kAlu, kSsse3), op<each<uint16_t, sign_lane>>("psignw", kAlu, kSsse3),
    op<each<uint32_t, sign_lane>>("psignd", kAlu, kSsse3), op<each<uint8_t, absolute_lane>>("pabsb", kAlu, kSsse3),
    op<each<uint16_t, absolute_lane>>("pabsw", kAlu, kSsse3), op<each<uint32_t, absolute_lane>>("pabsd", kAlu, kSsse3),
});
// clang-format on

}  // namespace

std::span<const Row> vector_sse3_rows() { return kRows; }

}  // namespace vitrine::emu
