// Exit port: a write ends the run with a code, as QEMU's isa-debug-exit does for test images.
#pragma once

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::emu {

class ExitPort final : public Device {
 public:
  static constexpr uint16_t kPort = 0xF4;
  static constexpr uint32_t kPorts = 4;

  explicit ExitPort(ExitSink& sink) : sink_(sink) {}

  std::string_view name() const override { return "exit_port"; }
  void reset(Cycle) override {}
  void visit(StateVisitor&) override {}
  std::string inspect() const override { return {}; }

  uint64_t read(uint64_t, unsigned, const BusAccess&) override { return 0; }
  uint64_t peek(uint64_t, unsigned) const override { return 0; }
  /// The code is odd, so that it never reads as success by accident.
  void write(uint64_t, unsigned, uint64_t value, const BusAccess& access) override {
    sink_.guest_exit((static_cast<uint32_t>(value) << 1) | 1, access.now);
  }

 private:
  ExitSink& sink_;
};

}  // namespace vitrine::emu
