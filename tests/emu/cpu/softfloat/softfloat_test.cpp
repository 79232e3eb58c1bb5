// Soft floating point against expectations written out from the manual: they hold on every host.
#include <catch2/catch.hpp>

#include <bit>

#include "emu/arch/wide.h"
#include "emu/cpu/softfloat/approximate.h"
#include "emu/cpu/softfloat/arithmetic.h"
#include "emu/cpu/softfloat/compare.h"
#include "emu/cpu/softfloat/convert.h"
#include "emu/cpu/softfloat/x87.h"

namespace vitrine::emu::softfloat {
namespace {

// The host's own notation for constants only; nothing is computed with these types.
constexpr uint64_t f64(double x) { return std::bit_cast<uint64_t>(x); }
constexpr uint32_t f32(float x) { return std::bit_cast<uint32_t>(x); }

constexpr uint64_t kIndefinite64 = 0xfff8'0000'0000'0000;
constexpr uint64_t kInfinity64 = 0x7ff0'0000'0000'0000;
constexpr uint64_t kLargest64 = 0x7fef'ffff'ffff'ffff;
constexpr uint64_t kDenormal64 = 0x000f'ffff'ffff'ffff;
constexpr uint64_t kSignaling64 = 0x7ff0'0000'0000'0123;
constexpr F80 kOne80 = {kTopBit, 16383};

TEST_CASE("MXCSR and FCW fields become an environment", "[softfloat]") {
  const Env sse = Env::from_mxcsr(0xffc0 & ~0x0080u);
  CHECK(sse.rounding == Rounding::toward_zero);
  CHECK(sse.daz);
  CHECK(sse.ftz);
  CHECK(sse.masks == 0x3e);
  const Env x87 = Env::from_fcw(0x067b);
  CHECK(x87.rounding == Rounding::down);
  CHECK(x87.precision == Precision::binary64);
  CHECK(x87.masks == 0x3b);
  CHECK(Env::from_fcw(0x017f).precision == Precision::extended);
}

TEST_CASE("sums round once, to even on a tie", "[softfloat]") {
  Env env;
  CHECK(add(env, f64(0.1), f64(0.2)) == f64(0.30000000000000004));
  CHECK(env.flags == kInexact);
  Env exact;
  CHECK(add(exact, f64(1.5), f64(2.25)) == f64(3.75));
  CHECK(exact.flags == 0);
  Env tie;
  CHECK(add(tie, f64(0x1p53), f64(1.0)) == f64(0x1p53));
  CHECK(add(tie, f64(0x1p53), f64(3.0)) == f64(0x1p53 + 4));
  Env up = {.rounding = Rounding::up};
  CHECK(add(up, f64(0x1p53), f64(1.0)) == f64(0x1p53 + 2));
}

TEST_CASE("an exact zero difference is negative only when rounding down", "[softfloat]") {
  for (const Rounding rounding :
       {Rounding::nearest, Rounding::down, Rounding::up, Rounding::toward_zero}) {
    Env env = {.rounding = rounding};
    const uint32_t expected = rounding == Rounding::down ? 0x8000'0000 : 0;
    CHECK(sub(env, f32(1.5F), f32(1.5F)) == expected);
    CHECK(add(env, uint32_t{0x8000'0000}, uint32_t{0x8000'0000}) == 0x8000'0000);
    CHECK(env.flags == 0);
  }
}

TEST_CASE("masked overflow goes to infinity or to the largest number, as the rounding says",
          "[softfloat]") {
  Env nearest;
  CHECK(mul(nearest, kLargest64, f64(2.0)) == kInfinity64);
  CHECK(nearest.flags == (kOverflow | kInexact));
  Env zero = {.rounding = Rounding::toward_zero};
  CHECK(mul(zero, kLargest64, f64(2.0)) == kLargest64);
  Env down = {.rounding = Rounding::down};
  CHECK(mul(down, kLargest64, f64(-2.0)) == (kInfinity64 | Format<uint64_t>::kSign));
}

TEST_CASE("tininess is detected after rounding", "[softfloat]") {
  // (1 - 2^-53) x 2^-1022 has 53 bits and so stays below 2^-1022 with an unbounded exponent.
  Env below;
  CHECK(mul(below, f64(0x1.fffffffffffffp-1), uint64_t{0x0010'0000'0000'0000}) ==
        0x0010'0000'0000'0000);
  CHECK(below.flags == (kUnderflow | kInexact));
  Env above;
  // 2^-1022 - 2^-1076 rounds to 2^-1022 with 53 bits: not tiny.
  CHECK(fma(above, f64(0x1p-538), f64(-0x1p-538), uint64_t{0x0010'0000'0000'0000}) ==
        0x0010'0000'0000'0000);
  CHECK(above.flags == kInexact);
}

TEST_CASE("an exact denormal underflows only when unmasked", "[softfloat]") {
  Env masked;
  CHECK(mul(masked, uint64_t{0x0010'0000'0000'0000}, f64(0.5)) == 0x0008'0000'0000'0000);
  CHECK(masked.flags == 0);
  Env unmasked = {.masks = kAllExceptions & ~kUnderflow};
  (void)mul(unmasked, uint64_t{0x0010'0000'0000'0000}, f64(0.5));
  CHECK(unmasked.flags == kUnderflow);
  CHECK(unmasked.unmasked() == kUnderflow);
}

TEST_CASE("flush-to-zero acts while underflow is masked, denormals-are-zero on operands",
          "[softfloat]") {
  Env ftz = {.ftz = true};
  CHECK(mul(ftz, uint64_t{0x0010'0000'0000'0000}, f64(-0.5)) == Format<uint64_t>::kSign);
  CHECK(ftz.flags == (kUnderflow | kInexact));
  Env daz = {.daz = true};
  CHECK(add(daz, kDenormal64, f64(1.0)) == f64(1.0));
  CHECK(daz.flags == 0);
  Env neither;
  CHECK(add(neither, kDenormal64, f64(1.0)) == f64(1.0));
  CHECK(neither.flags == (kDenormal | kInexact));
}

TEST_CASE("SSE returns the first NaN operand, quieted", "[softfloat]") {
  Env env;
  const uint64_t quiet = 0x7ff8'0000'0000'0456;
  CHECK(add(env, kSignaling64, quiet) == (kSignaling64 | Format<uint64_t>::kQuiet));
  CHECK(env.flags == kInvalid);
  Env second;
  CHECK(sub(second, f64(1.0), quiet) == quiet);
  CHECK(second.flags == 0);
  Env none;
  CHECK(sub(none, kInfinity64, kInfinity64) == kIndefinite64);
  CHECK(none.flags == kInvalid);
}

TEST_CASE("FMA takes the NaN of the multiplicand, the multiplier, then the addend", "[softfloat]") {
  const uint32_t n1 = 0x7fc0'0001;
  const uint32_t n2 = 0x7fc0'0002;
  const uint32_t n3 = 0xffc0'0003;
  Env env;
  CHECK(fma(env, n1, n2, n3) == n1);
  CHECK(fma(env, f32(1), n2, n3) == n2);
  CHECK(fma(env, f32(1), f32(1), n3, {.negate_addend = true}) == n3);
  CHECK(env.flags == 0);
  // 0 x infinity + QNaN is that NaN and not invalid.
  CHECK(fma(env, uint32_t{0}, uint32_t{0x7f80'0000}, n3) == n3);
  CHECK(env.flags == 0);
  CHECK(fma(env, uint32_t{0}, uint32_t{0x7f80'0000}, f32(1)) == 0xffc0'0000);
  CHECK(env.flags == kInvalid);
}

TEST_CASE("x87 prefers the quiet NaN, then the larger significand, then the positive one",
          "[softfloat]") {
  const F80 small = {0xc000'0000'0000'0001, 0x7fff};
  const F80 large = {0xc000'0000'0000'0002, 0xffff};
  const F80 signaling = {0xbfff'0000'0000'0000, 0x7fff};
  Env env;
  CHECK(add(env, small, large) == large);
  CHECK(add(env, with_sign(small, true), small) == small);
  CHECK(env.flags == 0);
  CHECK(add(env, signaling, small) == small);
  CHECK(env.flags == kInvalid);
  CHECK(add(env, signaling, kOne80) == F80{0xffff'0000'0000'0000, 0x7fff});
}

TEST_CASE("unsupported extended encodings are invalid", "[softfloat]") {
  for (const F80 x : {F80{0x4000'0000'0000'0000, 0x3fff}, F80{0, 0x7fff},
                      F80{0x4000'0000'0000'0001, 0xffff}, F80{0, 1}}) {
    Env env;
    CHECK(add(env, x, kOne80) == Format<F80>::kIndefinite);
    CHECK(env.flags == kInvalid);
    Env relation;
    CHECK(compare(relation, kOne80, x, false) == Relation::unordered);
    CHECK(relation.flags == kInvalid);
    Env stored;
    CHECK(store<uint32_t>(stored, x) == 0xffc0'0000);
    CHECK(stored.flags == kInvalid);
  }
}

TEST_CASE("a pseudo-denormal is a denormal with the exponent of the smallest normal",
          "[softfloat]") {
  Env env;
  CHECK(add(env, F80{kTopBit, 0}, F80{}) == F80{kTopBit, 1});
  CHECK(env.flags == kDenormal);
}

TEST_CASE("precision control rounds to 24 or 53 bits and keeps the exponent range", "[softfloat]") {
  const F80 tiny = {kTopBit, 16383 - 30};
  Env single = {.precision = Precision::single};
  CHECK(add(single, kOne80, tiny) == kOne80);
  CHECK(single.flags == kInexact);
  Env extended;
  CHECK(add(extended, kOne80, tiny) == F80{kTopBit | (uint64_t{1} << 33), 16383});
  CHECK(extended.flags == 0);
  Env range = {.precision = Precision::single};
  CHECK(mul(range, F80{kTopBit, 0x7000}, kOne80) == F80{kTopBit, 0x7000});
  CHECK(range.flags == 0);
}

TEST_CASE("unmasked x87 overflow and underflow wrap the exponent by 24576", "[softfloat]") {
  Env over = {.masks = kAllExceptions & ~kOverflow};
  CHECK(mul(over, F80{kTopBit, 0x7ffe}, F80{kTopBit, 0x4001}) == F80{kTopBit, 0x8000 - 24576});
  CHECK(over.flags == kOverflow);
  Env under = {.masks = kAllExceptions & ~kUnderflow};
  CHECK(mul(under, F80{kTopBit, 1}, F80{kTopBit, 0x3ffe}) == F80{kTopBit, 24576});
  CHECK(under.flags == kUnderflow);
}

TEST_CASE("C1 tells whether the last rounding moved the magnitude up", "[softfloat]") {
  Env env;
  (void)div(env, kOne80, F80{0xc000'0000'0000'0000, 16384});  // 1/3 = ...0101|01
  CHECK(env.flags == kInexact);
  CHECK(env.rounded_up);
  Env down = {.rounding = Rounding::down};
  (void)div(down, kOne80, F80{0xc000'0000'0000'0000, 16384});
  CHECK_FALSE(down.rounded_up);
}

TEST_CASE("pre-computation exceptions hide what computing would raise", "[softfloat]") {
  // Two elements: the first inexact, the second with an unmasked division by zero.
  Env env = {.masks = kAllExceptions & ~kDivideByZero};
  (void)div(env, f64(1), f64(3));
  (void)div(env, f64(1), f64(0));
  CHECK(env.flags == (kInexact | kDivideByZero));
  CHECK(env.reported() == kDivideByZero);
}

TEST_CASE("minimum and maximum return the second operand for NaNs and zeros", "[softfloat]") {
  Env env;
  CHECK(min(env, kSignaling64, f64(1.0)) == f64(1.0));
  CHECK(max(env, f64(1.0), kSignaling64) == kSignaling64);
  CHECK(env.flags == kInvalid);
  Env zeros;
  CHECK(min(zeros, f64(0.0), f64(-0.0)) == f64(-0.0));
  CHECK(max(zeros, f64(-0.0), f64(0.0)) == f64(0.0));
  CHECK(min(zeros, f64(-0.0), f64(0.0)) == f64(0.0));
  CHECK(zeros.flags == 0);
}

TEST_CASE("every compare predicate holds for the relations its name says", "[softfloat]") {
  const uint64_t quiet = kIndefinite64;
  Env env;
  CHECK(holds(env, f64(1), f64(2), 0x01));        // LT
  CHECK_FALSE(holds(env, f64(2), f64(1), 0x02));  // LE
  CHECK(holds(env, f64(2), f64(1), 0x06));        // NLE
  CHECK(holds(env, quiet, f64(1), 0x03));         // UNORD
  CHECK(holds(env, quiet, f64(1), 0x04));         // NEQ_UQ
  CHECK_FALSE(holds(env, quiet, f64(1), 0x0c));   // NEQ_OQ
  CHECK(env.flags == 0);
  CHECK(holds(env, quiet, f64(1), 0x05));  // NLT_US
  CHECK(env.flags == kInvalid);
}

TEST_CASE("conversion to integer gives the indefinite outside the range", "[softfloat]") {
  Env env;
  CHECK(to_integer<int32_t>(env, f64(2147483647.0), Rounding::nearest) == 2147483647);
  CHECK(to_integer<int32_t>(env, f64(-2147483648.0), Rounding::nearest) == INT32_MIN);
  CHECK(to_integer<int32_t>(env, f64(-0.0), Rounding::nearest) == 0);
  CHECK(env.flags == 0);
  CHECK(to_integer<int32_t>(env, f64(2.5), Rounding::nearest) == 2);
  CHECK(to_integer<int32_t>(env, f64(-3.5), Rounding::nearest) == -4);
  CHECK(env.flags == kInexact);
  Env over;
  CHECK(to_integer<int32_t>(over, f64(2147483647.5), Rounding::nearest) == INT32_MIN);
  CHECK(over.flags == kInvalid);
  Env cut;
  CHECK(to_integer<int32_t>(cut, f64(2147483647.5), Rounding::toward_zero) == INT32_MAX);
  CHECK(cut.flags == kInexact);
  Env wide;
  CHECK(to_integer<int64_t>(wide, f64(0x1p63), Rounding::nearest) == INT64_MIN);
  CHECK(wide.flags == kInvalid);
  Env narrow;
  CHECK(to_integer<int16_t>(narrow, F80{kTopBit, 16383 + 15}, Rounding::nearest) == INT16_MIN);
  CHECK(narrow.flags == kInvalid);
}

TEST_CASE("half precision converts both ways", "[softfloat]") {
  Env env;
  CHECK(from_half(env, 0x3c00) == f32(1.0F));
  CHECK(from_half(env, 0x0001) == f32(0x1p-24F));
  CHECK(from_half(env, 0xfbff) == f32(-65504.0F));
  CHECK(to_half(env, f32(65504.0F)) == 0x7bff);
  CHECK(to_half(env, f32(0x1p-24F)) == 0x0001);
  CHECK(env.flags == 0);
  Env over;
  CHECK(to_half(over, f32(65520.0F)) == 0x7c00);
  CHECK(over.flags == (kOverflow | kInexact));
}

TEST_CASE("remainders of distant exponents are partial", "[softfloat]") {
  const F80 three = {0xc000'0000'0000'0000, 16384};
  Env env;
  const Remainder near = remainder_truncating(env, F80{0xe000'0000'0000'0000, 16385}, three);
  CHECK(near.value == kOne80);  // 7 = 2 x 3 + 1
  CHECK_FALSE(near.partial);
  CHECK(near.quotient == 2);
  const F80 eight = {kTopBit, 16386};
  const Remainder nearest = remainder_nearest(env, eight, three);
  CHECK(nearest.value == with_sign(kOne80, true));  // 8 = 3 x 3 - 1
  CHECK(nearest.quotient == 3);
  const Remainder far = remainder_truncating(env, F80{kTopBit, 16384 + 64}, three);
  CHECK(far.partial);
  CHECK(far.quotient == 0);
  CHECK(env.flags == 0);
}

TEST_CASE("scaling, extraction and packed decimal", "[softfloat]") {
  Env env;
  CHECK(scale(env, kOne80, F80{0xa000'0000'0000'0000, 16384}) == F80{kTopBit, 16385});  // by 2.5
  const Extracted e = extract(env, F80{0xc000'0000'0000'0000, 16387});
  CHECK(e.significand == F80{0xc000'0000'0000'0000, 16383});
  CHECK(e.exponent == F80{kTopBit, 16385});
  CHECK(env.flags == 0);
  const PackedDecimal decimal = {0x21, 0x43, 0x65, 0x87, 0x09, 0, 0, 0, 0, 0x80};
  CHECK(to_decimal(env, from_decimal(decimal)) == decimal);
  CHECK(env.flags == 0);
  const PackedDecimal indefinite = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
  CHECK(to_decimal(env, F80{kTopBit, 16383 + 60}) == indefinite);
  CHECK(env.flags == kInvalid);
}

TEST_CASE("constants are rounded as RC says", "[softfloat]") {
  CHECK(constant({}, Constant::pi) == F80{0xc90f'daa2'2168'c235, 0x4000});
  CHECK(constant({.rounding = Rounding::down}, Constant::pi) == F80{0xc90f'daa2'2168'c234, 0x4000});
  CHECK(constant({}, Constant::ln_2) == F80{0xb172'17f7'd1cf'79ac, 0x3ffe});
}

// |estimate x x - 1| <= 1.5 x 2^-12 in exact integers, for significands of 24 bits.
bool reciprocal_is_close(uint32_t x, uint32_t estimate) {
  const Number a = unpack(x);
  const Number b = unpack(estimate);
  // The product is near 1, with its binary point at bit 126 - (ea + eb).
  const uint128_t p = static_cast<uint128_t>(a.significand) * b.significand;
  const int point = 126 - (a.exponent + b.exponent);
  const uint128_t one = uint128_t{1} << point;
  const uint128_t error = p > one ? p - one : one - p;
  return error <= (one >> 12) + (one >> 13);
}

TEST_CASE("RCPSS and RSQRTSS stay within 1.5 x 2^-12 and are monotonic", "[softfloat]") {
  uint32_t last_reciprocal = 0x7f80'0000;
  uint32_t last_root = 0x7f80'0000;
  for (uint32_t x = f32(1.0F); x < f32(4.0F); x += 13) {
    const uint32_t reciprocal = reciprocal_estimate(x);
    const uint32_t root = reciprocal_root_estimate(x);
    const bool monotonic = reciprocal <= last_reciprocal && root <= last_root;
    last_reciprocal = reciprocal;
    last_root = root;
    // The root's error doubles when squared, which stays below 2 x 1.5 x 2^-12.
    Env env;
    const uint64_t wide_root = to_binary64(env, root);
    const uint64_t product = mul(env, mul(env, wide_root, wide_root), to_binary64(env, x));
    const bool root_close = product >= f64(1.0 - 3.0 / 4096) && product <= f64(1.0 + 3.0 / 4096);
    if (!monotonic || !reciprocal_is_close(x, reciprocal) || !root_close) FAIL("at " << x);
  }
}

TEST_CASE("RCPSS and RSQRTSS treat denormals as zeros and flush tiny results", "[softfloat]") {
  CHECK(reciprocal_estimate(f32(2.0F)) == f32(0.5F));
  CHECK(reciprocal_estimate(0x8000'0001) == 0xff80'0000);
  CHECK(reciprocal_estimate(f32(-0x1.8p126F)) == 0x8000'0000);
  CHECK(reciprocal_estimate(0x7f80'0001) == 0x7fc0'0001);
  CHECK(reciprocal_estimate(0xff80'0000) == 0x8000'0000);
  CHECK(reciprocal_root_estimate(f32(4.0F)) == f32(0.5F));
  CHECK(reciprocal_root_estimate(0x8000'0001) == 0xff80'0000);
  CHECK(reciprocal_root_estimate(f32(-1.0F)) == 0xffc0'0000);
  CHECK(reciprocal_root_estimate(0x7f80'0000) == 0);
}

}  // namespace
}  // namespace vitrine::emu::softfloat
