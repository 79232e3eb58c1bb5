// x87 comparison: FCOM, FUCOM, FICOM, FCOMI, FUCOMI with their popping forms, FTST, FXAM.
#include "emu/cpu/handlers/x87.h"
#include "emu/cpu/softfloat/compare.h"

namespace vitrine::emu {

namespace {

namespace sf = softfloat;
using sf::Env;
using sf::F80;
using sf::Relation;

constexpr uint16_t kUnordered = fsw::c0 | fsw::c2 | fsw::c3;

uint16_t conditions_of(Relation relation) {
  switch (relation) {
    case Relation::greater: return 0;
    case Relation::less: return fsw::c0;
    case Relation::equal: return fsw::c3;
    case Relation::unordered: break;
  }
  return kUnordered;
}

/// How many registers a form pops, and whether quiet NaNs are invalid.
struct Kind {
  bool signaling;
  unsigned pops;
};
constexpr Kind kCom{true, 0}, kComp{true, 1}, kCompp{true, 2};
constexpr Kind kUcom{false, 0}, kUcomp{false, 1}, kUcompp{false, 2};

template <Kind kind>
void pop_all(X87State& x) {
  for (unsigned i = 0; i < kind.pops; ++i) st_pop(x);
}

// Manual says that an unmasked invalid operation leaves the condition codes alone; hardware sets
// them, and does not pop.
template <Kind kind>
void unordered_by_absence(X87State& x) {
  const bool masked = x87_stack_fault(x, StackFault::underflow);
  x87_set_conditions(x, kUnordered);
  if (masked) pop_all<kind>(x);
}

template <Kind kind>
void compare_top(X87State& x, Env& env, F80 source) {
  const Relation relation = sf::compare(env, st_read(x, 0), source, kind.signaling);
  const bool masked = x87_report(x, env);
  x87_set_conditions(x, conditions_of(relation));
  if (masked) pop_all<kind>(x);
}

// FCOM ST(i); FCOMP ST(i); FCOMPP; FUCOM ST(i) and so on
template <Kind kind>
void with_register(X87State& x, const Insn& insn) {
  // FUCOMP alone is decoded with ST(0) as an operand.
  const unsigned named = insn.op[1] == kNoOperand ? insn.op[0] : insn.op[1];
  const unsigned i = kind.pops == 2 ? 1 : named;
  if (st_empty(x, 0) || st_empty(x, i)) return unordered_by_absence<kind>(x);
  Env env = Env::from_fcw(x.fcw);
  compare_top<kind>(x, env, st_read(x, i));
}

// FCOM m32; FCOM m64; FICOM m16; FICOM m32
template <class T, Kind kind, bool integer>
void with_memory(X87State& x, T operand) {
  if (st_empty(x, 0)) return unordered_by_absence<kind>(x);
  Env env = Env::from_fcw(x.fcw);
  F80 source;
  if constexpr (integer) {
    Env exact;
    source = sf::from_integer<F80>(exact, as_signed(operand));
  } else {
    source = sf::memory_operand<T>(env, operand);
  }
  compare_top<kind>(x, env, source);
}

// FTST
void ftst(X87State& x, const Insn&) {
  if (st_empty(x, 0)) return unordered_by_absence<kCom>(x);
  Env env = Env::from_fcw(x.fcw);
  compare_top<kCom>(x, env, F80{});
}

// FXAM: SDM FXAM, table "FXAM Results"; C1 is the sign, of an empty register too
void fxam(X87State& x, const Insn&) {
  const F80 value = st_read(x, 0);
  unsigned conditions = fsw::c2;  // a normal number
  if (st_empty(x, 0)) {
    conditions = fsw::c3 | fsw::c0;
  } else if (sf::is_unsupported(value)) {
    conditions = 0;
  } else if (sf::is_nan(value)) {
    conditions = fsw::c0;
  } else if (sf::is_infinite(value)) {
    conditions = fsw::c2 | fsw::c0;
  } else if (sf::is_zero(value)) {
    conditions = fsw::c3;
  } else if (sf::is_denormal(value)) {
    conditions = fsw::c3 | fsw::c2;
  }
  if (sf::sign_of(value)) conditions |= fsw::c1;
  x87_set_conditions(x, static_cast<uint16_t>(conditions));
}

/// SDM "FCOMI": ZF, PF, CF tell the relation; OF, SF, AF are cleared.
uint64_t flags_of(Relation relation) {
  switch (relation) {
    case Relation::greater: return 0;
    case Relation::less: return flag::cf;
    case Relation::equal: return flag::zf;
    case Relation::unordered: break;
  }
  return flag::zf | flag::pf | flag::cf;
}

// FCOMI ST(0), ST(i); FUCOMI, FCOMIP, FUCOMIP
template <Kind kind>
Flow fcomi(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  Relation relation = Relation::unordered;
  bool masked;
  if (st_empty(x, 0) || st_empty(x, insn.op[1])) {
    masked = x87_stack_fault(x, StackFault::underflow);
  } else {
    Env env = Env::from_fcw(x.fcw);
    relation = sf::compare(env, st_read(x, 0), st_read(x, insn.op[1]), kind.signaling);
    masked = x87_report(x, env);
  }
  cpu.state.flags.set_arithmetic(flags_of(relation));
  if (masked) pop_all<kind>(x);
  x87_note_pointers(cpu, insn);
  return Flow::next;
}

template <Kind kind>
Handler select_compare(const Decoded& d) {
  if (!is_memory(d.operands[0])) return x87_registers<with_register<kind>>;
  return d.operands[0].bits == 32 ? x87_source<uint32_t, with_memory<uint32_t, kind, false>>
                                  : x87_source<uint64_t, with_memory<uint64_t, kind, false>>;
}
template <Kind kind>
Handler select_integer(const Decoded& d) {
  return d.operands[0].bits == 16 ? x87_source<uint16_t, with_memory<uint16_t, kind, true>>
                                  : x87_source<uint32_t, with_memory<uint32_t, kind, true>>;
}

template <Kind kind>
constexpr Row flags_row(std::string_view mnemonic) {
  return x87_row(mnemonic, x87_always<fcomi<kind>>, CostClass::x87_simple, {.written = flag::all});
}

constexpr auto kRows = std::to_array<Row>({
    x87_row("fcom", select_compare<kCom>),
    x87_row("fcomp", select_compare<kComp>),
    x87_row("fcompp", x87_always<x87_registers<with_register<kCompp>>>),
    x87_row("fucom", select_compare<kUcom>),
    x87_row("fucomp", select_compare<kUcomp>),
    x87_row("fucompp", x87_always<x87_registers<with_register<kUcompp>>>),
    x87_row("ficom", select_integer<kCom>),
    x87_row("ficomp", select_integer<kComp>),
    flags_row<kCom>("fcomi"),
    flags_row<kComp>("fcomip"),
    flags_row<kUcom>("fucomi"),
    flags_row<kUcomp>("fucomip"),
    x87_row("ftst", x87_always<x87_registers<ftst>>),
    x87_row("fxam", x87_always<x87_registers<fxam>>),
});

}  // namespace

std::span<const Row> x87_compare_rows() { return kRows; }

}  // namespace vitrine::emu
