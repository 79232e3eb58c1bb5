// Strong types for places and time: Gva, Gpa, Hpa and Cycle never mix with plain numbers.
#pragma once

#include <compare>
#include <cstdint>

namespace vitrine::emu {

/// A number that means a place or a time. Arithmetic with plain integers moves it; the difference
/// of two is a plain integer; different kinds do not convert into each other.
template <class Tag>
struct Quantity {
  uint64_t value = 0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(uint64_t v) : value(v) {}

  friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;
  constexpr Quantity operator+(uint64_t distance) const { return Quantity{value + distance}; }
  constexpr Quantity operator-(uint64_t distance) const { return Quantity{value - distance}; }
  constexpr uint64_t operator-(Quantity other) const { return value - other.value; }
  constexpr Quantity& operator+=(uint64_t distance) {
    value += distance;
    return *this;
  }
  constexpr Quantity operator&(uint64_t mask) const { return Quantity{value & mask}; }
};

/// Guest-virtual (linear) address.
using Gva = Quantity<struct GvaTag>;
/// Guest-physical address: what the guest's own paging yields; EPT translates it further.
using Gpa = Quantity<struct GpaTag>;
/// Machine-physical address of the emulated PC: what its bus sees.
using Hpa = Quantity<struct HpaTag>;
/// Core clock cycles of one logical processor since machine reset.
using Cycle = Quantity<struct CycleTag>;

inline constexpr Cycle kNever{~uint64_t{0}};
inline constexpr uint64_t kPageSize = 4096;
inline constexpr uint64_t kPageMask = kPageSize - 1;
inline constexpr uint64_t kLineSize = 64;

}  // namespace vitrine::emu
