// The FXSAVE and XSAVE image, made from the state and taken back.
#include "emu/cpu/state_area.h"

#include <algorithm>

#include "emu/arch/cpuid_profile.h"

namespace vitrine::emu {

namespace {

constexpr uint16_t kFcwInit = 0x037F;

unsigned top_of(uint16_t fsw) { return (fsw >> 11) & 7u; }

}  // namespace

void put_x87(StateArea& area, const CpuState& s, PointerForm form) {
  const X87State& x = s.x87;
  area.set<uint16_t>(0, x.fcw);
  area.set<uint16_t>(2, x.fsw);
  area.set<uint16_t>(4, x.valid);
  area.set<uint16_t>(6, x.fop);
  const uint64_t mask = form == PointerForm::wide ? ~uint64_t{0} : 0xFFFFFFFF;
  area.set<uint64_t>(8, x.fip & mask);
  area.set<uint64_t>(16, x.fdp & mask);
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned physical = (top_of(x.fsw) + i) & 7;
    const size_t at = StateArea::kX87Registers + size_t{16} * i;
    area.set<uint64_t>(at, x.significand[physical]);
    area.set<uint64_t>(at + 8, x.sign_exponent[physical]);
  }
}

void put_mxcsr(StateArea& area, const CpuState& s) {
  area.set<uint32_t>(StateArea::kMxcsr, s.vector.mxcsr);
  area.set<uint32_t>(StateArea::kMxcsr + 4, kMxcsrMask);
}

void put_xmm(StateArea& area, const CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    area.set(StateArea::kXmm + 16 * i, s.vector.ymm[i][0]);
    area.set(StateArea::kXmm + 16 * i + 8, s.vector.ymm[i][1]);
  }
}

void put_ymm_high(StateArea& area, const CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    area.set(StateArea::kExtended + 16 * i, s.vector.ymm[i][2]);
    area.set(StateArea::kExtended + 16 * i + 8, s.vector.ymm[i][3]);
  }
}

void take_x87(const StateArea& area, CpuState& s, PointerForm form) {
  X87State& x = s.x87;
  x.fcw = static_cast<uint16_t>((area.get<uint16_t>(0) & 0x1F3F) | 0x0040);
  x.fsw = area.get<uint16_t>(2);
  x.valid = area.get<uint8_t>(4);
  x.fop = area.get<uint16_t>(6) & 0x7FF;
  const uint64_t mask = form == PointerForm::wide ? ~uint64_t{0} : 0xFFFFFFFF;
  x.fip = area.get<uint64_t>(8) & mask;
  x.fdp = area.get<uint64_t>(16) & mask;
  x.fcs = 0;
  x.fds = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned physical = (top_of(x.fsw) + i) & 7;
    const size_t at = StateArea::kX87Registers + size_t{16} * i;
    x.significand[physical] = area.get<uint64_t>(at);
    x.sign_exponent[physical] = area.get<uint16_t>(at + 8);
  }
  // The error summary follows from the exceptions and their masks.
  const bool error = (x.fsw & ~x.fcw & 0x3F) != 0;
  x.fsw = static_cast<uint16_t>(error ? x.fsw | 0x8080 : x.fsw & ~0x8080);
}

void take_xmm(const StateArea& area, CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    s.vector.ymm[i][0] = area.get<uint64_t>(StateArea::kXmm + 16 * i);
    s.vector.ymm[i][1] = area.get<uint64_t>(StateArea::kXmm + 16 * i + 8);
  }
}

void take_ymm_high(const StateArea& area, CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    s.vector.ymm[i][2] = area.get<uint64_t>(StateArea::kExtended + 16 * i);
    s.vector.ymm[i][3] = area.get<uint64_t>(StateArea::kExtended + 16 * i + 8);
  }
}

void init_x87(CpuState& s) {
  s.x87 = X87State{};
  s.x87.fcw = kFcwInit;
}

void init_xmm(CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) s.vector.ymm[i][0] = s.vector.ymm[i][1] = 0;
}

void init_ymm_high(CpuState& s, size_t count) {
  for (size_t i = 0; i < count; ++i) s.vector.ymm[i][2] = s.vector.ymm[i][3] = 0;
}

uint64_t components_in_use(const CpuState& s) {
  const X87State& x = s.x87;
  const auto zero = [](auto value) { return value == 0; };
  const bool x87_initial = x.fcw == kFcwInit && x.fsw == 0 && x.valid == 0 && x.fop == 0 &&
                           x.fip == 0 && x.fdp == 0 && std::ranges::all_of(x.significand, zero) &&
                           std::ranges::all_of(x.sign_exponent, zero);
  bool xmm_initial = true;
  bool high_initial = true;
  for (const auto& ymm : s.vector.ymm) {
    xmm_initial = xmm_initial && (ymm[0] | ymm[1]) == 0;
    high_initial = high_initial && (ymm[2] | ymm[3]) == 0;
  }
  return (x87_initial ? 0 : arch::xcr0::x87) | (xmm_initial ? 0 : arch::xcr0::sse) |
         (high_initial ? 0 : arch::xcr0::avx);
}

}  // namespace vitrine::emu
