// x87 loads, stores and stack control: FLD, FST(P), FILD, FIST(P), FXCH, FINCSTP, FDECSTP, FFREE.
#include "emu/cpu/handlers/x87.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

namespace sf = softfloat;
using sf::Env;
using sf::F80;

constexpr uint16_t kC1 = 0x0200;
constexpr F80 kIndefinite{0xC000000000000000, 0xFFFF};

unsigned physical(const X87State& x, unsigned i) { return ((x.fsw >> 11) + i) & 7; }
bool empty(const X87State& x, unsigned i) { return (x.valid >> physical(x, i) & 1) == 0; }
F80 read(const X87State& x, unsigned i) {
  const unsigned p = physical(x, i);
  return {x.significand[p], x.sign_exponent[p]};
}
void write(X87State& x, unsigned i, F80 value) {
  const unsigned p = physical(x, i);
  x.significand[p] = value.significand;
  x.sign_exponent[p] = value.sign_exponent;
  x.valid = static_cast<uint8_t>(x.valid | 1u << p);
}
void move_top(X87State& x, unsigned distance) {
  const unsigned top = ((x.fsw >> 11) + distance) & 7;
  x.fsw = static_cast<uint16_t>((x.fsw & ~0x3800) | top << 11);
}
void pop(X87State& x) {
  x.valid = static_cast<uint8_t>(x.valid & ~(1u << physical(x, 0)));
  move_top(x, 1);
}

/// SDM "Stack Overflow or Underflow Exception (#IS)": true when it is masked and a default is used.
bool stack_fault(X87State& x, bool overflow) {
  x.fsw = static_cast<uint16_t>((x.fsw & ~kC1) | 0x41 | (overflow ? kC1 : 0));
  x87_update_summary(x);
  return (x.fcw & 1) != 0;
}

/// Adds the exceptions of one operation to FSW. False when an unmasked one forbids the result.
bool report(X87State& x, const Env& env, bool to_memory) {
  x.fsw = static_cast<uint16_t>((x.fsw & ~kC1) | env.reported() | (env.rounded_up ? kC1 : 0));
  x87_update_summary(x);
  const uint8_t refusing = to_memory ? 0x1F : 0x07;
  return (env.unmasked() & refusing) == 0;
}

Flow push(Cpu& cpu, F80 value) {
  X87State& x = cpu.state.x87;
  if (!empty(x, 7)) {
    if (!stack_fault(x, true)) return Flow::next;
    value = kIndefinite;
  } else {
    x.fsw &= static_cast<uint16_t>(~kC1);
  }
  move_top(x, 7);
  write(x, 0, value);
  return Flow::next;
}

// FILD m16, m32, m64
template <class T>
Flow fild(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto value = cpu.load<T>(insn);
  if (!value) return cpu.raise(value.error());
  Env env = Env::from_fcw(0x037F);
  return push(cpu, sf::from_integer<F80>(env, as_signed(*value)));
}

// FIST, FISTP m16, m32, m64
template <class T, bool pops>
Flow fist(Cpu& cpu, const Insn& insn) {
  using I = std::make_signed_t<T>;
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  T value = static_cast<T>(T{1} << (kBits<T> - 1));  // the integer indefinite
  const X87State before = x;
  if (empty(x, 0)) {
    if (!stack_fault(x, false)) return Flow::next;
  } else {
    Env env = Env::from_fcw(x.fcw);
    value = static_cast<T>(sf::to_integer<I, F80>(env, read(x, 0), env.rounding));
    if (!report(x, env, true)) return Flow::next;
  }
  const auto stored = cpu.store<T>(insn, value);
  if (!stored) {
    x = before;
    return cpu.raise(stored.error());
  }
  if constexpr (pops) pop(x);
  return Flow::next;
}

// FLD m32, m64
template <class T>
Flow fld_memory(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto value = cpu.load<T>(insn);
  if (!value) return cpu.raise(value.error());
  X87State& x = cpu.state.x87;
  if (!empty(x, 7)) return push(cpu, kIndefinite);
  Env env = Env::from_fcw(x.fcw);
  const F80 wide = sf::load<T>(env, *value);
  x.fsw &= static_cast<uint16_t>(~kC1);
  x.fsw = static_cast<uint16_t>(x.fsw | env.reported());
  x87_update_summary(x);
  if ((env.unmasked() & 1) != 0) return Flow::next;  // an unmasked denormal still loads
  return push(cpu, wide);
}

// FLD m80
Flow fld_extended(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const uint64_t at = cpu.effective_address(insn);
  const auto low = cpu.load_at<uint64_t>(insn.segment, at, checked);
  if (!low) return cpu.raise(low.error());
  const auto high = cpu.load_at<uint16_t>(insn.segment, at + 8, checked);
  if (!high) return cpu.raise(high.error());
  return push(cpu, F80{*low, *high});
}

// FLD ST(i)
Flow fld_register(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  if (empty(x, insn.op[0])) {
    if (!stack_fault(x, false)) return Flow::next;
    move_top(x, 7);
    write(x, 0, kIndefinite);
    return Flow::next;
  }
  return push(cpu, read(x, insn.op[0]));
}

