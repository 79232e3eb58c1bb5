// Debug port 0xE9: bytes written appear on a text line; reading it tells a guest that it is there.
#pragma once

#include <array>

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::emu {

class DebugPort final : public ByteDevice {
 public:
  static constexpr uint16_t kPort = 0xE9;
  static constexpr uint32_t kPorts = 1;

  explicit DebugPort(OutputSink* sink) : sink_(sink) {}

  std::string_view name() const override { return "debug_port"; }
  void reset(Cycle) override {}
  void visit(StateVisitor&) override {}
  std::string inspect() const override { return {}; }

 protected:
  uint8_t read_byte(uint64_t offset, Cycle) override { return peek_byte(offset); }
  uint8_t peek_byte(uint64_t offset) const override {
    return offset == 0 ? uint8_t{kPort} : uint8_t{0xFF};
  }
  void write_byte(uint64_t offset, uint8_t value, Cycle) override {
    if (offset != 0 || sink_ == nullptr) return;
    const std::array<uint8_t, 1> bytes = {value};
    sink_->output(bytes);
  }

 private:
  OutputSink* sink_;
};

}  // namespace vitrine::emu
