// What the SSE floating-point files share: exceptions, scalar operands, frames of arithmetic.
#pragma once

#include "emu/cpu/handlers/vector.h"
#include "emu/cpu/softfloat/arithmetic.h"
#include "emu/cpu/softfloat/convert.h"

namespace vitrine::emu {

namespace sf = softfloat;
using sf::Env;

/// Reports the exceptions of one instruction. True when one is unmasked: then `flow` is #XM, or #UD
/// where the system has not said that it handles #XM, and nothing is written.
inline bool stops(Cpu& cpu, const Env& env, Flow& flow) {
  cpu.state.vector.mxcsr |= env.reported();
  if (env.unmasked() == 0) return false;
  const bool handled = (cpu.state.cr4 & arch::cr4::osxmmexcpt) != 0;
  flow = handled ? cpu.raise(arch::Vector::simd_floating_point) : cpu.raise(kUndefinedOpcode);
  return true;
}

inline Env environment(const Cpu& cpu) { return Env::from_mxcsr(cpu.state.vector.mxcsr); }

/// A scalar operand: the low lane of a register, or memory of its own size.
template <class T>
Result<T, Fault> scalar(Cpu& cpu, const Insn& insn, size_t index = 1) {
  if (insn.op[index] == kMemory) return cpu.load<T>(insn);
  return as<T>(read_xmm(cpu, insn.op[index]))[0];
}

/// The low half of a register, or 8 bytes of memory.
inline Result<uint64_t, Fault> half(Cpu& cpu, const Insn& insn) {
  return scalar<uint64_t>(cpu, insn);
}

inline sf::Rounding rounding_of(const Env& env, bool truncate) {
  return truncate ? sf::Rounding::toward_zero : env.rounding;
}

template <class T>
using Operation = T (*)(Env&, T, T);

// xxxPS, xxxPD xmm, xmm/m128
template <class T, Operation<T> operation>
Flow packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  const auto y = as<T>(*source);
  for (size_t i = 0; i < x.size(); ++i) x[i] = operation(env, x[i], y[i]);
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// xxxSS, xxxSD xmm, xmm/m32/64
template <class T, Operation<T> operation>
Flow single(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (sse_blocked(cpu, flow)) return flow;
  const auto source = scalar<T>(cpu, insn);
  if (!source) return cpu.raise(source.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  x[0] = operation(env, x[0], *source);
  if (stops(cpu, env, flow)) return flow;
  write_xmm(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

// ADDSUBPS, ADDSUBPD: even lanes are subtracted
template <class T>
Lanes<T> add_subtract(Env& env, const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    r[i] = i % 2 == 0 ? sf::sub<T>(env, x[i], y[i]) : sf::add<T>(env, x[i], y[i]);
  }
  return r;
}
// HADDPS, HADDPD, HSUBPS, HSUBPD
template <class T, Operation<T> operation>
Lanes<T> neighbours(Env& env, const Lanes<T>& x, const Lanes<T>& y) {
  Lanes<T> r{};
  constexpr size_t kHalf = r.size() / 2;
  for (size_t i = 0; i < kHalf; ++i) {
    r[i] = operation(env, x[2 * i], x[2 * i + 1]);
    r[i + kHalf] = operation(env, y[2 * i], y[2 * i + 1]);
  }
  return r;
}

// ROUNDPS and its like: imm8 chooses the rounding
template <class T>
T round(Env& env, T value, uint64_t imm) {
  const bool by_mxcsr = (imm & 4) != 0;
  const sf::Rounding rounding = by_mxcsr ? env.rounding : static_cast<sf::Rounding>(imm & 3);
  return sf::round_to_integral<T>(env, value, rounding, (imm & 8) == 0);
}

}  // namespace vitrine::emu