// FST, FSTP m32, m64
template <class T, bool pops>
Flow fst_memory(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  const X87State before = x;
  Env env = Env::from_fcw(x.fcw);
  const bool fault = empty(x, 0);
  if (fault && !stack_fault(x, false)) return Flow::next;
  Env quiet = Env::from_fcw(0x037F);
  const T value = fault ? sf::store<T>(quiet, kIndefinite) : sf::store<T>(env, read(x, 0));
  if (!fault && !report(x, env, true)) return Flow::next;
  const auto stored = cpu.store<T>(insn, value);
  if (!stored) {
    x = before;
    return cpu.raise(stored.error());
  }
  if constexpr (pops) pop(x);
  return Flow::next;
}

// FSTP m80
Flow fstp_extended(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  const X87State before = x;
  F80 value = kIndefinite;
  if (!empty(x, 0)) {
    value = read(x, 0);
    x.fsw &= static_cast<uint16_t>(~kC1);
  } else if (!stack_fault(x, false)) {
    return Flow::next;
  }
  std::array<std::byte, 10> bytes;
  std::memcpy(bytes.data(), &value.significand, 8);
  std::memcpy(bytes.data() + 8, &value.sign_exponent, 2);
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const auto stored =
      cpu.store_at(insn.segment, cpu.effective_address(insn), bytes, checked);
  if (!stored) {
    x = before;
    return cpu.raise(stored.error());
  }
  pop(x);
  return Flow::next;
}

// FST, FSTP ST(i)
template <bool pops>
Flow fst_register(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  F80 value = kIndefinite;
  if (!empty(x, 0)) {
    value = read(x, 0);
    x.fsw &= static_cast<uint16_t>(~kC1);
  } else if (!stack_fault(x, false)) {
    return Flow::next;
  }
  write(x, insn.op[0], value);
  if constexpr (pops) pop(x);
  return Flow::next;
}

// FXCH ST(i)
Flow fxch(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  const unsigned i = insn.op[1] == kNoOperand ? insn.op[0] : insn.op[1];
  const bool fault = empty(x, 0) || empty(x, i);
  if (fault && !stack_fault(x, false)) return Flow::next;
  if (!fault) x.fsw &= static_cast<uint16_t>(~kC1);
  const F80 top = empty(x, 0) ? kIndefinite : read(x, 0);
  const F80 other = empty(x, i) ? kIndefinite : read(x, i);
  write(x, 0, other);
  write(x, i, top);
  return Flow::next;
}

// FINCSTP, FDECSTP
template <unsigned distance>
Flow rotate(Cpu& cpu, const Insn&) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  move_top(cpu.state.x87, distance);
  cpu.state.x87.fsw &= static_cast<uint16_t>(~kC1);
  return Flow::next;
}

// FFREE ST(i)
Flow ffree(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  x.valid = static_cast<uint8_t>(x.valid & ~(1u << physical(x, insn.op[0])));
  return Flow::next;
}

template <Handler handler>
Handler select(const Decoded&) {
  return handler;
}
Handler select_fild(const Decoded& d) {
  switch (d.operands[0].bits) {
    case 16: return fild<uint16_t>;
    case 32: return fild<uint32_t>;
    default: return fild<uint64_t>;
  }
}
template <bool pops>
Handler select_fist(const Decoded& d) {
  switch (d.operands[0].bits) {
    case 16: return fist<uint16_t, pops>;
    case 32: return fist<uint32_t, pops>;
    default: return fist<uint64_t, pops>;
  }
}
Handler select_fld(const Decoded& d) {
  if (!is_memory(d.operands[0])) return fld_register;
  switch (d.operands[0].bits) {
    case 32: return fld_memory<uint32_t>;
    case 64: return fld_memory<uint64_t>;
    default: return fld_extended;
  }
}
template <bool pops>
Handler select_fst(const Decoded& d) {
  if (!is_memory(d.operands[0])) return fst_register<pops>;
  switch (d.operands[0].bits) {
    case 32: return fst_memory<uint32_t, pops>;
    case 64: return fst_memory<uint64_t, pops>;
    default: return fstp_extended;
  }
}

constexpr Row row(std::string_view mnemonic, Handler (*choose)(const Decoded&)) {
  return {mnemonic, Feature::x87, InsnClass::plain, CostClass::x87_simple, {}, choose};
}

constexpr auto kRows = std::to_array<Row>({
    row("fild", select_fild),
    row("fist", select_fist<false>),
    row("fistp", select_fist<true>),
    row("fld", select_fld),
    row("fst", select_fst<false>),
    row("fstp", select_fst<true>),
    row("fxch", select<fxch>),
    row("fincstp", select<rotate<1>>),
    row("fdecstp", select<rotate<7>>),
    row("ffree", select<ffree>),
});

}  // namespace

std::span<const Row> x87_move_rows() { return kRows; }

}  // namespace vitrine::emu
