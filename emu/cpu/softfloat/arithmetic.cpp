// Add, subtract, multiply, divide, square root, fused multiply-add, minimum and maximum.
//
// Every operation asks in the order of SDM "Priority Among Simultaneous Exceptions and Interrupts"
// for floating point: unsupported encodings and signaling NaNs, quiet NaNs, other invalid operands
// and division by zero, denormal operands, and only then rounds.
#include "emu/cpu/softfloat/arithmetic.h"

#include <optional>

namespace vitrine::emu::softfloat {
namespace {

// The answer if either operand is a NaN or no number at all.
template <Float T>
std::optional<T> not_numbers(Env& env, T a, T b) {
  if (is_unsupported(a) || is_unsupported(b)) return invalid<T>(env);
  if (is_nan(a) || is_nan(b)) return propagate_nan(env, a, b);
  return std::nullopt;
}

template <Float T>
void note_denormals(Env& env, T a, T b) {
  if (is_denormal(a) || is_denormal(b) || env.source_denormal) env.raise(kDenormal);
}

// The special cases of a + (negate ? -b : b); nothing when the sum is to be computed.
template <Float T>
std::optional<T> special_sum(Env& env, T& a, T& b, bool negate) {
  if (const auto answer = not_numbers(env, a, b)) return answer;
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  const bool b_sign = sign_of(b) != negate;
  if (is_infinite(a) && is_infinite(b) && sign_of(a) != b_sign) return invalid<T>(env);
  note_denormals(env, a, b);
  if (is_infinite(a)) return a;
  if (is_infinite(b)) return with_sign(b, b_sign);
  if (env.stops_before_computation()) return a;
  return std::nullopt;
}

template <Float T>
T add_or_subtract(Env& env, T a, T b, bool negate) {
  if (!is_ordinary(a) || !is_ordinary(b) || env.source_denormal) {
    if (const auto answer = special_sum(env, a, b, negate)) return *answer;
  }
  Number y = unpack(b);
  y.sign = y.sign != negate;
  return round_result<T>(env, sum(widen(unpack(a)), widen(y), env.rounding));
}

template <Float T>
std::optional<T> special_product(Env& env, T& a, T& b) {
  if (const auto answer = not_numbers(env, a, b)) return answer;
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  if ((is_infinite(a) && is_zero(b)) || (is_zero(a) && is_infinite(b))) return invalid<T>(env);
  note_denormals(env, a, b);
  if (is_infinite(a) || is_infinite(b)) return signed_infinity<T>(sign_of(a) != sign_of(b));
  if (env.stops_before_computation()) return a;
  return std::nullopt;
}

template <Float T>
std::optional<T> special_quotient(Env& env, T& a, T& b) {
  if (const auto answer = not_numbers(env, a, b)) return answer;
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  const bool sign = sign_of(a) != sign_of(b);
  if (is_infinite(a) && is_infinite(b)) return invalid<T>(env);
  if (is_zero(a) && is_zero(b)) return invalid<T>(env);
  if (is_zero(b) && !is_infinite(a)) {
    env.raise(kDivideByZero);
    return signed_infinity<T>(sign);
  }
  note_denormals(env, a, b);
  if (is_infinite(a)) return signed_infinity<T>(sign);
  if (is_infinite(b)) return signed_zero<T>(sign);
  if (env.stops_before_computation()) return a;
  return std::nullopt;
}

// SDM "FMA Instruction Numeric Behavior": a NaN is taken from the multiplicand, the multiplier,
// then the addend.
template <Binary T>
std::optional<T> special_fused(Env& env, T& a, T& b, T& c, const FusedSigns& signs) {
  if (is_nan(a) || is_nan(b) || is_nan(c)) {
    if (is_signaling(a) || is_signaling(b) || is_signaling(c)) env.raise(kInvalid);
    return quieted(is_nan(a) ? a : is_nan(b) ? b : c);
  }
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  c = flush_operand(env, c);
  const bool product_sign = (sign_of(a) != sign_of(b)) != signs.negate_product;
  const bool addend_sign = sign_of(c) != signs.negate_addend;
  const bool infinite_product = is_infinite(a) || is_infinite(b);
  if (infinite_product && (is_zero(a) || is_zero(b))) return invalid<T>(env);
  if (infinite_product && is_infinite(c) && product_sign != addend_sign) return invalid<T>(env);
  note_denormals(env, a, b);
  note_denormals(env, c, c);
  if (infinite_product) return signed_infinity<T>(product_sign);
  if (is_infinite(c)) return signed_infinity<T>(addend_sign);
  if (env.stops_before_computation()) return a;
  return std::nullopt;
}

// Whether a < b, both numbers.
template <Binary T>
bool less(T a, T b) {
  if (sign_of(a) != sign_of(b)) return sign_of(a) && !(is_zero(a) && is_zero(b));
  return sign_of(a) ? magnitude(a) > magnitude(b) : magnitude(a) < magnitude(b);
}

template <Binary T>
T select(Env& env, T a, T b, bool want_less) {
  a = flush_operand(env, a);
  b = flush_operand(env, b);
  if (is_nan(a) || is_nan(b)) {
    env.raise(kInvalid);
    return b;
  }
  note_denormals(env, a, b);
  return (want_less ? less(a, b) : less(b, a)) ? a : b;
}

}  // namespace

template <Float T>
T add(Env& env, T a, T b) {
  return add_or_subtract(env, a, b, false);
}
template <Float T>
T sub(Env& env, T a, T b) {
  return add_or_subtract(env, a, b, true);
}

template <Float T>
T mul(Env& env, T a, T b) {
  if (!is_ordinary(a) || !is_ordinary(b) || env.source_denormal) {
    if (const auto answer = special_product(env, a, b)) return *answer;
  }
  return round_result<T>(env, product(unpack(a), unpack(b)));
}

template <Float T>
T div(Env& env, T a, T b) {
  if (!is_ordinary(a) || !is_ordinary(b) || env.source_denormal) {
    if (const auto answer = special_quotient(env, a, b)) return *answer;
  }
  return round_result<T>(env, quotient(unpack(a), unpack(b)));
}

template <Float T>
T sqrt(Env& env, T a) {
  if (!is_ordinary(a) || sign_of(a)) {
    if (const auto answer = not_numbers(env, a, a)) return *answer;
    a = flush_operand(env, a);
    if (is_zero(a)) return a;
    if (sign_of(a)) return invalid<T>(env);
    note_denormals(env, a, a);
    if (is_infinite(a)) return a;
    if (env.stops_before_computation()) return a;
  }
  return round_result<T>(env, square_root(unpack(a)));
}

template <Binary T>
T fma(Env& env, T a, T b, T c, FusedSigns signs) {
  if (!is_ordinary(a) || !is_ordinary(b) || !is_ordinary(c)) {
    if (const auto answer = special_fused(env, a, b, c, signs)) return *answer;
  }
  Unrounded p = product(unpack(a), unpack(b));
  p.sign = p.sign != signs.negate_product;
  Number addend = unpack(c);
  addend.sign = addend.sign != signs.negate_addend;
  return round_to<T>(env, sum(p, widen(addend), env.rounding));
}

template <Binary T>
T min(Env& env, T a, T b) {
  return select(env, a, b, true);
}
template <Binary T>
T max(Env& env, T a, T b) {
  return select(env, a, b, false);
}

template uint32_t add(Env&, uint32_t, uint32_t);
template uint64_t add(Env&, uint64_t, uint64_t);
template F80 add(Env&, F80, F80);
template uint32_t sub(Env&, uint32_t, uint32_t);
template uint64_t sub(Env&, uint64_t, uint64_t);
template F80 sub(Env&, F80, F80);
template uint32_t mul(Env&, uint32_t, uint32_t);
template uint64_t mul(Env&, uint64_t, uint64_t);
template F80 mul(Env&, F80, F80);
template uint32_t div(Env&, uint32_t, uint32_t);
template uint64_t div(Env&, uint64_t, uint64_t);
template F80 div(Env&, F80, F80);
template uint32_t sqrt(Env&, uint32_t);
template uint64_t sqrt(Env&, uint64_t);
template F80 sqrt(Env&, F80);
template uint32_t fma(Env&, uint32_t, uint32_t, uint32_t, FusedSigns);
template uint64_t fma(Env&, uint64_t, uint64_t, uint64_t, FusedSigns);
template uint32_t min(Env&, uint32_t, uint32_t);
template uint64_t min(Env&, uint64_t, uint64_t);
template uint32_t max(Env&, uint32_t, uint32_t);
template uint64_t max(Env&, uint64_t, uint64_t);

}  // namespace vitrine::emu::softfloat
