// VirtioBlock: a disk behind one virtqueue, answering a constant time after the bell.
#pragma once

#include "emu/devices/disk.h"
#include "emu/devices/virtio.h"

namespace vitrine::emu {

class VirtioBlock final : public VirtioDevice {
 public:
  /// Cycles from the bell to the completion of what is in the queue: 50 µs at 2 GHz.
  static constexpr uint64_t kDefaultLatency = 100'000;

  VirtioBlock(EventQueue& events, Bus& bus, Line interrupt, Disk& disk,
              uint64_t latency = kDefaultLatency);

  std::string_view name() const override { return "virtio_block"; }
  void visit(StateVisitor& v) override;
  void fire(uint32_t kind, uint64_t data, Cycle now) override;

 protected:
  void notified(size_t queue, Cycle now) override;
  uint8_t device_config(uint64_t offset) const override;
  void device_reset() override;

 private:
  uint8_t transfer(const VirtioChain& chain, uint32_t type, uint64_t sector, uint32_t& written);

  EventQueue& events_;
  Disk& disk_;
  uint64_t latency_;
  EventTargetId id_;
  bool busy_ = false;
};

}  // namespace vitrine::emu
