// x87 constants and transcendental functions: FLD1 and its like, FSIN, FCOS, FSINCOS, FPTAN, FPATAN,
// F2XM1, FYL2X, FYL2XP1.
#include "emu/cpu/handlers/x87.h"
#include "emu/cpu/softfloat/transcendental.h"
#include "emu/cpu/softfloat/x87.h"

namespace vitrine::emu {

namespace {

namespace sf = softfloat;
using sf::Env;
using sf::F80;

constexpr F80 kOne = {sf::kTopBit, 16383};

// FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2
template <sf::Constant which>
void load_constant(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c1);
  x87_push_result(x, sf::constant(Env::from_fcw(x.fcw), which));
}
// FLD1; FLDZ
template <bool one>
void load_exact(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c1);
  x87_push_result(x, one ? kOne : F80{});
}

/// ST(0) must hold something.
bool top_absent(X87State& x) {
  if (!st_empty(x, 0)) return false;
  if (x87_stack_fault(x, StackFault::underflow)) st_write(x, 0, kX87Indefinite);
  return true;
}

// FSIN; FCOS: C2 says that the operand is out of range and stays
template <sf::Trigonometric (*function)(Env&, F80)>
void of_angle(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c2);
  if (top_absent(x)) return;
  Env env = Env::from_fcw(x.fcw);
  const sf::Trigonometric result = function(env, st_read(x, 0));
  if (!x87_report(x, env)) return;
  if (result.out_of_range) {
    x.fsw |= fsw::c2;
  } else {
    st_write(x, 0, result.value);
  }
}

/// The functions with two results need a free register as well.
bool pair_impossible(X87State& x) {
  const bool underflow = st_empty(x, 0);
  if (!underflow && st_empty(x, 7)) return false;
  if (x87_stack_fault(x, underflow ? StackFault::underflow : StackFault::overflow)) {
    st_write(x, 0, kX87Indefinite);
    st_push(x, kX87Indefinite);
  }
  return true;
}

// FSINCOS
void fsincos(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c2);
  if (pair_impossible(x)) return;
  Env env = Env::from_fcw(x.fcw);
  const sf::SineCosine result = sf::sine_and_cosine(env, st_read(x, 0));
  if (!x87_report(x, env)) return;
  if (result.out_of_range) {
    x.fsw |= fsw::c2;
    return;
  }
  st_write(x, 0, result.sine);
  st_push(x, result.cosine);
}

// FPTAN: pushes 1.0 behind the tangent, or a NaN again
void fptan(X87State& x, const Insn&) {
  x87_clear_conditions(x, fsw::c2);
  if (pair_impossible(x)) return;
  Env env = Env::from_fcw(x.fcw);
  const sf::Trigonometric result = sf::tangent(env, st_read(x, 0));
  if (!x87_report(x, env)) return;
  if (result.out_of_range) {
    x.fsw |= fsw::c2;
    return;
  }
  st_write(x, 0, result.value);
  st_push(x, sf::is_nan(result.value) ? result.value : kOne);
}

// F2XM1
void f2xm1(X87State& x, const Insn&) {
  if (top_absent(x)) return;
  Env env = Env::from_fcw(x.fcw);
  const F80 result = sf::power_minus_one(env, st_read(x, 0));
  if (x87_report(x, env)) st_write(x, 0, result);
}

// FPATAN; FYL2X; FYL2XP1: of y = ST(1) and x = ST(0), into ST(1), and pop
template <F80 (*function)(Env&, F80, F80)>
void of_two(X87State& x, const Insn&) {
  F80 result = kX87Indefinite;
  if (st_empty(x, 0) || st_empty(x, 1)) {
    if (!x87_stack_fault(x, StackFault::underflow)) return;
  } else {
    Env env = Env::from_fcw(x.fcw);
    result = function(env, st_read(x, 1), st_read(x, 0));
    if (!x87_report(x, env)) return;
  }
  st_write(x, 1, result);
  st_pop(x);
}

template <auto body>
constexpr Row function_row(std::string_view mnemonic) {
  return x87_row(mnemonic, x87_always<x87_registers<body>>, CostClass::x87_transcendental);
}
template <auto body>
constexpr Row constant_row(std::string_view mnemonic) {
  return x87_row(mnemonic, x87_always<x87_registers<body>>);
}

constexpr auto kRows = std::to_array<Row>({
    constant_row<load_exact<true>>("fld1"),
    constant_row<load_exact<false>>("fldz"),
    constant_row<load_constant<sf::Constant::log2_10>>("fldl2t"),
    constant_row<load_constant<sf::Constant::log2_e>>("fldl2e"),
    constant_row<load_constant<sf::Constant::pi>>("fldpi"),
    constant_row<load_constant<sf::Constant::log10_2>>("fldlg2"),
    constant_row<load_constant<sf::Constant::ln_2>>("fldln2"),
    function_row<of_angle<sf::sine>>("fsin"),
    function_row<of_angle<sf::cosine>>("fcos"),
    function_row<fsincos>("fsincos"),
    function_row<fptan>("fptan"),
    function_row<of_two<sf::arc_tangent>>("fpatan"),
    function_row<f2xm1>("f2xm1"),
    function_row<of_two<sf::logarithm>>("fyl2x"),
    function_row<of_two<sf::logarithm_plus_one>>("fyl2xp1"),
});

}  // namespace

std::span<const Row> x87_function_rows() { return kRows; }

}  // namespace vitrine::emu
