// The virtio PCI transport ("Virtio Over PCI Bus") and its split virtqueues.
#include "emu/devices/virtio.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

constexpr uint64_t kCommon = 0x0000;
constexpr uint64_t kIsr = 0x1000;
constexpr uint64_t kDeviceConfig = 0x2000;
constexpr uint64_t kNotify = 0x3000;
constexpr uint32_t kBarSize = 0x4000;
constexpr uint64_t kPart = 0x1000;
constexpr uint8_t kNotifyMultiplier = 4;

constexpr uint8_t kVendorCapability = 9;
constexpr uint8_t kIsrQueue = 1;
constexpr uint8_t kIsrConfig = 2;

constexpr uint16_t kNext = 1;
constexpr uint16_t kWritable = 2;
constexpr uint16_t kNoInterrupt = 1;

namespace reg {
constexpr uint64_t device_select = 0x00, device_features = 0x04, driver_select = 0x08,
                   driver_features = 0x0C, msix_config = 0x10, queues = 0x12, status = 0x14,
                   generation = 0x15, queue_select = 0x16, queue_size = 0x18, queue_msix = 0x1A,
                   queue_enable = 0x1C, queue_notify = 0x1E, queue_descriptors = 0x20,
                   queue_driver = 0x28, queue_device = 0x30, end = 0x38;
}

/// The body of a capability: length, type, BAR 0, padding, offset, length in the BAR.
std::vector<uint8_t> capability(uint8_t type, uint64_t offset, uint64_t length) {
  const bool notify = type == 2;
  std::vector<uint8_t> body = {static_cast<uint8_t>(notify ? 20 : 16), type, 0, 0, 0, 0};
  for (unsigned i = 0; i < 4; ++i) body.push_back(static_cast<uint8_t>(offset >> 8 * i));
  for (unsigned i = 0; i < 4; ++i) body.push_back(static_cast<uint8_t>(length >> 8 * i));
  if (notify) body.insert(body.end(), {kNotifyMultiplier, 0, 0, 0});
  return body;
}

uint64_t bytes_of(const std::vector<VirtioChain::Part>& parts) {
  uint64_t sum = 0;
  for (const VirtioChain::Part& part : parts) sum += part.size;
  return sum;
}

/// Calls `copy(address, first, count)` for the stretches of [offset, offset + size) of the parts.
template <class Copy>
void walk_parts(const std::vector<VirtioChain::Part>& parts, uint64_t offset, uint64_t size,
                Copy copy) {
  uint64_t done = 0;
  for (const VirtioChain::Part& part : parts) {
    if (done == size) return;
    if (offset >= part.size) {
      offset -= part.size;
      continue;
    }
    const uint64_t count = std::min<uint64_t>(part.size - offset, size - done);
    copy(part.address + offset, done, count);
    done += count;
    offset = 0;
  }
}

}  // namespace

uint64_t VirtioChain::readable_bytes() const { return bytes_of(readable); }
uint64_t VirtioChain::writable_bytes() const { return bytes_of(writable); }

VirtioDevice::VirtioDevice(Bus& bus, Line interrupt, const Kind& kind)
    : PciFunction({.vendor = 0x1AF4,
                   .device = static_cast<uint16_t>(0x1040 + kind.type),
                   .class_code = kind.class_code,
                   .revision = 1,
                   .subsystem_vendor = 0x1AF4,
                   .subsystem = static_cast<uint16_t>(0x40 + kind.type),
                   .interrupt_pin = true}),
      bus_(bus),
      interrupt_(interrupt),
      kind_(kind),
      queues_(kind.queues) {
  kind_.features |= kVersion1;
  add_bar(0, kBarSize, *this);
  add_capability(kVendorCapability, capability(1, kCommon, reg::end));
  add_capability(kVendorCapability, capability(2, kNotify, kPart));
  add_capability(kVendorCapability, capability(3, kIsr, 4));
  add_capability(kVendorCapability, capability(4, kDeviceConfig, kPart));
}

void VirtioDevice::reset(Cycle now) {
  status_ = isr_ = 0;
  device_select_ = driver_select_ = 0;
  driver_features_ = 0;
  queue_select_ = 0;
  driver_ = 0;
  queues_.assign(kind_.queues, Queue{});
  interrupt_.set(false, now);
  device_reset();
}

// --- Guest memory ---

uint64_t VirtioDevice::load(uint64_t address, unsigned size) const {
  uint64_t value = 0;
  bus_.dma_read(Hpa{address}, std::as_writable_bytes(std::span{&value, 1}).first(size), driver_);
  return value;
}

void VirtioDevice::store(uint64_t address, unsigned size, uint64_t value) {
  bus_.dma_write(Hpa{address}, std::as_bytes(std::span{&value, 1}).first(size), driver_);
}

