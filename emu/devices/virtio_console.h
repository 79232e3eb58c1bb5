// VirtioConsole: one port that prints what the guest sends and gives it what was typed.
#pragma once

#include "emu/devices/sinks.h"
#include "emu/devices/virtio.h"

namespace vitrine::emu {

class VirtioConsole final : public VirtioDevice {
 public:
  VirtioConsole(Bus& bus, Line interrupt, OutputSink* sink);

  void receive(uint8_t byte, Cycle now);

  std::string_view name() const override { return "virtio_console"; }
  void visit(StateVisitor& v) override;

 protected:
  void notified(size_t queue, Cycle now) override;
  uint8_t device_config(uint64_t) const override { return 0; }
  void device_reset() override {}

 private:
  void deliver(Cycle now);

  OutputSink* sink_;
  std::vector<std::byte> waiting_;  ///< typed, and no buffer to put it in yet
};

}  // namespace vitrine::emu
