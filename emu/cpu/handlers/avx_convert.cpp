// AVX and F16C conversions, and the integer widening moves of AVX and AVX2.
#include <algorithm>

#include "emu/cpu/handlers/avx_float.h"

namespace vitrine::emu {

namespace {

// --- Element by element ---

/// Memory is read as one word of the operand's size.
template <size_t bytes>
struct Word;
template <>
struct Word<2> {
  using Type = uint16_t;
};
template <>
struct Word<4> {
  using Type = uint32_t;
};
template <>
struct Word<8> {
  using Type = uint64_t;
};
template <>
struct Word<16> {
  using Type = Xmm;
};
template <>
struct Word<32> {
  using Type = Vector<2>;
};

// Vxxx v, v/m: `count` elements of In become as many of Out; memory is no larger than they are
template <class In, class Out, size_t count, Out (*convert)(Env&, In)>
Flow convert_elements(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  using Source = std::array<In, count>;
  Source x{};
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<typename Word<sizeof(Source)>::Type>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    x = std::bit_cast<Source>(*loaded);
  } else {
    const auto whole = elements_of<In>(read_vector<2>(cpu, insn.op[1]));
    std::copy_n(whole.begin(), count, x.begin());
  }
  Env env = environment(cpu);
  Elements<Out, 2> r{};
  for (size_t i = 0; i < count; ++i) r[i] = convert(env, x[i]);
  if (stops(cpu, env, flow)) return flow;
  write_vector<2>(cpu, insn.op[0], vector_of<2>(r));
  return Flow::next;
}

template <class Narrow, class Wide>
std::make_unsigned_t<Wide> widen(Env&, Narrow value) {
  return static_cast<std::make_unsigned_t<Wide>>(static_cast<Wide>(value));
}
uint32_t integer_to_single(Env& env, int32_t value) {
  return sf::from_integer<uint32_t>(env, value);
}
uint64_t integer_to_double(Env& env, int32_t value) {
  return sf::from_integer<uint64_t>(env, value);
}
template <class T, bool truncate>
uint32_t to_dword(Env& env, T value) {
  return static_cast<uint32_t>(sf::to_integer<int32_t, T>(env, value, rounding_of(env, truncate)));
}
uint64_t single_to_double(Env& env, uint32_t value) { return sf::to_binary64(env, value); }
uint32_t double_to_single(Env& env, uint64_t value) { return sf::to_binary32(env, value); }
uint32_t half_to_single(Env& env, uint16_t value) { return sf::from_half(env, value); }

// VCVTPS2PH xmm/m64/m128, v, imm8
template <size_t count>
Flow singles_to_halves(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  Env env = environment(cpu);
  if ((insn.imm & 4) == 0) env.rounding = static_cast<sf::Rounding>(insn.imm & 3);
  const auto x = elements_of<uint32_t>(read_vector<2>(cpu, insn.op[1]));
  std::array<uint16_t, count> r{};
  for (size_t i = 0; i < count; ++i) r[i] = sf::to_half(env, x[i]);
  if (insn.op[0] == kMemory) {
    // The fault of the store comes before the exceptions of the conversion.
    const auto probed = probe_store(cpu, insn, cpu.effective_address(insn), sizeof(r));
    if (!probed) return cpu.raise(probed.error());
    if (stops(cpu, env, flow)) return flow;
    const auto stored = cpu.store(insn, r);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  if (stops(cpu, env, flow)) return flow;
  Lanes<uint16_t> whole{};
  std::copy(r.begin(), r.end(), whole.begin());
  write_low(cpu, insn.op[0], from<uint16_t>(whole));
  return Flow::next;
}

// --- Scalars ---

// VCVT(T)SS2SI, VCVT(T)SD2SI r, xmm/m
template <class T, class I, bool truncate>
Flow scalar_to_integer(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = scalar<T>(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  const I value = sf::to_integer<I, T>(env, *source, rounding_of(env, truncate));
  if (stops(cpu, env, flow)) return flow;
  using U = std::make_unsigned_t<I>;
  cpu.set_reg<U>(insn.op[0], static_cast<U>(value));
  return Flow::next;
}
template <class T, bool truncate>
Handler select_to_integer(const Decoded& d) {
  return d.operands[0].bits == 64 ? scalar_to_integer<T, int64_t, truncate>
                                  : scalar_to_integer<T, int32_t, truncate>;
}

// VCVTSI2SS, VCVTSI2SD xmm, xmm, r/m
template <class T, class I>
Flow integer_to_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  using U = std::make_unsigned_t<I>;
  U source = 0;
  if (insn.op[2] == kMemory) {
    const auto loaded = cpu.load<U>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    source = *loaded;
  } else {
    source = cpu.reg<U>(insn.op[2]);
  }
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[1]));
  x[0] = sf::from_integer<T>(env, static_cast<I>(source));
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}
template <class T>
Handler select_from_integer(const Decoded& d) {
  return d.operands[2].bits == 64 ? integer_to_scalar<T, int64_t> : integer_to_scalar<T, int32_t>;
}

