// Every SSE, FMA and F16C floating-point operation equals the host processor, bits and flags.
#include <catch2/catch.hpp>

#include <functional>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "emu/cpu/softfloat/arithmetic.h"
#include "emu/cpu/softfloat/compare.h"
#include "emu/cpu/softfloat/convert.h"
#include "tests/emu/cpu/softfloat/host_processor.h"
#include "tests/emu/cpu/softfloat/operands.h"
#include "tests/skip.h"

namespace vitrine::emu::softfloat {
namespace {

// What an operation reads and what it leaves.
struct Case {
  uint64_t a;
  uint64_t b;
  uint64_t c;
};
enum class In : uint8_t { f32, f64, half, i32, i64 };
enum class Out : uint8_t { xmm32, xmm64, xmm16, eax, rax, comis };

struct Operation {
  std::string name;
  std::vector<uint8_t> bytes;
  In in;
  Out out;
  std::function<uint64_t(Env&, const Case&)> soft;
  host::Feature feature = host::Feature::baseline;
};

uint64_t operand(Operands& operands, In in, const uint64_t* other) {
  switch (in) {
    case In::f32:
      return other != nullptr ? operands.near(static_cast<uint32_t>(*other))
                              : operands.value<uint32_t>();
    case In::f64: return other != nullptr ? operands.near(*other) : operands.value<uint64_t>();
    case In::half: return operands.bits() & 0xffff;
    case In::i32: return operands.bits() >> (32 + operands.below(32));
    case In::i64: {
      const uint64_t bits = operands.bits();
      const uint32_t shift = operands.below(64);
      return static_cast<uint64_t>(static_cast<int64_t>(bits) >> shift);
    }
  }
  return 0;
}

uint64_t visible(Out out, const host::SseResult& result) {
  switch (out) {
    case Out::xmm16: return result.xmm0[0] & 0xffff;
    case Out::xmm32: return result.xmm0[0] & 0xffff'ffff;
    case Out::xmm64: return result.xmm0[0];
    case Out::eax: return result.rax & 0xffff'ffff;
    case Out::rax: return result.rax;
    case Out::comis: return result.rflags & 0x45;
  }
  return 0;
}

std::string describe(const Operation& op, uint32_t mxcsr, const Case& c, uint64_t soft,
                     uint8_t soft_flags, uint64_t hard, uint8_t hard_flags) {
  std::ostringstream text;
  text << std::hex << op.name << " mxcsr " << mxcsr << " a " << c.a << " b " << c.b << " c " << c.c
       << ": soft " << soft << " flags " << int{soft_flags} << ", host " << hard << " flags "
       << int{hard_flags};
  return text.str();
}

void compare_with_host(const Operation& op, uint32_t cases, bool unmasked) {
  const host::Instruction instruction(host::Instruction::Kind::sse, op.bytes);
  Operands operands(0x5eed + op.name.size() * 977 + op.bytes.back());
  uint32_t failures = 0;
  for (uint32_t i = 0; i < cases; ++i) {
    Case c{};
    c.a = operand(operands, op.in, nullptr);
    c.b = operand(operands, op.in, &c.a);
    c.c = operand(operands, op.in, &c.b);
    const uint32_t control = operands.below(16);
    const uint32_t masks = unmasked ? operands.below(64) : 0x3f;
    const uint32_t mxcsr = masks << 7 | (control & 3) << 13 | ((control & 4) != 0 ? 0x0040u : 0) |
                           ((control & 8) != 0 ? 0x8000u : 0);
    Env env = Env::from_mxcsr(mxcsr);
    const uint64_t soft = op.soft(env, c);
    const host::SseResult hard = instruction.sse(mxcsr, c.a, c.b, c.c, c.b);
    const bool trapped = env.unmasked() != 0;
    const bool same_value = trapped || soft == visible(op.out, hard);
    if (same_value && trapped == hard.trapped && env.reported() == hard.flags) continue;
    if (++failures > 4) break;
    FAIL_CHECK(describe(op, mxcsr, c, soft, env.reported(), visible(op.out, hard), hard.flags));
  }
  CHECK(failures == 0);
}

template <class T>
T as(uint64_t bits) {
  return static_cast<T>(bits);
}

// The scalar instruction bytes: prefix F3 for single, F2 for double; 0F; opcode; xmm0, xmm1.
template <Binary T>
void add_binary(std::vector<Operation>& list, const std::string& name, uint8_t opcode,
                T (*soft)(Env&, T, T)) {
  constexpr bool kSingle = sizeof(T) == 4;
  list.push_back({.name = name + (kSingle ? "ss" : "sd"),
                  .bytes = {uint8_t{kSingle ? 0xf3 : 0xf2}, 0x0f, opcode, 0xc1},
                  .in = kSingle ? In::f32 : In::f64,
                  .out = kSingle ? Out::xmm32 : Out::xmm64,
                  .soft = [soft](Env& env, const Case& c) -> uint64_t {
                    return soft(env, as<T>(c.a), as<T>(c.b));
                  }});
}

template <Binary T>
void add_all_binary(std::vector<Operation>& list) {
  add_binary<T>(list, "add", 0x58, add<T>);
  add_binary<T>(list, "mul", 0x59, mul<T>);
  add_binary<T>(list, "sub", 0x5c, sub<T>);
  add_binary<T>(list, "min", 0x5d, min<T>);
  add_binary<T>(list, "div", 0x5e, div<T>);
  add_binary<T>(list, "max", 0x5f, max<T>);
  add_binary<T>(list, "sqrt", 0x51, [](Env& env, T, T b) { return sqrt(env, b); });
}

template <Binary T>
void add_compares(std::vector<Operation>& list) {
  constexpr bool kSingle = sizeof(T) == 4;
  for (uint8_t signaling = 0; signaling < 2; ++signaling) {
    const uint8_t opcode = signaling != 0 ? 0x2f : 0x2e;
    std::vector<uint8_t> bytes = {0x0f, opcode, 0xc1};
    if (!kSingle) bytes.insert(bytes.begin(), 0x66);
    list.push_back({.name = signaling != 0 ? "comis" : "ucomis",
                    .bytes = bytes,
                    .in = kSingle ? In::f32 : In::f64,
                    .out = Out::comis,
                    .soft = [signaling](Env& env, const Case& c) -> uint64_t {
                      switch (compare(env, as<T>(c.a), as<T>(c.b), signaling != 0)) {
                        case Relation::less: return 0x01;
                        case Relation::equal: return 0x40;
                        case Relation::greater: return 0x00;
                        case Relation::unordered: break;
                      }
                      return 0x45;
                    }});
  }
  for (uint8_t predicate = 0; predicate < 32; ++predicate) {
    const uint8_t pp = kSingle ? 2 : 3;
    list.push_back({.name = "vcmp",
                    .bytes = {0xc5, uint8_t(0xf8 | pp), 0xc2, 0xc1, predicate},
                    .in = kSingle ? In::f32 : In::f64,
                    .out = kSingle ? Out::xmm32 : Out::xmm64,
                    .soft = [predicate](Env& env, const Case& c) -> uint64_t {
                      return holds(env, as<T>(c.a), as<T>(c.b), predicate) ? T(~T{0}) : T{0};
                    },
                    .feature = host::Feature::avx});
  }
}

template <Binary T>
void add_rounding(std::vector<Operation>& list) {
  constexpr bool kSingle = sizeof(T) == 4;
  for (uint8_t imm = 0; imm < 16; ++imm) {
    list.push_back({.name = kSingle ? "roundss" : "roundsd",
                    .bytes = {0x66, 0x0f, 0x3a, uint8_t{kSingle ? 0x0a : 0x0b}, 0xc1, imm},
                    .in = kSingle ? In::f32 : In::f64,
                    .out = kSingle ? Out::xmm32 : Out::xmm64,
                    .soft = [imm](Env& env, const Case& c) -> uint64_t {
                      const Rounding rounding =
                          (imm & 4) != 0 ? env.rounding : static_cast<Rounding>(imm & 3);
                      return round_to_integral(env, as<T>(c.b), rounding, (imm & 8) == 0);
                    },
                    .feature = host::Feature::sse41});
  }
}

template <Binary T>
void add_integers(std::vector<Operation>& list) {
  constexpr bool kSingle = sizeof(T) == 4;
  constexpr uint8_t kPrefix = kSingle ? 0xf3 : 0xf2;
  const In in = kSingle ? In::f32 : In::f64;
  const Out out = kSingle ? Out::xmm32 : Out::xmm64;
  for (uint8_t truncate = 0; truncate < 2; ++truncate) {
    const uint8_t opcode = truncate != 0 ? 0x2c : 0x2d;
    const auto rounding = [truncate](const Env& env) {
      return truncate != 0 ? Rounding::toward_zero : env.rounding;
    };
    list.push_back({.name = "cvt2si",
                    .bytes = {kPrefix, 0x0f, opcode, 0xc1},
                    .in = in,
                    .out = Out::eax,
                    .soft = [rounding](Env& env, const Case& c) -> uint64_t {
                      return static_cast<uint32_t>(
                          to_integer<int32_t>(env, as<T>(c.b), rounding(env)));
                    }});
    list.push_back({.name = "cvt2si64",
                    .bytes = {kPrefix, 0x48, 0x0f, opcode, 0xc1},
                    .in = in,
                    .out = Out::rax,
                    .soft = [rounding](Env& env, const Case& c) -> uint64_t {
                      return static_cast<uint64_t>(
                          to_integer<int64_t>(env, as<T>(c.b), rounding(env)));
                    }});
  }
  list.push_back({.name = "cvtsi2",
                  .bytes = {kPrefix, 0x0f, 0x2a, 0xc0},
                  .in = In::i32,
                  .out = out,
                  .soft = [](Env& env, const Case& c) -> uint64_t {
                    return from_integer<T>(env, static_cast<int32_t>(c.b));
                  }});
  list.push_back({.name = "cvtsi642",
                  .bytes = {kPrefix, 0x48, 0x0f, 0x2a, 0xc0},
                  .in = In::i64,
                  .out = out,
                  .soft = [](Env& env, const Case& c) -> uint64_t {
                    return from_integer<T>(env, static_cast<int64_t>(c.b));
                  }});
}

void add_conversions(std::vector<Operation>& list) {
  list.push_back({.name = "cvtss2sd",
                  .bytes = {0xf3, 0x0f, 0x5a, 0xc1},
                  .in = In::f32,
                  .out = Out::xmm64,
                  .soft = [](Env& env, const Case& c) -> uint64_t {
                    return to_binary64(env, as<uint32_t>(c.b));
                  }});
  list.push_back(
      {.name = "cvtsd2ss",
       .bytes = {0xf2, 0x0f, 0x5a, 0xc1},
       .in = In::f64,
       .out = Out::xmm32,
       .soft = [](Env& env, const Case& c) -> uint64_t { return to_binary32(env, c.b); }});
  list.push_back({.name = "vcvtph2ps",
                  .bytes = {0xc4, 0xe2, 0x79, 0x13, 0xc1},
                  .in = In::half,
                  .out = Out::xmm32,
                  .soft = [](Env& env, const Case& c) -> uint64_t {
                    return from_half(env, as<uint16_t>(c.b));
                  },
                  .feature = host::Feature::f16c});
  for (uint8_t imm = 0; imm < 5; ++imm) {
    list.push_back({.name = "vcvtps2ph",
                    .bytes = {0xc4, 0xe3, 0x79, 0x1d, 0xc8, imm},
                    .in = In::f32,
                    .out = Out::xmm16,
                    .soft = [imm](Env& env, const Case& c) -> uint64_t {
                      if ((imm & 4) == 0) env.rounding = static_cast<Rounding>(imm & 3);
                      return to_half(env, as<uint32_t>(c.b));
                    },
                    .feature = host::Feature::f16c});
  }
}

// VFMADD132/213/231 xmm0, xmm1, xmm2 with the digits' meaning: multiplicand, multiplier, addend.
template <Binary T>
void add_fused(std::vector<Operation>& list) {
  constexpr bool kSingle = sizeof(T) == 4;
  for (const uint8_t form : {uint8_t{0x99}, uint8_t{0xa9}, uint8_t{0xb9}}) {
    for (uint8_t kind = 0; kind < 4; ++kind) {
      const FusedSigns signs = {.negate_product = kind >= 2, .negate_addend = (kind & 1) != 0};
      list.push_back(
          {.name = "fma",
           .bytes = {0xc4, 0xe2, uint8_t{kSingle ? 0x71 : 0xf1}, uint8_t(form + 2 * kind), 0xc2},
           .in = kSingle ? In::f32 : In::f64,
           .out = kSingle ? Out::xmm32 : Out::xmm64,
           .soft = [form, signs](Env& env, const Case& c) -> uint64_t {
             const T x = as<T>(c.a);
             const T y = as<T>(c.b);
             const T z = as<T>(c.c);
             if (form == 0x99) return fma(env, x, z, y, signs);
             if (form == 0xa9) return fma(env, y, x, z, signs);
             return fma(env, y, z, x, signs);
           },
           .feature = host::Feature::fma});
    }
  }
}

std::vector<Operation> operations() {
  std::vector<Operation> list;
  add_all_binary<uint32_t>(list);
  add_all_binary<uint64_t>(list);
  add_compares<uint32_t>(list);
  add_compares<uint64_t>(list);
  add_rounding<uint32_t>(list);
  add_rounding<uint64_t>(list);
  add_integers<uint32_t>(list);
  add_integers<uint64_t>(list);
  add_conversions(list);
  add_fused<uint32_t>(list);
  add_fused<uint64_t>(list);
  return list;
}

// Enough that the whole list makes several million cases.
uint32_t case_count(const Operation& op) {
  if (op.name == "vcmp" || op.name == "roundss" || op.name == "roundsd") return 10'000;
  if (op.name == "fma") return 60'000;
  return 100'000;
}

void compare_all(bool unmasked) {
  if (!host::is_x86()) {
    test::skip(test::SkipReason::no_x86_host);
    return;
  }
  for (const Operation& op : operations()) {
    if (!host::has(op.feature)) {
      test::skip(test::SkipReason::no_x86_host, "without " + op.name);
      continue;
    }
    // A delivered #XM costs microseconds.
    compare_with_host(op, unmasked ? case_count(op) / 50 : case_count(op), unmasked);
  }
}

TEST_CASE("SSE operations equal the host processor with exceptions masked", "[softfloat]") {
  compare_all(false);
}

TEST_CASE("SSE operations raise #XM exactly where the host processor does", "[softfloat]") {
  compare_all(true);
}

}  // namespace
}  // namespace vitrine::emu::softfloat
