// Every x87 operation but the transcendentals equals the host processor: value, flags, C0 to C3.
#include <catch2/catch.hpp>

#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "emu/cpu/softfloat/arithmetic.h"
#include "emu/cpu/softfloat/compare.h"
#include "emu/cpu/softfloat/convert.h"
#include "emu/cpu/softfloat/x87.h"
#include "tests/emu/cpu/softfloat/host_processor.h"
#include "tests/emu/cpu/softfloat/operands.h"
#include "tests/skip.h"

namespace vitrine::emu::softfloat {
namespace {

using Memory = std::array<uint64_t, 2>;

constexpr uint16_t kC0 = 0x0100;
constexpr uint16_t kC1 = 0x0200;
constexpr uint16_t kC2 = 0x0400;
constexpr uint16_t kC3 = 0x4000;
constexpr uint16_t kConditions = kC0 | kC1 | kC2 | kC3;

// What an instruction leaves; it starts as what it found.
struct State {
  F80 st0;
  F80 st1;
  Memory memory;
  uint16_t conditions = 0;
};

enum class Source : uint8_t { none, f32, f64, i16, i32, i64, decimal };

struct Operation {
  std::string name;
  std::vector<uint8_t> bytes;
  std::function<void(Env&, State&)> soft;
  Source source = Source::none;
  bool pushes = false;
  bool pops = false;
  bool stores = false;
  bool own_conditions = false;  // Otherwise C1 tells of rounding up.
};

F80 popped() { return Format<F80>::kIndefinite; }

uint16_t conditions_of(Relation relation) {
  switch (relation) {
    case Relation::greater: return 0;
    case Relation::less: return kC0;
    case Relation::equal: return kC3;
    case Relation::unordered: break;
  }
  return kC0 | kC2 | kC3;
}

uint16_t conditions_of(const Remainder& r) {
  return static_cast<uint16_t>((r.partial ? kC2 : 0) | ((r.quotient & 1) != 0 ? kC1 : 0) |
                               ((r.quotient & 2) != 0 ? kC3 : 0) |
                               ((r.quotient & 4) != 0 ? kC0 : 0));
}

void set_memory(Memory& memory, uint64_t value, uint32_t size) {
  std::memcpy(memory.data(), &value, size);
}

void add_arithmetic(std::vector<Operation>& list) {
  using Binary80 = F80 (*)(Env&, F80, F80);
  const auto add_one = [&](const char* name, uint8_t opcode, Binary80 operation, bool reversed) {
    list.push_back(
        {.name = name, .bytes = {0xd8, opcode}, .soft = [operation, reversed](Env& env, State& s) {
           s.st0 = reversed ? operation(env, s.st1, s.st0) : operation(env, s.st0, s.st1);
         }});
  };
  add_one("fadd", 0xc1, add<F80>, false);
  add_one("fmul", 0xc9, mul<F80>, false);
  add_one("fsub", 0xe1, sub<F80>, false);
  add_one("fsubr", 0xe9, sub<F80>, true);
  add_one("fdiv", 0xf1, div<F80>, false);
  add_one("fdivr", 0xf9, div<F80>, true);
  list.push_back({.name = "fsqrt", .bytes = {0xd9, 0xfa}, .soft = [](Env& env, State& s) {
                    s.st0 = sqrt(env, s.st0);
                  }});
  list.push_back({.name = "frndint", .bytes = {0xd9, 0xfc}, .soft = [](Env& env, State& s) {
                    s.st0 = round_to_integral(env, s.st0, env.rounding, true);
                  }});
  list.push_back({.name = "fscale", .bytes = {0xd9, 0xfd}, .soft = [](Env& env, State& s) {
                    s.st0 = scale(env, s.st0, s.st1);
                  }});
  list.push_back({.name = "fxtract", .bytes = {0xd9, 0xf4}, .soft = [](Env& env, State& s) {
                    const Extracted e = extract(env, s.st0);
                    s.st0 = e.significand;
                    s.st1 = e.exponent;
                  }});
  for (const bool nearest : {false, true}) {
    list.push_back({.name = nearest ? "fprem1" : "fprem",
                    .bytes = {0xd9, uint8_t(nearest ? 0xf5 : 0xf8)},
                    .soft =
                        [nearest](Env& env, State& s) {
                          const Remainder r = nearest ? remainder_nearest(env, s.st0, s.st1)
                                                      : remainder_truncating(env, s.st0, s.st1);
                          s.st0 = r.value;
                          s.conditions = conditions_of(r);
                        },
                    .own_conditions = true});
    list.push_back(
        {.name = nearest ? "fucom" : "fcom",
         .bytes = nearest ? std::vector<uint8_t>{0xdd, 0xe1} : std::vector<uint8_t>{0xd8, 0xd1},
         .soft =
             [nearest](Env& env, State& s) {
               s.conditions = conditions_of(compare(env, s.st0, s.st1, !nearest));
             },
         .own_conditions = true});
  }
}

template <Binary T>
F80 operand_of(Env& env, const State& s) {
  T value = 0;
  std::memcpy(&value, s.memory.data(), sizeof value);
  return memory_operand(env, value);
}

template <Binary T>
void add_memory_arithmetic(std::vector<Operation>& list) {
  constexpr uint8_t kOpcode = sizeof(T) == 4 ? 0xd8 : 0xdc;
  constexpr uint8_t kLoad = sizeof(T) == 4 ? 0xd9 : 0xdd;
  const Source source = sizeof(T) == 4 ? Source::f32 : Source::f64;
  using Binary80 = F80 (*)(Env&, F80, F80);
  const auto add_one = [&](const char* name, uint8_t modrm, Binary80 operation) {
    list.push_back({.name = name,
                    .bytes = {kOpcode, modrm, 0x40},
                    .soft =
                        [operation](Env& env, State& s) {
                          const F80 b = operand_of<T>(env, s);
                          s.st0 = operation(env, s.st0, b);
                        },
                    .source = source});
  };
  add_one("fadd m", 0x47, add<F80>);
  add_one("fmul m", 0x4f, mul<F80>);
  add_one("fsub m", 0x67, sub<F80>);
  add_one("fdiv m", 0x77, div<F80>);
  list.push_back({.name = "fcom m",
                  .bytes = {kOpcode, 0x57, 0x40},
                  .soft =
                      [](Env& env, State& s) {
                        const F80 b = operand_of<T>(env, s);
                        s.conditions = conditions_of(compare(env, s.st0, b, true));
                      },
                  .source = source,
                  .own_conditions = true});
  list.push_back({.name = "fld m",
                  .bytes = {kLoad, 0x47, 0x40},
                  .soft =
                      [](Env& env, State& s) {
                        T value = 0;
                        std::memcpy(&value, s.memory.data(), sizeof value);
                        s.st1 = s.st0;
                        s.st0 = load(env, value);
                      },
                  .source = source,
                  .pushes = true});
  list.push_back({.name = "fst m",
                  .bytes = {kLoad, 0x57, 0x40},
                  .soft =
                      [](Env& env, State& s) {
                        const T value = store<T>(env, s.st0);
                        set_memory(s.memory, value, sizeof value);
                      },
                  .stores = true});
}

template <SignedInteger I>
void add_integer_stores(std::vector<Operation>& list, std::vector<uint8_t> rounding_form,
                        bool rounding_pops, uint8_t truncating_opcode) {
  for (const bool truncating : {false, true}) {
    list.push_back(
        {.name = truncating ? "fisttp" : "fist",
         .bytes = truncating ? std::vector<uint8_t>{truncating_opcode, 0x4f, 0x40} : rounding_form,
         .soft =
             [truncating, rounding_pops](Env& env, State& s) {
               const I value =
                   to_integer<I>(env, s.st0, truncating ? Rounding::toward_zero : env.rounding);
               set_memory(s.memory, static_cast<uint64_t>(value), sizeof value);
               if (truncating || rounding_pops) s = {s.st1, popped(), s.memory};
             },
         .pops = truncating || rounding_pops,
         .stores = true});
  }
}

void add_moves(std::vector<Operation>& list) {
  add_integer_stores<int16_t>(list, {0xdf, 0x57, 0x40}, false, 0xdf);
  add_integer_stores<int32_t>(list, {0xdb, 0x57, 0x40}, false, 0xdb);
  add_integer_stores<int64_t>(list, {0xdf, 0x7f, 0x40}, true, 0xdd);
  list.push_back({.name = "fild m64",
                  .bytes = {0xdf, 0x6f, 0x40},
                  .soft =
                      [](Env& env, State& s) {
                        s.st1 = s.st0;
                        s.st0 = from_integer<F80>(env, static_cast<int64_t>(s.memory[0]));
                      },
                  .source = Source::i64,
                  .pushes = true});
  list.push_back({.name = "fbld",
                  .bytes = {0xdf, 0x67, 0x40},
                  .soft =
                      [](Env&, State& s) {
                        PackedDecimal decimal{};
                        std::memcpy(decimal.data(), s.memory.data(), decimal.size());
                        s.st1 = s.st0;
                        s.st0 = from_decimal(decimal);
                      },
                  .source = Source::decimal,
                  .pushes = true});
  list.push_back({.name = "fbstp",
                  .bytes = {0xdf, 0x77, 0x40},
                  .soft =
                      [](Env& env, State& s) {
                        const PackedDecimal decimal = to_decimal(env, s.st0);
                        std::memcpy(s.memory.data(), decimal.data(), decimal.size());
                        s = {s.st1, popped(), s.memory};
                      },
                  .pops = true,
                  .stores = true});
  for (uint8_t i = 0; i < 5; ++i) {
    list.push_back({.name = "fldconst",
                    .bytes = {0xd9, uint8_t(0xe9 + i)},
                    .soft =
                        [i](Env& env, State& s) {
                          s.st1 = s.st0;
                          s.st0 = constant(env, static_cast<Constant>(i));
                        },
                    .pushes = true});
  }
}

Memory source_operand(Operands& operands, Source source) {
  switch (source) {
    case Source::none: break;
    case Source::f32: return {operands.value<uint32_t>(), 0};
    case Source::f64: return {operands.value<uint64_t>(), 0};
    case Source::i16:
    case Source::i32:
    case Source::i64: {
      const uint64_t bits = operands.bits();
      return {bits >> operands.below(64), 0};
    }
    case Source::decimal: {
      PackedDecimal decimal{};
      for (size_t i = 0; i < 9; ++i) {
        const uint32_t low = operands.below(10);
        decimal[i] = static_cast<uint8_t>(operands.below(10) << 4 | low);
      }
      decimal[9] = operands.below(2) != 0 ? 0x80 : 0;
      Memory memory{};
      std::memcpy(memory.data(), decimal.data(), decimal.size());
      return memory;
    }
  }
  return {0x1122'3344'5566'7788, 0x99aa};
}

std::string describe(const Operation& op, uint16_t fcw, const State& before, const State& soft,
                     const Env& env, const host::X87Result& hard) {
  std::ostringstream text;
  const auto value = [&](const F80& x) { text << x.sign_exponent << ':' << x.significand << ' '; };
  text << std::hex << op.name << ' ' << int{op.bytes[0]} << ' ' << int{op.bytes[1]} << " fcw "
       << fcw << " a ";
  value(before.st0);
  text << "b ";
  value(before.st1);
  text << "m " << before.memory[0] << "\n  soft ";
  value(soft.st0);
  value(soft.st1);
  text << soft.memory[1] << '.' << soft.memory[0] << " flags " << int{env.reported()} << " c "
       << soft.conditions << "\n  host ";
  value(hard.st0);
  value(hard.st1);
  text << hard.memory[1] << '.' << hard.memory[0] << " flags " << (hard.status & 0x3f) << " c "
       << (hard.status & kConditions);
  return text.str();
}

void compare_with_host(const Operation& op, uint32_t cases) {
  const host::Instruction instruction(host::Instruction::Kind::x87, op.bytes);
  Operands operands(0x87 + uint64_t{op.bytes[0]} * 256 + op.bytes[1]);
  uint32_t failures = 0;
  for (uint32_t i = 0; i < cases; ++i) {
    State before;
    before.st0 = operands.extended();
    before.st1 = operands.near(before.st0);
    before.memory = source_operand(operands, op.source);
    const uint32_t unmasked = operands.below(2) != 0 ? operands.below(64) : 0;
    const uint16_t fcw = static_cast<uint16_t>(operands.below(16) << 8 | (0x3f & ~unmasked));
    Env env = Env::from_fcw(fcw);
    State soft = before;
    op.soft(env, soft);
    if (!op.own_conditions) {
      soft.conditions = (env.reported() & kInexact) != 0 && env.rounded_up ? kC1 : 0;
    }
    const uint8_t pending = env.unmasked();
    const bool pushed_anyway = op.pushes && (pending & kPreComputation) == kDenormal;
    const bool blocked = ((pending & kPreComputation) != 0 && !pushed_anyway) ||
                         (op.stores && (pending & (kOverflow | kUnderflow)) != 0);
    if (blocked) {
      const uint16_t conditions = soft.conditions;
      soft = before;
      soft.conditions = conditions;
    }
    const host::X87Result hard = instruction.x87(fcw, before.st0, before.st1, before.memory);
    const bool same = soft.st0 == hard.st0 && soft.st1 == hard.st1 && soft.memory == hard.memory &&
                      env.reported() == (hard.status & kAllExceptions) &&
                      (blocked || soft.conditions == (hard.status & kConditions));
    if (same) continue;
    if (++failures > 4) break;
    FAIL_CHECK(describe(op, fcw, before, soft, env, hard));
  }
  CHECK(failures == 0);
}

TEST_CASE("x87 operations equal the host processor in value, flags and condition codes",
          "[softfloat]") {
  if (!host::is_x86()) {
    test::skip(test::SkipReason::no_x86_host);
    return;
  }
  std::vector<Operation> list;
  add_arithmetic(list);
  add_memory_arithmetic<uint32_t>(list);
  add_memory_arithmetic<uint64_t>(list);
  add_moves(list);
  for (const Operation& op : list) compare_with_host(op, 100'000);
}

}  // namespace
}  // namespace vitrine::emu::softfloat
