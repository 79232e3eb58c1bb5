// AES-NI and PCLMULQDQ on XMM registers.
#include <bit>

#include "emu/cpu/handlers/avx.h"
#include "emu/cpu/handlers/vector_lanes.h"

namespace vitrine::emu {

namespace {

// --- The field of FIPS 197 "Mathematical Preliminaries" ---

constexpr uint8_t times(uint8_t a, uint8_t b) {
  unsigned product = 0;
  unsigned shifted = a;
  for (unsigned i = 0; i < 8; ++i) {
    if ((b >> i & 1) != 0) product ^= shifted;
    shifted <<= 1;
    if ((shifted & 0x100) != 0) shifted ^= 0x11B;
  }
  return static_cast<uint8_t>(product);
}
/// The inverse is the 254th power; 0 stays 0.
constexpr uint8_t inverse(uint8_t a) {
  uint8_t result = 1;
  uint8_t power = a;
  for (unsigned exponent = 254; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = times(result, power);
    power = times(power, power);
  }
  return a == 0 ? uint8_t{0} : result;
}

using Box = std::array<uint8_t, 256>;
constexpr Box make_box() {
  Box box{};
  for (unsigned i = 0; i < 256; ++i) {
    const uint8_t x = inverse(static_cast<uint8_t>(i));
    box[i] = static_cast<uint8_t>(x ^ std::rotl(x, 1) ^ std::rotl(x, 2) ^ std::rotl(x, 3) ^
                                  std::rotl(x, 4) ^ 0x63);
  }
  return box;
}
constexpr Box invert(const Box& box) {
  Box inverted{};
  for (unsigned i = 0; i < 256; ++i) inverted[box[i]] = static_cast<uint8_t>(i);
  return inverted;
}
constexpr Box kBox = make_box();
constexpr Box kInverseBox = invert(kBox);
static_assert(kBox[0] == 0x63 && kBox[0x53] == 0xED && kInverseBox[0x63] == 0);

// --- Steps of a round on the state, column by column ---

using State = Lanes<uint8_t>;

State substitute(const State& x, const Box& box) {
  State r{};
  for (size_t i = 0; i < r.size(); ++i) r[i] = box[x[i]];
  return r;
}
/// Row i moves i columns to the left, or to the right.
State shift_rows(const State& x, bool right) {
  State r{};
  for (size_t column = 0; column < 4; ++column) {
    for (size_t row = 0; row < 4; ++row) {
      const size_t from_column = (right ? column + 4 - row : column + row) % 4;
      r[column * 4 + row] = x[from_column * 4 + row];
    }
  }
  return r;
}
using Coefficients = std::array<uint8_t, 4>;
constexpr Coefficients kMix = {2, 3, 1, 1};
constexpr Coefficients kInverseMix = {14, 11, 13, 9};
State mix_columns(const State& x, const Coefficients& by) {
  State r{};
  for (size_t i = 0; i < r.size(); ++i) {
    for (size_t k = 0; k < 4; ++k) r[i] ^= times(x[i / 4 * 4 + (i + k) % 4], by[k]);
  }
  return r;
}

Xmm add_key(const State& x, const Xmm& key) {
  const Xmm state = from<uint8_t>(x);
  return {state[0] ^ key[0], state[1] ^ key[1]};
}

// AESENC, AESENCLAST
template <bool last>
Xmm encrypt(const Xmm& a, const Xmm& key) {
  const State x = substitute(shift_rows(as<uint8_t>(a), false), kBox);
  return add_key(last ? x : mix_columns(x, kMix), key);
}
// AESDEC, AESDECLAST
template <bool last>
Xmm decrypt(const Xmm& a, const Xmm& key) {
  const State x = substitute(shift_rows(as<uint8_t>(a), true), kInverseBox);
  return add_key(last ? x : mix_columns(x, kInverseMix), key);
}
// AESIMC
Xmm inverse_mix(const Xmm&, const Xmm& b) {
  return from<uint8_t>(mix_columns(as<uint8_t>(b), kInverseMix));
}
// AESKEYGENASSIST
Xmm assist(const Xmm&, const Xmm& b, uint8_t round_constant) {
  const auto x = as<uint32_t>(from<uint8_t>(substitute(as<uint8_t>(b), kBox)));
  return from<uint32_t>(
      {x[1], std::rotr(x[1], 8) ^ round_constant, x[3], std::rotr(x[3], 8) ^ round_constant});
}

// PCLMULQDQ
Xmm carryless_product(const Xmm& a, const Xmm& b, uint8_t imm) {
  const uint64_t x = a[imm & 1];
  const uint64_t y = b[imm >> 4 & 1];
  Xmm r{};
  for (unsigned i = 0; i < 64; ++i) {
    if ((y >> i & 1) == 0) continue;
    r[0] ^= x << i;
    if (i != 0) r[1] ^= x >> (64 - i);
  }
  return r;
}

constexpr auto kCrypto = CostClass::crypto;

template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr Row aes_row(std::string_view mnemonic) {
  return op<operation>(mnemonic, kCrypto, Feature::aes);
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    aes_row<encrypt<false>>("aesenc"), aes_row<encrypt<true>>("aesenclast"),
    aes_row<decrypt<false>>("aesdec"), aes_row<decrypt<true>>("aesdeclast"),
    aes_row<inverse_mix>("aesimc"),
    sse_row("aeskeygenassist", select_sse<with_immediate<assist>>, kCrypto, Feature::aes),
    sse_row("pclmulqdq", select_sse<with_immediate<carryless_product>>, kCrypto, Feature::pclmul),
});
// clang-format on

template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr Row avx_aes_row(std::string_view mnemonic) {
  return avx_row(mnemonic, select_vex<each_lane<1, operation>, kNoForm>, kCrypto, Feature::aes);
}
template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t)>
constexpr Row avx_by_row(std::string_view mnemonic, Feature feature) {
  return avx_row(mnemonic, select_vex<each_lane_by<1, operation, 0>, kNoForm>, kCrypto, feature);
}

// clang-format off
constexpr auto kAvxRows = std::to_array<Row>({
    avx_aes_row<encrypt<false>>("vaesenc"), avx_aes_row<encrypt<true>>("vaesenclast"),
    avx_aes_row<decrypt<false>>("vaesdec"), avx_aes_row<decrypt<true>>("vaesdeclast"),
    avx_aes_row<inverse_mix>("vaesimc"), avx_by_row<assist>("vaeskeygenassist", Feature::aes),
    avx_by_row<carryless_product>("vpclmulqdq", Feature::pclmul),
});
// clang-format on

}  // namespace

std::span<const Row> vector_crypto_rows() { return kRows; }
std::span<const Row> avx_crypto_rows() { return kAvxRows; }

}  // namespace vitrine::emu
