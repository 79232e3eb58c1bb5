// What an x86 floating-point instruction reads from MXCSR or FCW, and the exceptions it reports.
#pragma once

#include <array>
#include <cstdint>

namespace vitrine::emu::softfloat {

// MXCSR.RC and FCW.RC, SDM "Rounding Control (RC) Fields".
enum class Rounding : uint8_t { nearest, down, up, toward_zero };

// FCW.PC as the number of significand bits, SDM "Precision Control Field".
enum class Precision : uint8_t { single = 24, binary64 = 53, extended = 64 };

// Exception bits in the order of MXCSR, FSW and FCW.
constexpr uint8_t kInvalid = 0x01;
constexpr uint8_t kDenormal = 0x02;
constexpr uint8_t kDivideByZero = 0x04;
constexpr uint8_t kOverflow = 0x08;
constexpr uint8_t kUnderflow = 0x10;
constexpr uint8_t kInexact = 0x20;
constexpr uint8_t kAllExceptions = 0x3f;
// SDM "SIMD Floating-Point Exception Conditions": these are known before a result is computed.
constexpr uint8_t kPreComputation = kInvalid | kDenormal | kDivideByZero;

// One per guest instruction: flags start at 0 and collect over all elements; the handler then adds
// reported() to MXCSR or FSW. If unmasked() is not 0, an SSE instruction raises #XM and writes no
// destination; an x87 instruction writes none when pre-computation exceptions are among them, and
// otherwise writes the returned value to a register, but nothing to memory on overflow or
// underflow.
struct Env {
  Rounding rounding = Rounding::nearest;
  Precision precision = Precision::extended;
  bool daz = false;
  bool ftz = false;
  uint8_t masks = kAllExceptions;
  uint8_t flags = 0;
  // x87 C1: the last rounding moved the magnitude up.
  bool rounded_up = false;
  // x87 only: the source came from a denormal in memory, which is a normal number once widened.
  bool source_denormal = false;

  constexpr void raise(uint8_t exceptions) { flags = static_cast<uint8_t>(flags | exceptions); }
  [[nodiscard]] constexpr bool masked(uint8_t exception) const { return (masks & exception) != 0; }
  // The unmasked ones of the exceptions to report.
  [[nodiscard]] constexpr uint8_t unmasked() const {
    return static_cast<uint8_t>(reported() & ~masks);
  }
  [[nodiscard]] constexpr bool stops_before_computation() const {
    return (flags & ~masks & kPreComputation) != 0;
  }
  // With an unmasked pre-computation exception in any element no element's result is computed.
  [[nodiscard]] constexpr uint8_t reported() const {
    return stops_before_computation() ? static_cast<uint8_t>(flags & kPreComputation) : flags;
  }

  [[nodiscard]] static constexpr Env from_mxcsr(uint32_t mxcsr) {
    return {.rounding = static_cast<Rounding>((mxcsr >> 13) & 3),
            .daz = (mxcsr & 0x0040) != 0,
            .ftz = (mxcsr & 0x8000) != 0,
            .masks = static_cast<uint8_t>((mxcsr >> 7) & kAllExceptions)};
  }
  [[nodiscard]] static constexpr Env from_fcw(uint16_t fcw) {
    // PC = 01B is reserved; processors compute with all 64 bits then.
    constexpr std::array<Precision, 4> kPrecisions = {Precision::single, Precision::extended,
                                                      Precision::binary64, Precision::extended};
    return {.rounding = static_cast<Rounding>((fcw >> 10) & 3),
            .precision = kPrecisions[(fcw >> 8) & 3],
            .masks = static_cast<uint8_t>(fcw & kAllExceptions)};
  }
};

}  // namespace vitrine::emu::softfloat
