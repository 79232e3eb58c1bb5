// What the AVX floating-point files share: packed and scalar frames through the integer softfloat.
#pragma once

#include "emu/cpu/handlers/avx.h"
#include "emu/cpu/handlers/vector_float.h"

namespace vitrine::emu {

// Vxxx{PS,PD} v, v, v/m and v, v/m
template <size_t lanes, class T, Operation<T> operation>
Flow avx_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const size_t last = last_source(insn);
  const auto second = vector_source<lanes>(cpu, insn, last);
  if (!second) return cpu.raise(second.error());
  Env env = environment(cpu);
  auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[last - 1]));
  const auto y = elements_of<T>(*second);
  for (size_t i = 0; i < x.size(); ++i) x[i] = operation(env, x[i], y[i]);
  if (stops(cpu, env, flow)) return flow;
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(x));
  return Flow::next;
}

// Vxxx{SS,SD} xmm, xmm, xmm/m32/64: the rest comes from the first source
template <class T, Operation<T> operation>
Flow avx_single(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto second = scalar<T>(cpu, insn, 2);
  if (!second) return cpu.raise(second.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[1]));
  x[0] = operation(env, x[0], *second);
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

/// The rest of the row of an instruction that exists in both widths with one feature.
template <Handler narrow, Handler wide>
constexpr Row avx_pair(std::string_view mnemonic, CostClass cost = CostClass::sse_alu,
                       Feature feature = Feature::avx) {
  return avx_row(mnemonic, select_vex<narrow, wide>, cost, feature);
}
/// VEX.L does not count.
template <Handler handler>
constexpr Row avx_scalar(std::string_view mnemonic, CostClass cost = CostClass::sse_alu,
                         Feature feature = Feature::avx) {
  return avx_row(mnemonic, select_vex<handler, handler>, cost, feature);
}

}  // namespace vitrine::emu
