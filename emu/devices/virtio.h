// VirtioDevice: the modern PCI transport and split virtqueues that every virtio device shares.
#pragma once

#include <optional>
#include <vector>

#include "emu/devices/device.h"
#include "emu/devices/pci.h"

namespace vitrine::emu {

/// A buffer the driver made available: guest memory to read from, then guest memory to write to.
struct VirtioChain {
  struct Part {
    Hpa address;
    uint32_t size = 0;
  };
  uint16_t head = 0;
  std::vector<Part> readable;
  std::vector<Part> writable;

  uint64_t readable_bytes() const;
  uint64_t writable_bytes() const;
};

/// BAR 0 holds the four structures of "Virtio Structure PCI Capabilities", one page each.
class VirtioDevice : public Device, public PciFunction {
 public:
  static constexpr uint64_t kVersion1 = uint64_t{1} << 32;
  static constexpr uint16_t kQueueSize = 256;

  struct Kind {
    uint16_t type = 0;  ///< virtio device type
    uint32_t class_code = 0;
    uint64_t features = 0;  ///< beside VIRTIO_F_VERSION_1
    size_t queues = 1;
  };

  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 protected:
  VirtioDevice(Bus& bus, Line interrupt, const Kind& kind);

  /// The driver rang the bell of a queue.
  virtual void notified(size_t queue, Cycle now) = 0;
  /// The byte at `offset` of the device-specific configuration.
  virtual uint8_t device_config(uint64_t offset) const = 0;
  /// The driver reset the device.
  virtual void device_reset() = 0;

  Bus& bus() { return bus_; }
  bool running() const { return (status_ & kDriverOk) != 0 && (status_ & kNeedsReset) == 0; }
  /// The next available buffer; none when there is none or the ring makes no sense.
  std::optional<VirtioChain> take(size_t queue, Cycle now);
  /// Gives a buffer back with the number of bytes written into it.
  void give_back(size_t queue, const VirtioChain& chain, uint32_t written, Cycle now);
  void read_parts(const VirtioChain& chain, uint64_t offset, std::span<std::byte> out) const;
  void write_parts(const VirtioChain& chain, uint64_t offset, std::span<const std::byte> in);

 private:
  static constexpr uint8_t kDriverOk = 4;
  static constexpr uint8_t kFeaturesOk = 8;
  static constexpr uint8_t kNeedsReset = 0x40;

  struct Queue {
    uint16_t size = kQueueSize;
    bool enabled = false;
    uint64_t descriptors = 0;
    uint64_t driver = 0;
    uint64_t device = 0;
    uint16_t next_available = 0;
    uint16_t next_used = 0;
  };

  uint64_t common(uint64_t offset) const;
  void write_common(uint64_t offset, unsigned size, uint64_t value, Cycle now);
  void write_status(uint8_t value, Cycle now);
  void broken(Cycle now);
  void raise(uint8_t cause, Cycle now);
  uint64_t load(uint64_t address, unsigned size) const;
  void store(uint64_t address, unsigned size, uint64_t value);

  Bus& bus_;
  Line interrupt_;
  Kind kind_;
  uint8_t status_ = 0;
  uint8_t isr_ = 0;
  uint32_t device_select_ = 0;
  uint32_t driver_select_ = 0;
  uint64_t driver_features_ = 0;
  uint16_t queue_select_ = 0;
  std::vector<Queue> queues_;
  uint64_t driver_ = 0;  ///< who rang last, as the bus names drivers
};

}  // namespace vitrine::emu
