// x87 loads, stores and stack control: FLD, FST(P), FILD, FIST(P), FISTTP, FBLD, FBSTP, FXCH,
// FCMOVcc, FINCSTP, FDECSTP, FFREE, FFREEP.
#include "emu/cpu/handlers/x87.h"
#include "emu/cpu/softfloat/x87.h"

namespace vitrine::emu {

namespace {

namespace sf = softfloat;
using sf::Env;
using sf::F80;

// --- Loads ---

/// Pushes what needs no rounding and raises nothing.
void push_exact(X87State& x, F80 value) {
  x87_clear_conditions(x, fsw::c1);
  x87_push_result(x, value);
}

// FILD m16; FILD m32; FILD m64
template <class T>
void fild(X87State& x, T operand) {
  Env env;
  push_exact(x, sf::from_integer<F80>(env, as_signed(operand)));
}

// FLD m32; FLD m64: an unmasked denormal exception does not keep the value from being pushed
template <class T>
void fld(X87State& x, T operand) {
  if (!st_empty(x, 7)) return x87_push_result(x, kX87Indefinite);
  Env env = Env::from_fcw(x.fcw);
  const F80 value = sf::load<T>(env, operand);
  x87_report(x, env);
  if ((env.unmasked() & sf::kInvalid) == 0) st_push(x, value);
}

// FLD m80
void fld_extended(X87State& x, const X87Bytes& operand) { push_exact(x, x87_from_bytes(operand)); }

// FBLD m80
void fbld(X87State& x, const X87Bytes& operand) {
  sf::PackedDecimal decimal;
  std::memcpy(decimal.data(), operand.data(), operand.size());
  push_exact(x, sf::from_decimal(decimal));
}

// FLD ST(i). Decided: an empty source counts before a full stack, for it is read before TOP moves.
void fld_register(X87State& x, const Insn& insn) {
  if (!st_empty(x, insn.op[0])) return push_exact(x, st_read(x, insn.op[0]));
  if (x87_stack_fault(x, StackFault::underflow)) st_push(x, kX87Indefinite);
}

// --- Stores; nothing is stored when an unmasked exception forbids it ---

template <class T, auto convert, bool pops>
std::optional<T> store_top(X87State& x) {
  T value;
  if (st_empty(x, 0)) {
    if (!x87_stack_fault(x, StackFault::underflow)) return std::nullopt;
    Env quiet;
    value = convert(quiet, kX87Indefinite);
  } else {
    Env env = Env::from_fcw(x.fcw);
    value = convert(env, st_read(x, 0));
    if (!x87_report(x, env, X87Destination::memory)) return std::nullopt;
  }
  if constexpr (pops) st_pop(x);
  return value;
}

template <class T>
T to_integer(Env& env, F80 value) {
  return static_cast<T>(sf::to_integer<std::make_signed_t<T>, F80>(env, value, env.rounding));
}
template <class T>
T to_integer_truncated(Env& env, F80 value) {
  return static_cast<T>(
      sf::to_integer<std::make_signed_t<T>, F80>(env, value, sf::Rounding::toward_zero));
}
X87Bytes to_extended(Env&, F80 value) { return x87_to_bytes(value); }
X87Bytes to_decimal(Env& env, F80 value) {
  const sf::PackedDecimal decimal = sf::to_decimal(env, value);
  X87Bytes bytes;
  std::memcpy(bytes.data(), decimal.data(), bytes.size());
  return bytes;
}

// FST ST(i); FSTP ST(i)
template <bool pops>
void fst_register(X87State& x, const Insn& insn) {
  F80 value = kX87Indefinite;
  if (st_empty(x, 0)) {
    if (!x87_stack_fault(x, StackFault::underflow)) return;
  } else {
    value = st_read(x, 0);
    x87_clear_conditions(x, fsw::c1);
  }
  st_write(x, insn.op[0], value);
  if constexpr (pops) st_pop(x);
}

// FSTPNCE ST(i), an alias of FSTP that does not check for an empty ST(0) and then only pops
void fstp_unchecked(X87State& x, const Insn& insn) {
  if (!st_empty(x, 0)) st_write(x, insn.op[0], st_read(x, 0));
  x87_clear_conditions(x, fsw::c1);
  st_pop(x);
}

// --- The stack ---

// FXCH ST(i)
void fxch(X87State& x, const Insn& insn) {
  const unsigned i = insn.op[0];
  const bool fault = st_empty(x, 0) || st_empty(x, i);
  if (fault && !x87_stack_fault(x, StackFault::underflow)) return;
  if (!fault) x87_clear_conditions(x, fsw::c1);
  const F80 top = st_empty(x, 0) ? kX87Indefinite : st_read(x, 0);
  const F80 other = st_empty(x, i) ? kX87Indefinite : st_read(x, i);
  st_write(x, 0, other);
  st_write(x, i, top);
}

// FINCSTP; FDECSTP
template <unsigned distance>
void rotate(X87State& x, const Insn&) {
  st_rotate(x, distance);
  x87_clear_conditions(x, fsw::c1);
}

// FFREE ST(i); FFREEP ST(i). Decided: C1 is cleared; the manual leaves all four undefined.
template <bool pops>
void ffree(X87State& x, const Insn& insn) {
  x87_clear_conditions(x, fsw::c1);
  st_free(x, insn.op[0]);
  if constexpr (pops) st_pop(x);
}

// FCMOVcc ST(0), ST(i). Decided: C1 changes with a stack underflow only, as the manual words it.
template <unsigned cc>
Flow fcmov(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  if (st_empty(x, 0) || st_empty(x, insn.op[1])) {
    if (x87_stack_fault(x, StackFault::underflow)) st_write(x, 0, kX87Indefinite);
  } else if (holds<cc>(cpu.state.flags)) {
    st_write(x, 0, st_read(x, insn.op[1]));
  }
  x87_note_pointers(cpu, insn);
  return Flow::next;
}

// --- Forms ---

Handler select_fild(const Decoded& d) {
  switch (d.operands[0].bits) {
    case 16: return x87_source<uint16_t, fild<uint16_t>>;
    case 32: return x87_source<uint32_t, fild<uint32_t>>;
    default: return x87_source<uint64_t, fild<uint64_t>>;
  }
}

template <class T, bool truncating, bool pops>
constexpr Handler kFist =
    x87_target<T, store_top<T, truncating ? to_integer_truncated<T> : to_integer<T>, pops>>;
template <bool truncating, bool pops>
Handler select_fist(const Decoded& d) {
  switch (d.operands[0].bits) {
    case 16: return kFist<uint16_t, truncating, pops>;
    case 32: return kFist<uint32_t, truncating, pops>;
    default: return kFist<uint64_t, truncating, pops>;
  }
}

Handler select_fld(const Decoded& d) {
  if (!is_memory(d.operands[0])) return x87_registers<fld_register>;
  switch (d.operands[0].bits) {
    case 32: return x87_source<uint32_t, fld<uint32_t>>;
    case 64: return x87_source<uint64_t, fld<uint64_t>>;
    default: return x87_source<X87Bytes, fld_extended>;
  }
}

template <bool pops>
Handler select_fst(const Decoded& d) {
  if (!is_memory(d.operands[0])) return x87_registers<fst_register<pops>>;
  switch (d.operands[0].bits) {
    case 32: return x87_target<uint32_t, store_top<uint32_t, sf::store<uint32_t>, pops>>;
    case 64: return x87_target<uint64_t, store_top<uint64_t, sf::store<uint64_t>, pops>>;
    default: return x87_target<X87Bytes, store_top<X87Bytes, to_extended, pops>>;
  }
}

constexpr Handler kFbstp = x87_target<X87Bytes, store_top<X87Bytes, to_decimal, true>>;

template <unsigned cc>
constexpr Row fcmov_row(std::string_view mnemonic) {
  return x87_row(mnemonic, x87_always<fcmov<cc>>, CostClass::x87_simple,
                 {.read = condition_flags(cc)});
}

constexpr auto kRows = std::to_array<Row>({
    x87_row("fild", select_fild),
    x87_row("fist", select_fist<false, false>),
    x87_row("fistp", select_fist<false, true>),
    x87_row("fisttp", select_fist<true, true>, CostClass::x87_simple, {}, Feature::sse3),
    x87_row("fld", select_fld),
    x87_row("fst", select_fst<false>),
    x87_row("fstp", select_fst<true>),
    x87_row("fstpnce", x87_always<x87_registers<fstp_unchecked>>),
    x87_row("fbld", x87_always<x87_source<X87Bytes, fbld>>, CostClass::x87_state),
    x87_row("fbstp", x87_always<kFbstp>, CostClass::x87_state),
    x87_row("fxch", x87_always<x87_registers<fxch>>),
    x87_row("fincstp", x87_always<x87_registers<rotate<1>>>),
    x87_row("fdecstp", x87_always<x87_registers<rotate<7>>>),
    x87_row("ffree", x87_always<x87_registers<ffree<false>>>),
    x87_row("ffreep", x87_always<x87_registers<ffree<true>>>),
    fcmov_row<0x2>("fcmovb"),
    fcmov_row<0x3>("fcmovnb"),
    fcmov_row<0x4>("fcmove"),
    fcmov_row<0x5>("fcmovne"),
    fcmov_row<0x6>("fcmovbe"),
    fcmov_row<0x7>("fcmovnbe"),
    fcmov_row<0xA>("fcmovu"),
    fcmov_row<0xB>("fcmovnu"),
});

}  // namespace

std::span<const Row> x87_move_rows() { return kRows; }

}  // namespace vitrine::emu