void VirtioDevice::read_parts(const VirtioChain& chain, uint64_t offset,
                              std::span<std::byte> out) const {
  walk_parts(chain.readable, offset, out.size(), [&](Hpa at, uint64_t first, uint64_t count) {
    bus_.dma_read(at, out.subspan(first, count), driver_);
  });
}

void VirtioDevice::write_parts(const VirtioChain& chain, uint64_t offset,
                               std::span<const std::byte> in) {
  walk_parts(chain.writable, offset, in.size(), [&](Hpa at, uint64_t first, uint64_t count) {
    bus_.dma_write(at, in.subspan(first, count), driver_);
  });
}

// --- Queues ---

void VirtioDevice::raise(uint8_t cause, Cycle now) {
  isr_ |= cause;
  interrupt_.set(true, now);
}

/// A ring that makes no sense stops the device until the driver resets it.
void VirtioDevice::broken(Cycle now) {
  status_ |= kNeedsReset;
  raise(kIsrConfig, now);
}

std::optional<VirtioChain> VirtioDevice::take(size_t index, Cycle now) {
  Queue& q = queues_[index];
  if (!running() || !q.enabled) return std::nullopt;
  const auto available = static_cast<uint16_t>(load(q.driver + 2, 2));
  if (available == q.next_available) return std::nullopt;
  const uint64_t slot = q.next_available % q.size;
  VirtioChain chain;
  chain.head = static_cast<uint16_t>(load(q.driver + 4 + 2 * slot, 2));
  uint16_t at = chain.head;
  for (unsigned steps = 0;; ++steps) {
    if (at >= q.size || steps == q.size) {
      broken(now);
      return std::nullopt;
    }
    const uint64_t descriptor = q.descriptors + 16ull * at;
    const auto flags = static_cast<uint16_t>(load(descriptor + 12, 2));
    const VirtioChain::Part part{Hpa{load(descriptor, 8)},
                                 static_cast<uint32_t>(load(descriptor + 8, 4))};
    if ((flags & kWritable) != 0) {
      chain.writable.push_back(part);
    } else {
      chain.readable.push_back(part);
    }
    if ((flags & kNext) == 0) break;
    at = static_cast<uint16_t>(load(descriptor + 14, 2));
  }
  ++q.next_available;
  return chain;
}

void VirtioDevice::give_back(size_t index, const VirtioChain& chain, uint32_t written, Cycle now) {
  Queue& q = queues_[index];
  const uint64_t entry = q.device + 4 + 8ull * (q.next_used % q.size);
  store(entry, 4, chain.head);
  store(entry + 4, 4, written);
  store(q.device + 2, 2, ++q.next_used);
  if ((load(q.driver, 2) & kNoInterrupt) == 0) raise(kIsrQueue, now);
}

// --- Registers ---

/// The byte at `offset` of the common configuration.
uint64_t VirtioDevice::common(uint64_t offset) const {
  const Queue none{.size = 0};
  const Queue& q = queue_select_ < queues_.size() ? queues_[queue_select_] : none;
  const auto byte_of = [offset](uint64_t value, uint64_t start) {
    return value >> 8 * (offset - start) & 0xFF;
  };
  const uint64_t offered = device_select_ < 2 ? kind_.features >> 32 * device_select_ : 0;
  const uint64_t taken = driver_select_ < 2 ? driver_features_ >> 32 * driver_select_ : 0;
  if (offset >= reg::end) return 0;
  if (offset >= reg::queue_device) return byte_of(q.device, reg::queue_device);
  if (offset >= reg::queue_driver) return byte_of(q.driver, reg::queue_driver);
  if (offset >= reg::queue_descriptors) return byte_of(q.descriptors, reg::queue_descriptors);
  if (offset >= reg::queue_notify) return byte_of(queue_select_, reg::queue_notify);
  if (offset >= reg::queue_enable) return byte_of(q.enabled ? 1 : 0, reg::queue_enable);
  if (offset >= reg::queue_msix) return 0xFF;  // there is no MSI-X: no vector
  if (offset >= reg::queue_size) return byte_of(q.size, reg::queue_size);
  if (offset >= reg::queue_select) return byte_of(queue_select_, reg::queue_select);
  if (offset == reg::generation) return 0;
  if (offset == reg::status) return status_;
  if (offset >= reg::queues) return byte_of(queues_.size(), reg::queues);
  if (offset >= reg::msix_config) return 0xFF;
  if (offset >= reg::driver_features) return byte_of(taken, reg::driver_features);
  if (offset >= reg::driver_select) return byte_of(driver_select_, reg::driver_select);
  if (offset >= reg::device_features) return byte_of(offered, reg::device_features);
  return byte_of(device_select_, reg::device_select);
}

