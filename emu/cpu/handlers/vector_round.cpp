// SSE4.1 floating point: rounding to integral values and dot products.
#include "emu/cpu/handlers/vector_float.h"

namespace vitrine::emu {

namespace {

// ROUNDPS, ROUNDPD xmm, xmm/m128, imm8
template <class T>
Flow round_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<T>(*source);
  for (T& lane : x) lane = round<T>(env, lane, insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}
// ROUNDSS, ROUNDSD xmm, xmm/m32/64, imm8
template <class T>
Flow round_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = scalar<T>(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  x[0] = round<T>(env, *source, insn.imm);
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// DPPS, DPPD xmm, xmm/m128, imm8
// SDM "DPPS": exceptions are determined separately for each multiplication and addition, in their
// order; an unmasked one keeps what follows from being computed.
template <class T>
Flow dot_product(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  const auto y = as<T>(*source);
  Env env = environment(cpu);
  for (size_t i = 0; i < x.size(); ++i) {
    const bool taken = (insn.imm >> (4 + i) & 1) != 0;
    x[i] = taken ? sf::mul<T>(env, x[i], y[i]) : T{0};
  }
  if (stops(cpu, env, flow)) return flow;
  for (size_t width = x.size(); width > 1; width /= 2) {
    env.flags = 0;
    for (size_t i = 0; i < width / 2; ++i) x[i] = sf::add<T>(env, x[2 * i], x[2 * i + 1]);
    if (stops(cpu, env, flow)) return flow;
  }
  const T sum = x[0];
  for (size_t i = 0; i < x.size(); ++i) x[i] = (insn.imm >> i & 1) != 0 ? sum : T{0};
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

constexpr Row round_row(std::string_view mnemonic, Handler (*select)(const Decoded&)) {
  return sse_row(mnemonic, select, CostClass::sse_convert, Feature::sse4_1);
}
constexpr Row dot_row(std::string_view mnemonic, Handler (*select)(const Decoded&)) {
  return sse_row(mnemonic, select, CostClass::sse_mul, Feature::sse4_1);
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    round_row("roundps", select_sse<round_packed<uint32_t>>), round_row("roundpd", select_sse<round_packed<uint64_t>>),
    round_row("roundss", select_sse<round_scalar<uint32_t>>), round_row("roundsd", select_sse<round_scalar<uint64_t>>),
    dot_row("dpps", select_sse<dot_product<uint32_t>>),       dot_row("dppd", select_sse<dot_product<uint64_t>>),
});
// clang-format on

}  // namespace

std::span<const Row> vector_round_rows() { return kRows; }

}  // namespace vitrine::emu
