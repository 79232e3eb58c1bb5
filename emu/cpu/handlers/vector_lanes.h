// What the packed-integer files share: operations on lanes, the frames that apply them to XMM
// registers, and their rows.
#pragma once

#include <algorithm>
#include <limits>

#include "emu/cpu/handlers/vector.h"

namespace vitrine::emu {

// --- Shapes: destination op source; with an immediate; shifts by a count ---

template <Xmm (*operation)(const Xmm&, const Xmm&)>
Flow binary(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  write_xmm(cpu, insn.op[0], operation(read_xmm(cpu, insn.op[0]), *source));
  return Flow::next;
}

template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t)>
Flow with_immediate(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto source = xmm_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  const auto imm = static_cast<uint8_t>(insn.imm);
  write_xmm(cpu, insn.op[0], operation(read_xmm(cpu, insn.op[0]), *source, imm));
  return Flow::next;
}

template <class T, T (*lane)(T, T)>
Xmm each(const Xmm& a, const Xmm& b) {
  auto x = as<T>(a);
  const auto y = as<T>(b);
  for (size_t i = 0; i < x.size(); ++i) x[i] = lane(x[i], y[i]);
  return from<T>(x);
}

// --- Lanes ---

template <class T>
T add_lane(T a, T b) {
  return static_cast<T>(a + b);
}
template <class T>
T sub_lane(T a, T b) {
  return static_cast<T>(a - b);
}
/// Saturating in 32-bit integers, which hold every sum of 8- and 16-bit lanes.
template <class T, class Narrow, bool subtract>
T saturate_lane(T a, T b) {
  const int32_t x = static_cast<Narrow>(a);
  const int32_t y = static_cast<Narrow>(b);
  const int32_t exact = subtract ? x - y : x + y;
  constexpr int32_t low = std::numeric_limits<Narrow>::min();
  constexpr int32_t high = std::numeric_limits<Narrow>::max();
  return static_cast<T>(std::clamp(exact, low, high));
}
template <class T>
T equal_lane(T a, T b) {
  return a == b ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T greater_lane(T a, T b) {
  return as_signed(a) > as_signed(b) ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T min_lane(T a, T b) {
  return std::min(a, b);
}
template <class T>
T max_lane(T a, T b) {
  return std::max(a, b);
}
template <class T>
T min_signed_lane(T a, T b) {
  return static_cast<T>(std::min(as_signed(a), as_signed(b)));
}
template <class T>
T max_signed_lane(T a, T b) {
  return static_cast<T>(std::max(as_signed(a), as_signed(b)));
}
template <class T>
T average_lane(T a, T b) {
  return static_cast<T>((uint32_t{a} + uint32_t{b} + 1) >> 1);
}
inline uint16_t mul_low_lane(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>(uint32_t{a} * uint32_t{b});
}
inline uint16_t mul_high_lane(uint16_t a, uint16_t b) {
  const int32_t product = int32_t{as_signed(a)} * int32_t{as_signed(b)};
  return static_cast<uint16_t>(static_cast<uint32_t>(product) >> 16);
}
inline uint16_t mul_high_unsigned_lane(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>((uint32_t{a} * uint32_t{b}) >> 16);
}
inline uint64_t mul_even_lane(uint64_t a, uint64_t b) {
  return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
}
inline uint64_t and_lane(uint64_t a, uint64_t b) { return a & b; }
inline uint64_t and_not_lane(uint64_t a, uint64_t b) { return ~a & b; }
inline uint64_t or_lane(uint64_t a, uint64_t b) { return a | b; }
inline uint64_t xor_lane(uint64_t a, uint64_t b) { return a ^ b; }

// --- Across lanes ---

// PMADDWD
inline Xmm multiply_add(const Xmm& a, const Xmm& b) {
  const auto x = as<uint16_t>(a);
  const auto y = as<uint16_t>(b);
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    const int64_t low = int64_t{as_signed(x[2 * i])} * as_signed(y[2 * i]);
    const int64_t high = int64_t{as_signed(x[2 * i + 1])} * as_signed(y[2 * i + 1]);
    r[i] = static_cast<uint32_t>(low + high);
  }
  return from<uint32_t>(r);
}

// PSADBW
inline Xmm sum_differences(const Xmm& a, const Xmm& b) {
  const auto x = as<uint8_t>(a);
  const auto y = as<uint8_t>(b);
  Xmm r{};
  for (size_t i = 0; i < x.size(); ++i) {
    r[i / 8] += x[i] > y[i] ? uint64_t{x[i]} - y[i] : uint64_t{y[i]} - x[i];
  }
  return r;
}

// PUNPCKL*, PUNPCKH*, UNPCK*
template <class T, bool high>
Xmm interleave(const Xmm& a, const Xmm& b) {
  const auto x = as<T>(a);
  const auto y = as<T>(b);
  Lanes<T> r{};
  constexpr size_t half = 16 / sizeof(T) / 2;
  for (size_t i = 0; i < half; ++i) {
    r[2 * i] = x[i + (high ? half : 0)];
    r[2 * i + 1] = y[i + (high ? half : 0)];
  }
  return from<T>(r);
}

// PACKSSWB, PACKSSDW, PACKUSWB
template <class Wide, class Narrow>
Xmm pack(const Xmm& a, const Xmm& b) {
  using Out = std::make_unsigned_t<Narrow>;
  const auto x = as<Wide>(a);
  const auto y = as<Wide>(b);
  Lanes<Out> r{};
  constexpr size_t half = 16 / sizeof(Wide);
  constexpr int64_t low = std::numeric_limits<Narrow>::min();
  constexpr int64_t high = std::numeric_limits<Narrow>::max();
  for (size_t i = 0; i < half; ++i) {
    r[i] = static_cast<Out>(std::clamp<int64_t>(as_signed(x[i]), low, high));
    r[i + half] = static_cast<Out>(std::clamp<int64_t>(as_signed(y[i]), low, high));
  }
  return from<Out>(r);
}

// PSHUFD, PSHUFLW, PSHUFHW, SHUFPS, SHUFPD
inline Xmm shuffle_dwords(const Xmm&, const Xmm& b, uint8_t imm) {
  const auto y = as<uint32_t>(b);
  Lanes<uint32_t> r{};
  for (size_t i = 0; i < 4; ++i) r[i] = y[imm >> (2 * i) & 3];
  return from<uint32_t>(r);
}
template <size_t first>
Xmm shuffle_words(const Xmm&, const Xmm& b, uint8_t imm) {
  const auto y = as<uint16_t>(b);
  auto r = y;
  for (size_t i = 0; i < 4; ++i) r[first + i] = y[first + (imm >> (2 * i) & 3u)];
  return from<uint16_t>(r);
}
inline Xmm shuffle_singles(const Xmm& a, const Xmm& b, uint8_t imm) {
  const auto x = as<uint32_t>(a);
  const auto y = as<uint32_t>(b);
  return from<uint32_t>({x[imm & 3], x[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6 & 3]});
}
inline Xmm shuffle_doubles(const Xmm& a, const Xmm& b, uint8_t imm) {
  return {a[imm & 1], b[imm >> 1 & 1]};
}

// --- Shifts ---

enum class Shift : uint8_t { left, right, arithmetic };

template <class T, Shift shift>
Xmm shift_lanes(const Xmm& a, uint64_t count) {
  auto x = as<T>(a);
  constexpr uint64_t width = sizeof(T) * 8;
  for (T& lane : x) {
    if constexpr (shift == Shift::arithmetic) {
      lane = static_cast<T>(as_signed(lane) >> std::min(count, width - 1));
    } else if (count >= width) {
      lane = 0;
    } else {
      lane =
          static_cast<T>(shift == Shift::left ? uint64_t{lane} << count : uint64_t{lane} >> count);
    }
  }
  return from<T>(x);
}

// --- Rows ---

template <Xmm (*operation)(const Xmm&, const Xmm&)>
constexpr Row op(std::string_view mnemonic, CostClass cost = CostClass::sse_alu,
                 Feature feature = Feature::sse2) {
  return sse_row(mnemonic, select_sse<binary<operation>>, cost, feature);
}
template <class T, T (*lane)(T, T)>
constexpr Row lane_op(std::string_view mnemonic, CostClass cost = CostClass::sse_alu) {
  return op<each<T, lane>>(mnemonic, cost);
}
template <uint64_t (*lane)(uint64_t, uint64_t)>
constexpr Row logic(std::string_view mnemonic, Feature feature = Feature::sse2) {
  return op<each<uint64_t, lane>>(mnemonic, CostClass::sse_alu, feature);
}
template <Xmm (*operation)(const Xmm&, const Xmm&, uint8_t)>
constexpr Row shuffle(std::string_view mnemonic, Feature feature = Feature::sse2) {
  return sse_row(mnemonic, select_sse<with_immediate<operation>>, CostClass::sse_shuffle, feature);
}

}  // namespace vitrine::emu
