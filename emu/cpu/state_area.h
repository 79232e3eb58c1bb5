// StateArea: the memory image of FXSAVE and XSAVE, SDM "Layout of the FXSAVE Region", "XSAVE Area".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "emu/cpu/state.h"

namespace vitrine::emu {

inline constexpr uint32_t kMxcsrMask = 0xFFFF;
inline constexpr uint32_t kMxcsrInit = 0x1F80;

struct StateArea {
  // Places of the parts.
  static constexpr size_t kLegacySize = 512;
  static constexpr size_t kHeader = 512;
  static constexpr size_t kExtended = 576;
  static constexpr size_t kSize = 832;
  static constexpr size_t kX87Control = 0, kX87ControlSize = 24;
  static constexpr size_t kMxcsr = 24, kMxcsrSize = 8;
  static constexpr size_t kX87Registers = 32, kX87RegistersSize = 128;
  static constexpr size_t kXmm = 160;
  static constexpr size_t kXcompBv = kHeader + 8;
  static constexpr uint64_t kCompacted = uint64_t{1} << 63;

  std::array<std::byte, kSize> bytes{};

  template <class T>
  T get(size_t at) const {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
  }
  template <class T>
  void set(size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof(T));
  }

  uint64_t xstate_bv() const { return get<uint64_t>(kHeader); }
  uint64_t xcomp_bv() const { return get<uint64_t>(kXcompBv); }
  uint32_t mxcsr() const { return get<uint32_t>(kMxcsr); }
};

/// How the x87 pointers are stored: 64-bit offsets with REX.W, else 32-bit offsets with selectors.
/// The profile deprecates the selectors: they are stored as 0.
enum class PointerForm : uint8_t { selectors, wide };

void put_x87(StateArea& area, const CpuState& s, PointerForm form);
void put_mxcsr(StateArea& area, const CpuState& s);
/// `count` registers: 16 in 64-bit mode, else 8.
void put_xmm(StateArea& area, const CpuState& s, size_t count);
void put_ymm_high(StateArea& area, const CpuState& s, size_t count);

void take_x87(const StateArea& area, CpuState& s, PointerForm form);
void take_xmm(const StateArea& area, CpuState& s, size_t count);
void take_ymm_high(const StateArea& area, CpuState& s, size_t count);

void init_x87(CpuState& s);
void init_xmm(CpuState& s, size_t count);
void init_ymm_high(CpuState& s, size_t count);

/// XINUSE: the components that are not in their initial configuration.
uint64_t components_in_use(const CpuState& s);

}  // namespace vitrine::emu
