// FMA: fused multiply-add and its relatives in the three orders of operands.
#include "emu/cpu/handlers/avx_float.h"

namespace vitrine::emu {

namespace {

/// Which operands are multiplied, and which is added: 132 is first times third plus second.
enum class Order : uint8_t { o132, o213, o231 };

/// Signs of product and addend; the alternating forms differ between even and odd elements.
enum class Kind : uint8_t { add, sub, negative_add, negative_sub, add_sub, sub_add };

template <Kind kind>
constexpr sf::FusedSigns signs_of(size_t element) {
  const bool odd = element % 2 != 0;
  switch (kind) {
    case Kind::add: return {};
    case Kind::sub: return {.negate_product = false, .negate_addend = true};
    case Kind::negative_add: return {.negate_product = true, .negate_addend = false};
    case Kind::negative_sub: return {.negate_product = true, .negate_addend = true};
    case Kind::add_sub: return {.negate_product = false, .negate_addend = !odd};
    case Kind::sub_add: return {.negate_product = false, .negate_addend = odd};
  }
  return {};
}

template <class T, Order order, Kind kind>
T fused(Env& env, T first, T second, T third, size_t element) {
  constexpr auto kSigns = signs_of<kind>;
  if constexpr (order == Order::o132) return sf::fma<T>(env, first, third, second, kSigns(element));
  if constexpr (order == Order::o213) return sf::fma<T>(env, second, first, third, kSigns(element));
  return sf::fma<T>(env, second, third, first, kSigns(element));
}

// VF[N]Mxxx{132,213,231}P{S,D} v, v, v/m
template <size_t lanes, class T, Order order, Kind kind>
Flow fuse_packed(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto third = vector_source<lanes>(cpu, insn, 2);
  if (!third) return cpu.raise(third.error());
  Env env = environment(cpu);
  auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[0]));
  const auto y = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const auto z = elements_of<T>(*third);
  for (size_t i = 0; i < x.size(); ++i) x[i] = fused<T, order, kind>(env, x[i], y[i], z[i], i);
  if (stops(cpu, env, flow)) return flow;
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(x));
  return Flow::next;
}

// VF[N]Mxxx{132,213,231}S{S,D} xmm, xmm, xmm/m32/64: the rest is that of the destination
template <class T, Order order, Kind kind>
Flow fuse_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto third = scalar<T>(cpu, insn, 2);
  if (!third) return cpu.raise(third.error());
  Env env = environment(cpu);
  auto x = as<T>(read_xmm(cpu, insn.op[0]));
  const T second = as<T>(read_xmm(cpu, insn.op[1]))[0];
  x[0] = fused<T, order, kind>(env, x[0], second, *third, 0);
  if (stops(cpu, env, flow)) return flow;
  write_low(cpu, insn.op[0], from<T>(x));
  return Flow::next;
}

template <class T, Order order, Kind kind>
constexpr Row packed_row(std::string_view mnemonic) {
  return avx_pair<fuse_packed<1, T, order, kind>, fuse_packed<2, T, order, kind>>(
      mnemonic, CostClass::sse_mul, Feature::fma);
}
template <class T, Order order, Kind kind>
constexpr Row scalar_row(std::string_view mnemonic) {
  return avx_scalar<fuse_scalar<T, order, kind>>(mnemonic, CostClass::sse_mul, Feature::fma);
}

/// PS, PD, SS and SD of one kind and order.
using FourNames = std::array<std::string_view, 4>;
template <Order order, Kind kind>
constexpr std::array<Row, 4> four(const FourNames& names) {
  return {packed_row<uint32_t, order, kind>(names[0]), packed_row<uint64_t, order, kind>(names[1]),
          scalar_row<uint32_t, order, kind>(names[2]), scalar_row<uint64_t, order, kind>(names[3])};
}
using TwoNames = std::array<std::string_view, 2>;
template <Order order, Kind kind>
constexpr TwoRows two(const TwoNames& names) {
  return {packed_row<uint32_t, order, kind>(names[0]), packed_row<uint64_t, order, kind>(names[1])};
}

// clang-format off
constexpr auto kRows = join(
    four<Order::o132, Kind::add>({"vfmadd132ps", "vfmadd132pd", "vfmadd132ss", "vfmadd132sd"}),
    four<Order::o213, Kind::add>({"vfmadd213ps", "vfmadd213pd", "vfmadd213ss", "vfmadd213sd"}),
    four<Order::o231, Kind::add>({"vfmadd231ps", "vfmadd231pd", "vfmadd231ss", "vfmadd231sd"}),
    four<Order::o132, Kind::sub>({"vfmsub132ps", "vfmsub132pd", "vfmsub132ss", "vfmsub132sd"}),
    four<Order::o213, Kind::sub>({"vfmsub213ps", "vfmsub213pd", "vfmsub213ss", "vfmsub213sd"}),
    four<Order::o231, Kind::sub>({"vfmsub231ps", "vfmsub231pd", "vfmsub231ss", "vfmsub231sd"}),
    four<Order::o132, Kind::negative_add>({"vfnmadd132ps", "vfnmadd132pd", "vfnmadd132ss", "vfnmadd132sd"}),
    four<Order::o213, Kind::negative_add>({"vfnmadd213ps", "vfnmadd213pd", "vfnmadd213ss", "vfnmadd213sd"}),
    four<Order::o231, Kind::negative_add>({"vfnmadd231ps", "vfnmadd231pd", "vfnmadd231ss", "vfnmadd231sd"}),
    four<Order::o132, Kind::negative_sub>({"vfnmsub132ps", "vfnmsub132pd", "vfnmsub132ss", "vfnmsub132sd"}),
    four<Order::o213, Kind::negative_sub>({"vfnmsub213ps", "vfnmsub213pd", "vfnmsub213ss", "vfnmsub213sd"}),
    four<Order::o231, Kind::negative_sub>({"vfnmsub231ps", "vfnmsub231pd", "vfnmsub231ss", "vfnmsub231sd"}),
    two<Order::o132, Kind::add_sub>({"vfmaddsub132ps", "vfmaddsub132pd"}), two<Order::o213, Kind::add_sub>({"vfmaddsub213ps", "vfmaddsub213pd"}),
    two<Order::o231, Kind::add_sub>({"vfmaddsub231ps", "vfmaddsub231pd"}), two<Order::o132, Kind::sub_add>({"vfmsubadd132ps", "vfmsubadd132pd"}),
    two<Order::o213, Kind::sub_add>({"vfmsubadd213ps", "vfmsubadd213pd"}), two<Order::o231, Kind::sub_add>({"vfmsubadd231ps", "vfmsubadd231pd"}));
// clang-format on

}  // namespace

std::span<const Row> avx_fma_rows() { return kRows; }

}  // namespace vitrine::emu
