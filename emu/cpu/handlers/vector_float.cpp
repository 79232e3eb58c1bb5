// SSE and SSE2 floating point: arithmetic, comparison and conversion through the integer softfloat.
#include "emu/cpu/handlers/vector_float.h"

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

// CMPPS, CMPPD, CMPSS, CMPSD xmm, xmm/m, imm8
template <class T, bool whole>
Flow compare_lanes(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  Lanes<T> y{};
  if constexpr (whole) {
    const auto source = xmm_source(cpu, insn);
    if (!source) return cpu.raise(source.error());
    y = as<T>(*source);
  } else {
    const auto source = scalar<T>(cpu, insn);
    if (!source) return cpu.raise(source.error());
    y[0] = *source;
  }
  const auto predicate = static_cast<uint8_t>(insn.imm & 7);
  for (size_t i = 0; i < (whole ? x.size() : 1); ++i) {
    x[i] = sf::holds<T>(env, x[i], y[i], predicate) ? static_cast<T>(~T{0}) : T{0};
  }
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}
/// CMPSD the string instruction has no explicit operands.
Handler select_cmpsd(const Decoded& d) {
  return d.operand_count == 3 ? select_sse<compare_lanes<uint64_t, false>>(d) : nullptr;
}

// COMISS, COMISD, UCOMISS, UCOMISD
template <class T, bool signaling>
Flow compare_flags(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
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

// --- Conversions ---

// CVT(T)SS2SI, CVT(T)SD2SI r, xmm/m
template <class T, class I, bool truncate>
Flow scalar_to_integer(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
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
  if (!sse_form(d)) return nullptr;
  return d.operands[0].bits == 64 ? scalar_to_integer<T, int64_t, truncate>
                                  : scalar_to_integer<T, int32_t, truncate>;
}

// CVTSI2SS, CVTSI2SD xmm, r/m
template <class T, class I>
Flow integer_to_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  using U = std::make_unsigned_t<I>;
  U source = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<U>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    source = *loaded;
  } else {
    source = cpu.reg<U>(insn.op[1]);
  }
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  x[0] = sf::from_integer<T>(env, static_cast<I>(source));
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}
template <class T>
Handler select_from_integer(const Decoded& d) {
  if (!sse_form(d)) return nullptr;
  return d.operands[1].bits == 64 ? integer_to_scalar<T, int64_t> : integer_to_scalar<T, int32_t>;
}

// CVTSS2SD, CVTSD2SS
template <bool widen>
Flow scalar_to_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  Env env = environment(cpu);
  Xmm result = read_xmm(cpu, insn.op[0]);
  if constexpr (widen) {
    const auto source = scalar<uint32_t>(cpu, insn);
    if (!source) return cpu.raise(source.error());
    result[0] = sf::to_binary64(env, *source);
  } else {
    const auto source = scalar<uint64_t>(cpu, insn);
    if (!source) return cpu.raise(source.error());
    auto lanes = as<uint32_t>(result);
    lanes[0] = sf::to_binary32(env, *source);
    result = from<uint32_t>(lanes);
  }
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], result);
  return Flow::next;
}

/// Packed conversions of the whole source, or of its low half (64 bits of memory).
template <Xmm (*convert)(Env&, const Xmm&), bool low_half>
Flow convert_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  Xmm value{};
  if constexpr (low_half) {
    const auto source = half(cpu, insn);
    if (!source) return cpu.raise(source.error());
    value[0] = *source;
  } else {
    const auto source = xmm_source(cpu, insn);
    if (!source) return cpu.raise(source.error());
    value = *source;
  }
  Env env = environment(cpu);
  const Xmm result = convert(env, value);
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], result);
  return Flow::next;
}

Xmm dq_to_ps(Env& env, const Xmm& a) {
  auto x = as<uint32_t>(a);
  for (auto& lane : x) lane = sf::from_integer<uint32_t>(env, as_signed(lane));
  return from<uint32_t>(x);
}
template <bool truncate>
Xmm ps_to_dq(Env& env, const Xmm& a) {
  auto x = as<uint32_t>(a);
  for (auto& lane : x) {
    lane = static_cast<uint32_t>(
        sf::to_integer<int32_t, uint32_t>(env, lane, rounding_of(env, truncate)));
  }
  return from<uint32_t>(x);
}
Xmm dq_to_pd(Env& env, const Xmm& a) {
  const auto x = as<uint32_t>(a);
  Xmm r{};
  for (size_t i = 0; i < 2; ++i) r[i] = sf::from_integer<uint64_t>(env, as_signed(x[i]));
  return r;
}
template <bool truncate>
Xmm pd_to_dq(Env& env, const Xmm& a) {
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < 2; ++i) {
    r[i] = static_cast<uint32_t>(
        sf::to_integer<int32_t, uint64_t>(env, a[i], rounding_of(env, truncate)));
  }
  return from<uint32_t>(r);
}
Xmm ps_to_pd(Env& env, const Xmm& a) {
  const auto x = as<uint32_t>(a);
  Xmm r{};
  for (size_t i = 0; i < 2; ++i) r[i] = sf::to_binary64(env, x[i]);
  return r;
}
Xmm pd_to_ps(Env& env, const Xmm& a) {
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < 2; ++i) r[i] = sf::to_binary32(env, a[i]);
  return from<uint32_t>(r);
}