void VirtioDevice::write_status(uint8_t value, Cycle now) {
  if (value == 0) return reset(now);
  const bool acceptable =
      (driver_features_ & ~kind_.features) == 0 && (driver_features_ & kVersion1) != 0;
  if ((value & kFeaturesOk) != 0 && !acceptable) value &= static_cast<uint8_t>(~kFeaturesOk);
  status_ = static_cast<uint8_t>(value | (status_ & kNeedsReset));
}

/// Drivers write each field with its own width; the 64-bit ones also as two halves.
void VirtioDevice::write_common(uint64_t offset, unsigned size, uint64_t value, Cycle now) {
  const auto word = static_cast<uint32_t>(value);
  if (offset == reg::status && size == 1) return write_status(static_cast<uint8_t>(value), now);
  if (offset == reg::queue_select && size == 2) {
    queue_select_ = static_cast<uint16_t>(value);
    return;
  }
  if (size == 4 && offset == reg::device_select) device_select_ = word;
  if (size == 4 && offset == reg::driver_select) driver_select_ = word;
  if (size == 4 && offset == reg::driver_features && driver_select_ < 2) {
    const unsigned shift = 32 * driver_select_;
    driver_features_ = (driver_features_ & ~(uint64_t{0xFFFFFFFF} << shift)) | uint64_t{word}
                                                                                   << shift;
  }
  if (queue_select_ >= queues_.size()) return;
  Queue& q = queues_[queue_select_];
  if (q.enabled) return;  // a live queue does not change
  if (offset == reg::queue_size && size == 2) {
    const auto wanted = static_cast<uint16_t>(value);
    const bool power_of_two = wanted != 0 && (wanted & (wanted - 1)) == 0;
    if (power_of_two && wanted <= kQueueSize) q.size = wanted;
  }
  if (offset == reg::queue_enable && size == 2) q.enabled = value == 1;
  if (offset < reg::queue_descriptors || offset >= reg::end || size < 4 || offset % 4 != 0) return;
  uint64_t& field = offset >= reg::queue_device   ? q.device
                    : offset >= reg::queue_driver ? q.driver
                                                  : q.descriptors;
  const unsigned shift = 8 * static_cast<unsigned>(offset % 8);
  const uint64_t mask = open_bus(size) << shift;
  field = (field & ~mask) | (value << shift & mask);
}

uint64_t VirtioDevice::peek(uint64_t offset, unsigned size) const {
  uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const uint64_t at = offset + i;
    uint64_t byte = 0;
    if (at < kIsr) {
      byte = common(at);
    } else if (at < kDeviceConfig) {
      byte = at == kIsr ? isr_ : 0;
    } else if (at < kNotify) {
      byte = device_config(at - kDeviceConfig);
    }
    value |= byte << 8 * i;
  }
  return value;
}

uint64_t VirtioDevice::read(uint64_t offset, unsigned size, const BusAccess& access) {
  const uint64_t value = peek(offset, size);
  if (offset == kIsr) {
    isr_ = 0;
    interrupt_.set(false, access.now);
  }
  return value;
}

void VirtioDevice::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  if (offset < kIsr) return write_common(offset, size, value, access.now);
  if (offset < kNotify) return;
  const uint64_t queue = (offset - kNotify) / kNotifyMultiplier;
  if (queue >= queues_.size() || !running()) return;
  driver_ = bus_.driver_on(access.processor);
  notified(queue, access.now);
}

void VirtioDevice::visit(StateVisitor& v) {
  visit_config(v);
  v.field("status", status_);
  v.field("isr", isr_);
  v.field("device_select", device_select_);
  v.field("driver_select", driver_select_);
  v.field("driver_features", driver_features_);
  v.field("queue_select", queue_select_);
  v.field("driver", driver_);
  for (Queue& q : queues_) {
    v.enter("queue");
    v.field("size", q.size);
    v.field("enabled", q.enabled);
    v.field("descriptors", q.descriptors);
    v.field("driver", q.driver);
    v.field("device", q.device);
    v.field("next_available", q.next_available);
    v.field("next_used", q.next_used);
    if (v.loading()) q.size = std::clamp<uint16_t>(q.size, 1, kQueueSize);
    v.leave();
  }
}

std::string VirtioDevice::inspect() const {
  Facts facts;
  facts.hex("status", status_, 2).hex("isr", isr_, 2).hex("features", driver_features_, 16);
  for (size_t i = 0; i < queues_.size(); ++i) {
    const std::string prefix = "queue" + std::to_string(i) + "_";
    facts.number(prefix + "enabled", queues_[i].enabled ? 1 : 0)
        .number(prefix + "taken", queues_[i].next_available)
        .number(prefix + "used", queues_[i].next_used);
  }
  return facts.text();
}

}  // namespace vitrine::emu
