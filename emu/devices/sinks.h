// What leaves the chips for the world around the machine: text, exit codes, power, reset, A20.
#pragma once

#include <cstdint>
#include <span>

#include "emu/arch/types.h"

namespace vitrine::emu {

/// Receives the bytes a guest prints.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual void output(std::span<const uint8_t> bytes) = 0;
};

/// Receives the verdict of a test image.
class ExitSink {
 public:
  virtual ~ExitSink() = default;
  virtual void guest_exit(uint32_t code, Cycle now) = 0;
};

/// Receives the end of the machine's power and its reset line.
class PowerSink {
 public:
  virtual ~PowerSink() = default;
  virtual void power_off(Cycle now) = 0;
  virtual void reset_requested(Cycle now) = 0;
};

/// Receives the A20 gate: while closed, address bit 20 is forced to 0.
class A20Sink {
 public:
  virtual ~A20Sink() = default;
  virtual void set_a20(bool open, Cycle now) = 0;
};

}  // namespace vitrine::emu
