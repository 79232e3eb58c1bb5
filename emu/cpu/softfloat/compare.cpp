// Comparison of floating-point values.
#include "emu/cpu/softfloat/compare.h"

#include <array>

namespace vitrine::emu::softfloat {
namespace {

// One compare predicate: for which relations it holds, and whether quiet NaNs are invalid.
struct Predicate {
  uint8_t imm8;
  bool less;
  bool equal;
  bool greater;
  bool unordered;
  bool signaling;
};

// SDM "Comparison Predicate for CMPPD and CMPPS Instructions".
// clang-format off
constexpr std::array<Predicate, 32> kPredicates = {{
    {0x00, false, true,  false, false, false},  // EQ_OQ
    {0x01, true,  false, false, false, true},   // LT_OS
    {0x02, true,  true,  false, false, true},   // LE_OS
    {0x03, false, false, false, true,  false},  // UNORD_Q
    {0x04, true,  false, true,  true,  false},  // NEQ_UQ
    {0x05, false, true,  true,  true,  true},   // NLT_US
    {0x06, false, false, true,  true,  true},   // NLE_US
    {0x07, true,  true,  true,  false, false},  // ORD_Q
    {0x08, false, true,  false, true,  false},  // EQ_UQ
    {0x09, true,  false, false, true,  true},   // NGE_US
    {0x0a, true,  true,  false, true,  true},   // NGT_US
    {0x0b, false, false, false, false, false},  // FALSE_OQ
    {0x0c, true,  false, true,  false, false},  // NEQ_OQ
    {0x0d, false, true,  true,  false, true},   // GE_OS
    {0x0e, false, false, true,  false, true},   // GT_OS
    {0x0f, true,  true,  true,  true,  false},  // TRUE_UQ
    {0x10, false, true,  false, false, true},   // EQ_OS
    {0x11, true,  false, false, false, false},  // LT_OQ
    {0x12, true,  true,  false, false, false},  // LE_OQ
    {0x13, false, false, false, true,  true},   // UNORD_S
    {0x14, true,  false, true,  true,  true},   // NEQ_US
    {0x15, false, true,  true,  true,  false},  // NLT_UQ
    {0x16, false, false, true,  true,  false},  // NLE_UQ
    {0x17, true,  true,  true,  false, true},   // ORD_S
    {0x18, false, true,  false, true,  true},   // EQ_US
    {0x19, true,  false, false, true,  false},  // NGE_UQ
    {0x1a, true,  true,  false, true,  false},  // NGT_UQ
    {0x1b, false, false, false, false, true},   // FALSE_OS
    {0x1c, true,  false, true,  false, true},   // NEQ_OS
    {0x1d, false, true,  true,  false, false},  // GE_OQ
    {0x1e, false, false, true,  false, false},  // GT_OQ
    {0x1f, true,  true,  true,  true,  true},   // TRUE_US
}};
// clang-format on

// In order, and the upper half is the lower with signaling inverted.
constexpr bool consistent() {
  for (unsigned i = 0; i < kPredicates.size(); ++i) {
    const Predicate& row = kPredicates[i];
    const Predicate& twin = kPredicates[i ^ 0x10];
    if (row.imm8 != i || row.signaling == twin.signaling) return false;
    if (row.less != twin.less || row.equal != twin.equal) return false;
    if (row.greater != twin.greater || row.unordered != twin.unordered) return false;
  }
  return true;
}
static_assert(consistent());

template <Float T>
Relation relation_of_numbers(T a, T b) {
  if (is_zero(a) && is_zero(b)) return Relation::equal;
  const bool negative = sign_of(a);
  if (negative != sign_of(b)) return negative ? Relation::less : Relation::greater;
  // Of two numbers of one sign; infinities are large finite numbers here.
  const Number x = unpack(a);
  const Number y = unpack(b);
  if (x.exponent == y.exponent && x.significand == y.significand) return Relation::equal;
  const bool smaller =
      x.exponent != y.exponent ? x.exponent < y.exponent : x.significand < y.significand;
  return smaller != negative ? Relation::less : Relation::greater;
}

}  // namespace

template <Float T>
Relation compare(Env& env, T a, T b, bool signaling) {
  if (is_unsupported(a) || is_unsupported(b)) {
    env.raise(kInvalid);
    return Relation::unordered;
  }
  if (is_nan(a) || is_nan(b)) {
    if (signaling || is_signaling(a) || is_signaling(b)) env.raise(kInvalid);
    return Relation::unordered;
  }
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  if (is_denormal(a) || is_denormal(b) || env.source_denormal) env.raise(kDenormal);
  return relation_of_numbers(a, b);
}

template <Binary T>
bool holds(Env& env, T a, T b, uint8_t predicate) {
  const Predicate& row = kPredicates[predicate & 0x1f];
  switch (compare(env, a, b, row.signaling)) {
    case Relation::less: return row.less;
    case Relation::equal: return row.equal;
    case Relation::greater: return row.greater;
    case Relation::unordered: break;
  }
  return row.unordered;
}

template Relation compare(Env&, uint32_t, uint32_t, bool);
template Relation compare(Env&, uint64_t, uint64_t, bool);
template Relation compare(Env&, F80, F80, bool);
template bool holds(Env&, uint32_t, uint32_t, uint8_t);
template bool holds(Env&, uint64_t, uint64_t, uint8_t);

}  // namespace vitrine::emu::softfloat