template <class T, Operation<T> operation>
constexpr Row packed_row(std::string_view mnemonic, CostClass cost) {
  constexpr Feature feature = sizeof(T) == 4 ? Feature::sse : Feature::sse2;
  return sse_row(mnemonic, select_sse<packed<T, operation>>, cost, feature);
}
template <class T, Operation<T> operation>
constexpr Row single_row(std::string_view mnemonic, CostClass cost) {
  constexpr Feature feature = sizeof(T) == 4 ? Feature::sse : Feature::sse2;
  return sse_row(mnemonic, select_sse<single<T, operation>>, cost, feature);
}
template <Xmm (*convert)(Env&, const Xmm&), bool low_half>
constexpr Row convert_row(std::string_view mnemonic) {
  return sse_row(mnemonic, select_sse<convert_packed<convert, low_half>>, CostClass::sse_convert);
}

constexpr auto kMul = CostClass::sse_mul;
constexpr auto kAlu = CostClass::sse_alu;
constexpr auto kDiv = CostClass::sse_div;
constexpr auto kConvert = CostClass::sse_convert;

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    packed_row<uint32_t, sf::add>("addps", kAlu), packed_row<uint64_t, sf::add>("addpd", kAlu),
    single_row<uint32_t, sf::add>("addss", kAlu), single_row<uint64_t, sf::add>("addsd", kAlu),
    packed_row<uint32_t, sf::sub>("subps", kAlu), packed_row<uint64_t, sf::sub>("subpd", kAlu),
    single_row<uint32_t, sf::sub>("subss", kAlu), single_row<uint64_t, sf::sub>("subsd", kAlu),
    packed_row<uint32_t, sf::mul>("mulps", kMul), packed_row<uint64_t, sf::mul>("mulpd", kMul),
    single_row<uint32_t, sf::mul>("mulss", kMul), single_row<uint64_t, sf::mul>("mulsd", kMul),
    packed_row<uint32_t, sf::div>("divps", kDiv), packed_row<uint64_t, sf::div>("divpd", kDiv),
    single_row<uint32_t, sf::div>("divss", kDiv), single_row<uint64_t, sf::div>("divsd", kDiv),
    packed_row<uint32_t, sf::min>("minps", kAlu), packed_row<uint64_t, sf::min>("minpd", kAlu),
    single_row<uint32_t, sf::min>("minss", kAlu), single_row<uint64_t, sf::min>("minsd", kAlu),
    packed_row<uint32_t, sf::max>("maxps", kAlu), packed_row<uint64_t, sf::max>("maxpd", kAlu),
    single_row<uint32_t, sf::max>("maxss", kAlu), single_row<uint64_t, sf::max>("maxsd", kAlu),
    packed_row<uint32_t, square_root>("sqrtps", kDiv), packed_row<uint64_t, square_root>("sqrtpd", kDiv),
    single_row<uint32_t, square_root>("sqrtss", kDiv), single_row<uint64_t, square_root>("sqrtsd", kDiv),
    packed_row<uint32_t, reciprocal>("rcpps", kMul), single_row<uint32_t, reciprocal>("rcpss", kMul),
    packed_row<uint32_t, reciprocal_root>("rsqrtps", kMul), single_row<uint32_t, reciprocal_root>("rsqrtss", kMul),
    sse_row("cmpps", select_sse<compare_lanes<uint32_t, true>>, kAlu, Feature::sse),
    sse_row("cmppd", select_sse<compare_lanes<uint64_t, true>>),
    sse_row("cmpss", select_sse<compare_lanes<uint32_t, false>>, kAlu, Feature::sse),
    sse_row("cmpsd", select_cmpsd),
    sse_row("comiss",  select_sse<compare_flags<uint32_t, true>>,  kAlu, Feature::sse),
    sse_row("comisd",  select_sse<compare_flags<uint64_t, true>>),
    sse_row("ucomiss", select_sse<compare_flags<uint32_t, false>>, kAlu, Feature::sse),
    sse_row("ucomisd", select_sse<compare_flags<uint64_t, false>>),
    sse_row("cvtss2si",  select_to_integer<uint32_t, false>, kConvert, Feature::sse),
    sse_row("cvttss2si", select_to_integer<uint32_t, true>,  kConvert, Feature::sse),
    sse_row("cvtsd2si",  select_to_integer<uint64_t, false>, kConvert),
    sse_row("cvttsd2si", select_to_integer<uint64_t, true>,  kConvert),
    sse_row("cvtsi2ss",  select_from_integer<uint32_t>,      kConvert, Feature::sse),
    sse_row("cvtsi2sd",  select_from_integer<uint64_t>,      kConvert),
    sse_row("cvtss2sd",  select_sse<scalar_to_scalar<true>>,  kConvert),
    sse_row("cvtsd2ss",  select_sse<scalar_to_scalar<false>>, kConvert),
    convert_row<dq_to_ps, false>("cvtdq2ps"),        convert_row<ps_to_dq<false>, false>("cvtps2dq"),
    convert_row<ps_to_dq<true>, false>("cvttps2dq"), convert_row<dq_to_pd, true>("cvtdq2pd"),
    convert_row<pd_to_dq<false>, false>("cvtpd2dq"), convert_row<pd_to_dq<true>, false>("cvttpd2dq"),
    convert_row<ps_to_pd, true>("cvtps2pd"),         convert_row<pd_to_ps, false>("cvtpd2ps"),
});
// clang-format on

}  // namespace

std::span<const Row> vector_float_rows() { return kRows; }

std::span<const Row> sse_rows() {
  static const std::vector<Row> kAll = [] {
    std::vector<Row> all;
    for (const auto list :
         {vector_move_rows(), vector_integer_rows(), vector_float_rows(), vector_sse3_rows(),
          vector_sse41_rows(), vector_round_rows(), vector_string_rows(), vector_crypto_rows()}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace vitrine::emu
