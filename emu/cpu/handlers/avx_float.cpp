// AVX floating point: arithmetic, comparison, rounding and dot products.
#include "emu/cpu/handlers/avx_float.h"

#include "emu/cpu/softfloat/approximate.h"
#include "emu/cpu/softfloat/compare.h"

namespace vitrine::emu {

namespace {

/// One-operand functions in the shape of two-operand ones.
template <class T>
T square_root(Env& env, T, T b) {
  return sf::sqrt<T>(env, b);
}
uint32_t reciprocal(Env&, uint32_t, uint32_t b) { return sf::reciprocal_estimate(b); }
uint32_t reciprocal_root(Env&, uint32_t, uint32_t b) { return sf::reciprocal_root_estimate(b); }

// VADDSUBPx, VHADDPx, VHSUBPx v, v, v/m: within each lane
template <size_t lanes, class T, Lanes<T> (*combine)(Env&, const Lanes<T>&, const Lanes<T>&)>
Flow across(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<lanes>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  Env env = environment(cpu);
  auto r = read_vector<lanes>(cpu, insn.op[1]);
  for (size_t i = 0; i < lanes; ++i) {
    r[i] = from<T>(combine(env, as<T>(r[i]), as<T>((*second)[i])));
  }
  if (stops(cpu, env, flow)) return flow;
  write_vector<lanes>(cpu, insn.op[0], r);
  return Flow::next;
}

// VCMPPx v, v, v/m, imm8; VCMPSx xmm, xmm, xmm/m32/64, imm8
template <class T>
T compare_mask(Env& env, T a, T b, uint64_t imm) {
  const auto predicate = static_cast<uint8_t>(imm & 0x1F);
  return sf::holds<T>(env, a, b, predicate) ? static_cast<T>(~T{0}) : T{0};
}
template <size_t lanes, class T>
Flow compare_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<lanes>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  Env env = environment(cpu);
  auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const auto y = elements_of<T>(*second);
  for (size_t i = 0; i < x.size(); ++i) x[i] = compare_mask<T>(env, x[i], y[i], insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(x));
  return Flow::next;
}
template <class T>
Flow compare_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = scalar<T>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[1]));
  x[0] = compare_mask<T>(env, x[0], *second, insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// VCOMISx, VUCOMISx xmm, xmm/m32/64
template <class T, bool signaling>
Flow compare_flags(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = scalar<T>(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  const T x = as<T>(read_xmm(cpu, insn.op[0]))[0];
  const sf::Relation relation = sf::compare<T>(env, x, *source, signaling);
  if (stops(cpu, env, flow)) return flow;
  uint64_t flags = 0;
  if (relation == sf::Relation::unordered) flags = flag::zf | flag::pf | flag::cf;
  if (relation == sf::Relation::equal) flags = flag::zf;
  if (relation == sf::Relation::less) flags = flag::cf;
  cpu.state.flags.set_arithmetic(flags);
  return Flow::next;
}

// VROUNDPx v, v/m, imm8; VROUNDSx xmm, xmm, xmm/m32/64, imm8
template <size_t lanes, class T>
Flow round_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = vector_source<lanes>(cpu, insn, 1);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = elements_of<T>(*source);
  for (T& element : x) element = round<T>(env, element, insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(x));
  return Flow::next;
}
template <class T>
Flow round_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = scalar<T>(cpu, insn, 2);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[1]));
  x[0] = round<T>(env, *source, insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// VDPPS v, v, v/m, imm8; VDPPD xmm, xmm, xmm/m128, imm8: each step of both lanes, then the next one,
// so that an unmasked exception keeps what follows from being computed, as in DPPS
template <size_t lanes, class T>
Flow dot_product(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = vector_source<lanes>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const auto y = elements_of<T>(*second);
  constexpr size_t kPerLane = 16 / sizeof(T);
  Env env = environment(cpu);
  for (size_t i = 0; i < x.size(); ++i) {
    const bool taken = (insn.imm >> (4 + i % kPerLane) & 1) != 0;
    x[i] = taken ? sf::mul<T>(env, x[i], y[i]) : T{0};
  }
  if (stops(cpu, env, flow)) return flow;
  for (size_t width = kPerLane; width > 1; width /= 2) {
    env.flags = 0;
    for (size_t lane = 0; lane < x.size(); lane += kPerLane) {
      for (size_t i = 0; i < width / 2; ++i) {
        x[lane + i] = sf::add<T>(env, x[lane + 2 * i], x[lane + 2 * i + 1]);
      }
    }
    if (stops(cpu, env, flow)) return flow;
  }
  Elements<T, lanes> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    r[i] = (insn.imm >> i % kPerLane & 1) != 0 ? x[i / kPerLane * kPerLane] : T{0};
  }
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(r));
  return Flow::next;
}

// --- Rows ---

constexpr auto kMul = CostClass::sse_mul;
constexpr auto kAlu = CostClass::sse_alu;
constexpr auto kDiv = CostClass::sse_div;
constexpr auto kConvert = CostClass::sse_convert;