// VCVTSS2SD, VCVTSD2SS xmm, xmm, xmm/m32/64
template <class In, class Out, Out (*convert)(Env&, In)>
Flow scalar_to_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto source = scalar<In>(cpu, insn, 2);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<Out>(read_xmm(cpu, insn.op[1]));
  x[0] = convert(env, *source);
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<Out>(x));
  return Flow::next;
}

// --- Rows ---

constexpr auto kConvert = CostClass::sse_convert;
constexpr auto kShuffle = CostClass::sse_shuffle;

/// As many elements as the wider of the two types has in a register.
template <class In, class Out, Out (*convert)(Env&, In), Feature feature = Feature::avx>
constexpr std::array<Row, 1> packed_row(std::string_view mnemonic) {
  constexpr size_t kCount = 16 / std::max(sizeof(In), sizeof(Out));
  return {avx_pair<convert_elements<In, Out, kCount, convert>,
                   convert_elements<In, Out, 2 * kCount, convert>>(mnemonic, kConvert, feature)};
}
template <class Narrow, class Wide>
constexpr TwoRows widen_rows(std::string_view mnemonic) {
  using Out = std::make_unsigned_t<Wide>;
  constexpr size_t kCount = 16 / sizeof(Wide);
  return both_widths<convert_elements<Narrow, Out, kCount, widen<Narrow, Wide>>,
                     convert_elements<Narrow, Out, 2 * kCount, widen<Narrow, Wide>>>(mnemonic,
                                                                                     kShuffle);
}
constexpr std::array<Row, 1> scalar_row(std::string_view mnemonic,
                                        Handler (*select)(const Decoded&)) {
  return {avx_row(mnemonic, select, kConvert)};
}
template <class In, class Out, Out (*convert)(Env&, In)>
constexpr std::array<Row, 1> format_row(std::string_view mnemonic) {
  return {avx_scalar<scalar_to_scalar<In, Out, convert>>(mnemonic, kConvert)};
}

// clang-format off
constexpr auto kRows = join(
    widen_rows<int8_t, int16_t>("vpmovsxbw"),    widen_rows<int8_t, int32_t>("vpmovsxbd"),    widen_rows<int8_t, int64_t>("vpmovsxbq"),
    widen_rows<int16_t, int32_t>("vpmovsxwd"),   widen_rows<int16_t, int64_t>("vpmovsxwq"),   widen_rows<int32_t, int64_t>("vpmovsxdq"),
    widen_rows<uint8_t, uint16_t>("vpmovzxbw"),  widen_rows<uint8_t, uint32_t>("vpmovzxbd"),  widen_rows<uint8_t, uint64_t>("vpmovzxbq"),
    widen_rows<uint16_t, uint32_t>("vpmovzxwd"), widen_rows<uint16_t, uint64_t>("vpmovzxwq"), widen_rows<uint32_t, uint64_t>("vpmovzxdq"),
    packed_row<int32_t, uint32_t, integer_to_single>("vcvtdq2ps"), packed_row<int32_t, uint64_t, integer_to_double>("vcvtdq2pd"),
    packed_row<uint32_t, uint32_t, to_dword<uint32_t, false>>("vcvtps2dq"), packed_row<uint32_t, uint32_t, to_dword<uint32_t, true>>("vcvttps2dq"),
    packed_row<uint64_t, uint32_t, to_dword<uint64_t, false>>("vcvtpd2dq"), packed_row<uint64_t, uint32_t, to_dword<uint64_t, true>>("vcvttpd2dq"),
    packed_row<uint32_t, uint64_t, single_to_double>("vcvtps2pd"), packed_row<uint64_t, uint32_t, double_to_single>("vcvtpd2ps"),
    packed_row<uint16_t, uint32_t, half_to_single, Feature::f16c>("vcvtph2ps"),
    std::array<Row, 1>{avx_pair<singles_to_halves<4>, singles_to_halves<8>>("vcvtps2ph", kConvert, Feature::f16c)},
    scalar_row("vcvtss2si", select_to_integer<uint32_t, false>), scalar_row("vcvttss2si", select_to_integer<uint32_t, true>),
    scalar_row("vcvtsd2si", select_to_integer<uint64_t, false>), scalar_row("vcvttsd2si", select_to_integer<uint64_t, true>),
    scalar_row("vcvtsi2ss", select_from_integer<uint32_t>),      scalar_row("vcvtsi2sd", select_from_integer<uint64_t>),
    format_row<uint32_t, uint64_t, single_to_double>("vcvtss2sd"), format_row<uint64_t, uint32_t, double_to_single>("vcvtsd2ss"));
// clang-format on

}  // namespace

std::span<const Row> avx_convert_rows() { return kRows; }

}  // namespace vitrine::emu
