// TestDevice: latches and interrupt lines for test images, as QEMU's pc-testdev has them.
#pragma once

#include <vector>

#include "emu/devices/device.h"

namespace vitrine::emu {

class TestDevice final : public Device {
 public:
  /// E0H: latch of 1, 2 or 4 bytes; E4H: flush; E8H: the same latch, byte by byte. The debug port may
  /// be mapped over E9H: wider accesses from E8H still see the whole latch.
  static constexpr uint16_t kPort = 0xE0;
  static constexpr uint32_t kPorts = 12;
  static constexpr uint16_t kLinePort = 0x2000;
  static constexpr uint32_t kLines = 24;
  /// Target offset under which the line ports are mapped.
  static constexpr uint64_t kLineOffset = 0x100;
  /// 64 KiB of memory that is a device: each access is one.
  static constexpr Hpa kMemory{0xFF000000};
  static constexpr uint64_t kMemorySize = 0x10000;
  static constexpr uint64_t kMemoryOffset = 0x10000;

  /// `lines.number + n` is ISA interrupt n.
  explicit TestDevice(Line lines) : lines_(lines), memory_(kMemorySize) {}

  std::string_view name() const override { return "test_device"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  Line lines_;
  uint32_t latch_ = 0;
  uint32_t levels_ = 0;
  uint64_t flushes_ = 0;
  std::vector<std::byte> memory_;
};

}  // namespace vitrine::emu