template <class T, Operation<T> operation>
constexpr Row packed_row(std::string_view mnemonic, CostClass cost) {
  return avx_pair<avx_packed<1, T, operation>, avx_packed<2, T, operation>>(mnemonic, cost);
}
template <class T, Operation<T> operation>
constexpr Row single_row(std::string_view mnemonic, CostClass cost) {
  return avx_scalar<avx_single<T, operation>>(mnemonic, cost);
}
template <class T, Lanes<T> (*combine)(Env&, const Lanes<T>&, const Lanes<T>&)>
constexpr Row across_row(std::string_view mnemonic) {
  return avx_pair<across<1, T, combine>, across<2, T, combine>>(mnemonic);
}
template <class T, bool signaling>
constexpr Row flags_row(std::string_view mnemonic) {
  Row row = avx_scalar<compare_flags<T, signaling>>(mnemonic);
  row.flags.written = flag::all;
  return row;
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    packed_row<uint32_t, sf::add>("vaddps", kAlu), packed_row<uint64_t, sf::add>("vaddpd", kAlu),
    single_row<uint32_t, sf::add>("vaddss", kAlu), single_row<uint64_t, sf::add>("vaddsd", kAlu),
    packed_row<uint32_t, sf::sub>("vsubps", kAlu), packed_row<uint64_t, sf::sub>("vsubpd", kAlu),
    single_row<uint32_t, sf::sub>("vsubss", kAlu), single_row<uint64_t, sf::sub>("vsubsd", kAlu),
    packed_row<uint32_t, sf::mul>("vmulps", kMul), packed_row<uint64_t, sf::mul>("vmulpd", kMul),
    single_row<uint32_t, sf::mul>("vmulss", kMul), single_row<uint64_t, sf::mul>("vmulsd", kMul),
    packed_row<uint32_t, sf::div>("vdivps", kDiv), packed_row<uint64_t, sf::div>("vdivpd", kDiv),
    single_row<uint32_t, sf::div>("vdivss", kDiv), single_row<uint64_t, sf::div>("vdivsd", kDiv),
    packed_row<uint32_t, sf::min>("vminps", kAlu), packed_row<uint64_t, sf::min>("vminpd", kAlu),
    single_row<uint32_t, sf::min>("vminss", kAlu), single_row<uint64_t, sf::min>("vminsd", kAlu),
    packed_row<uint32_t, sf::max>("vmaxps", kAlu), packed_row<uint64_t, sf::max>("vmaxpd", kAlu),
    single_row<uint32_t, sf::max>("vmaxss", kAlu), single_row<uint64_t, sf::max>("vmaxsd", kAlu),
    packed_row<uint32_t, square_root>("vsqrtps", kDiv), packed_row<uint64_t, square_root>("vsqrtpd", kDiv),
    single_row<uint32_t, square_root>("vsqrtss", kDiv), single_row<uint64_t, square_root>("vsqrtsd", kDiv),
    packed_row<uint32_t, reciprocal>("vrcpps", kMul), single_row<uint32_t, reciprocal>("vrcpss", kMul),
    packed_row<uint32_t, reciprocal_root>("vrsqrtps", kMul), single_row<uint32_t, reciprocal_root>("vrsqrtss", kMul),
    across_row<uint32_t, add_subtract>("vaddsubps"), across_row<uint64_t, add_subtract>("vaddsubpd"),
    across_row<uint32_t, neighbours<uint32_t, sf::add>>("vhaddps"), across_row<uint64_t, neighbours<uint64_t, sf::add>>("vhaddpd"),
    across_row<uint32_t, neighbours<uint32_t, sf::sub>>("vhsubps"), across_row<uint64_t, neighbours<uint64_t, sf::sub>>("vhsubpd"),
    avx_pair<compare_packed<1, uint32_t>, compare_packed<2, uint32_t>>("vcmpps"),
    avx_pair<compare_packed<1, uint64_t>, compare_packed<2, uint64_t>>("vcmppd"),
    avx_scalar<compare_scalar<uint32_t>>("vcmpss"), avx_scalar<compare_scalar<uint64_t>>("vcmpsd"),
    flags_row<uint32_t, true>("vcomiss"), flags_row<uint64_t, true>("vcomisd"),
    flags_row<uint32_t, false>("vucomiss"), flags_row<uint64_t, false>("vucomisd"),
    avx_pair<round_packed<1, uint32_t>, round_packed<2, uint32_t>>("vroundps", kConvert),
    avx_pair<round_packed<1, uint64_t>, round_packed<2, uint64_t>>("vroundpd", kConvert),
    avx_scalar<round_scalar<uint32_t>>("vroundss", kConvert), avx_scalar<round_scalar<uint64_t>>("vroundsd", kConvert),
    avx_pair<dot_product<1, uint32_t>, dot_product<2, uint32_t>>("vdpps", kMul),
    avx_pair<dot_product<1, uint64_t>, kNoForm>("vdppd", kMul),
});
// clang-format on

}  // namespace

std::span<const Row> avx_float_rows() { return kRows; }

}  // namespace vitrine::emu
