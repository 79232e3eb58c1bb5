// x87 arithmetic: FADD, FSUB, FMUL, FDIV in all their forms, FSQRT, FABS, FCHS, FRNDINT, FSCALE,
// FPREM, FPREM1, FXTRACT.
#include "emu/cpu/handlers/x87.h"
#include "emu/cpu/softfloat/arithmetic.h"
#include "emu/cpu/softfloat/x87.h"

namespace vitrine::emu {

namespace {

namespace sf = softfloat;
using sf::Env;
using sf::F80;

using Operation = F80 (*)(Env&, F80, F80);

/// b op a for FSUBR and FDIVR.
template <Operation operation>
F80 reversed(Env& env, F80 a, F80 b) {
  return operation(env, b, a);
}

/// ST(0) and another register must hold something; otherwise ST(0) takes the default.
bool operands_absent(X87State& x, unsigned source) {
  if (!st_empty(x, 0) && !st_empty(x, source)) return false;
  if (x87_stack_fault(x, StackFault::underflow)) st_write(x, 0, kX87Indefinite);
  return true;
}

// FADD ST(0), ST(i); FADD ST(i), ST(0); FADDP ST(i), ST(0)
template <Operation operation, bool pops>
void between_registers(X87State& x, const Insn& insn) {
  const unsigned destination = insn.op[0], source = insn.op[1];
  if (st_empty(x, destination) || st_empty(x, source)) {
    if (!x87_stack_fault(x, StackFault::underflow)) return;
    st_write(x, destination, kX87Indefinite);
  } else {
    Env env = Env::from_fcw(x.fcw);
    const F80 result = operation(env, st_read(x, destination), st_read(x, source));
    if (!x87_report(x, env)) return;
    st_write(x, destination, result);
  }
  if constexpr (pops) st_pop(x);
}

// FADD m32; FADD m64; FIADD m16; FIADD m32
template <class T, Operation operation, bool integer>
void with_memory(X87State& x, T operand) {
  if (operands_absent(x, 0)) return;
  Env env = Env::from_fcw(x.fcw);
  F80 source;
  if constexpr (integer) {
    Env exact;
    source = sf::from_integer<F80>(exact, as_signed(operand));
  } else {
    source = sf::memory_operand<T>(env, operand);
  }
  const F80 result = operation(env, st_read(x, 0), source);
  if (x87_report(x, env)) st_write(x, 0, result);
}

// FSQRT; FRNDINT
template <F80 (*operation)(Env&, F80)>
void of_top(X87State& x, const Insn&) {
  if (operands_absent(x, 0)) return;
  Env env = Env::from_fcw(x.fcw);
  const F80 result = operation(env, st_read(x, 0));
  if (x87_report(x, env)) st_write(x, 0, result);
}

F80 round_to_integral(Env& env, F80 value) {
  return sf::round_to_integral(env, value, env.rounding, true);
}

// FABS; FCHS: the sign of anything, without exceptions
template <bool clears>
void set_sign(X87State& x, const Insn&) {
  if (operands_absent(x, 0)) return;
  x87_clear_conditions(x, fsw::c1);
  const F80 value = st_read(x, 0);
  st_write(x, 0, sf::with_sign(value, !clears && !sf::sign_of(value)));
}

// FSCALE
void fscale(X87State& x, const Insn&) {
  if (operands_absent(x, 1)) return;
  Env env = Env::from_fcw(x.fcw);
  const F80 result = sf::scale(env, st_read(x, 0), st_read(x, 1));
  if (x87_report(x, env)) st_write(x, 0, result);
}

// FPREM; FPREM1: C2 asks to be executed again; otherwise C0, C3, C1 are the quotient's low bits, and
// C0 and C3 stay where there is none
template <sf::Remainder (*operation)(Env&, F80, F80)>
void remainder(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c2);
  if (operands_absent(x, 1)) return;
  Env env = Env::from_fcw(x.fcw);
  const sf::Remainder r = operation(env, st_read(x, 0), st_read(x, 1));
  if (x87_report(x, env)) st_write(x, 0, r.value);
  x87_clear_conditions(x, fsw::c1);
  if (!r.divided) return;
  const unsigned conditions = (r.partial ? fsw::c2 : 0u) | ((r.quotient & 1) != 0 ? fsw::c1 : 0u) |
                              ((r.quotient & 2) != 0 ? fsw::c3 : 0u) |
                              ((r.quotient & 4) != 0 ? fsw::c0 : 0u);
  x87_set_conditions(x, static_cast<uint16_t>(conditions));
}

// FXTRACT: the exponent replaces ST(0), the significand is pushed
void fxtract(X87State& x, const Insn&) {
  const bool underflow = st_empty(x, 0);
  if (underflow || !st_empty(x, 7)) {
    const StackFault fault = underflow ? StackFault::underflow : StackFault::overflow;
    if (!x87_stack_fault(x, fault)) return;
    st_write(x, 0, kX87Indefinite);
    st_push(x, kX87Indefinite);
    return;
  }
  Env env = Env::from_fcw(x.fcw);
  const sf::Extracted parts = sf::extract(env, st_read(x, 0));
  if (!x87_report(x, env)) return;
  st_write(x, 0, parts.exponent);
  st_push(x, parts.significand);
}

template <Operation operation>
Handler select_arithmetic(const Decoded& d) {
  if (!is_memory(d.operands[0])) return x87_registers<between_registers<operation, false>>;
  return d.operands[0].bits == 32 ? x87_source<uint32_t, with_memory<uint32_t, operation, false>>
                                  : x87_source<uint64_t, with_memory<uint64_t, operation, false>>;
}
template <Operation operation>
Handler select_integer(const Decoded& d) {
  return d.operands[0].bits == 16 ? x87_source<uint16_t, with_memory<uint16_t, operation, true>>
                                  : x87_source<uint32_t, with_memory<uint32_t, operation, true>>;
}
template <Operation operation>
constexpr auto kPopping = x87_always<x87_registers<between_registers<operation, true>>>;

constexpr Operation kAdd = sf::add<F80>, kMul = sf::mul<F80>;
constexpr Operation kSub = sf::sub<F80>, kSubR = reversed<sf::sub<F80>>;
constexpr Operation kDiv = sf::div<F80>, kDivR = reversed<sf::div<F80>>;

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    x87_row("fadd",    select_arithmetic<kAdd>),
    x87_row("fsub",    select_arithmetic<kSub>),
    x87_row("fsubr",   select_arithmetic<kSubR>),
    x87_row("fmul",    select_arithmetic<kMul>,  CostClass::x87_mul),
    x87_row("fdiv",    select_arithmetic<kDiv>,  CostClass::x87_div),
    x87_row("fdivr",   select_arithmetic<kDivR>, CostClass::x87_div),
    x87_row("faddp",   kPopping<kAdd>),
    x87_row("fsubp",   kPopping<kSub>),
    x87_row("fsubrp",  kPopping<kSubR>),
    x87_row("fmulp",   kPopping<kMul>,           CostClass::x87_mul),
    x87_row("fdivp",   kPopping<kDiv>,           CostClass::x87_div),
    x87_row("fdivrp",  kPopping<kDivR>,          CostClass::x87_div),
    x87_row("fiadd",   select_integer<kAdd>),
    x87_row("fisub",   select_integer<kSub>),
    x87_row("fisubr",  select_integer<kSubR>),
    x87_row("fimul",   select_integer<kMul>,     CostClass::x87_mul),
    x87_row("fidiv",   select_integer<kDiv>,     CostClass::x87_div),
    x87_row("fidivr",  select_integer<kDivR>,    CostClass::x87_div),
    x87_row("fsqrt",   x87_always<x87_registers<of_top<sf::sqrt<F80>>>>,      CostClass::x87_div),
    x87_row("frndint", x87_always<x87_registers<of_top<round_to_integral>>>,  CostClass::x87_div),
    x87_row("fabs",    x87_always<x87_registers<set_sign<true>>>),
    x87_row("fchs",    x87_always<x87_registers<set_sign<false>>>),
    x87_row("fscale",  x87_always<x87_registers<fscale>>,                     CostClass::x87_div),
    x87_row("fprem",   x87_always<x87_registers<remainder<sf::remainder_truncating>>>, CostClass::x87_div),
    x87_row("fprem1",  x87_always<x87_registers<remainder<sf::remainder_nearest>>>,    CostClass::x87_div),
    x87_row("fxtract", x87_always<x87_registers<fxtract>>,                    CostClass::x87_div),
});
// clang-format on

}  // namespace

std::span<const Row> x87_arithmetic_rows() { return kRows; }

}  // namespace vitrine::emu
