// What tests with a virtio disk on a whole machine share: a small disk and a driver's side of its queue.
#pragma once

#include <catch2/catch.hpp>

#include <cstring>

#include "emu/devices/disk.h"
#include "emu/machine/machine.h"

namespace vitrine::test {

using namespace vitrine::emu;

/// Sectors that hold what a test puts there.
struct BytesDisk final : DiskSource {
  explicit BytesDisk(size_t sectors) : content(sectors * 512) {}
  uint64_t bytes() const override { return content.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), content.data() + offset, out.size());
  }
  void put(size_t offset, std::span<const uint8_t> bytes) {
    std::memcpy(content.data() + offset, bytes.data(), bytes.size());
  }
  std::vector<std::byte> content;
};

inline MachineConfig config_with(const DiskSource& source) {
  MachineConfig config;
  config.memory_bytes = uint64_t{16} << 20;
  config.disks = {{&source, false}};
  return config;
}

template <class T>
void put(Machine& m, uint64_t address, T value) {
  m.bus().write_block(Hpa{address}, std::as_bytes(std::span{&value, 1}));
}
template <class T>
T get(Machine& m, uint64_t address) {
  T value{};
  m.bus().read_block(Hpa{address}, std::as_writable_bytes(std::span{&value, 1}));
  return value;
}

/// The first disk of a machine, driven through its registers; its rings lie from 300000H on.
class DiskDriver {
 public:
  static constexpr uint64_t kRings = 0x300000;
  static constexpr uint64_t kRequest = 0x304000;

  explicit DiskDriver(Machine& machine) : m_(machine) {
    constexpr uint64_t kSlot = 2;
    m_.bus().write_port(0xCF8, 4, 0x80000010 | kSlot << 11, at());
    bar_ = m_.bus().read_port(0xCFC, 4, at());
    reg(0x14, 1, 3);
    reg(0x08, 4, 1);
    reg(0x0C, 4, 1);
    reg(0x14, 1, 11);
    reg(0x18, 2, 8);
    reg(0x20, 8, kRings);
    reg(0x28, 8, kRings + 0x1000);
    reg(0x30, 8, kRings + 0x2000);
    reg(0x1C, 2, 1);
    reg(0x14, 1, 15);
  }

  /// Asks for a transfer between `sector` and memory, ringing the bell now.
  void ask(bool to_memory, uint64_t sector, uint64_t address, uint32_t size) {
    put(m_, kRequest, uint64_t{to_memory ? 0u : 1u});
    put(m_, kRequest + 8, sector);
    put(m_, kRequest + 16, uint8_t{0xEE});
    descriptor(0, kRequest, 16, 1, 1);
    descriptor(1, address, size, static_cast<uint16_t>(to_memory ? 3 : 1), 2);
    descriptor(2, kRequest + 16, 1, 2, 0);
    put(m_, kRings + 0x1004 + 2u * (offered_ % 8), uint16_t{0});
    put(m_, kRings + 0x1002, ++offered_);
    reg(0x3000, 2, 0);
  }
  /// Of the last transfer; EEH until it is done.
  uint8_t status() { return get<uint8_t>(m_, kRequest + 16); }

 private:
  BusAccess at() const { return {m_.now(), 0}; }
  void reg(uint64_t offset, unsigned size, uint64_t value) {
    m_.bus().write(Hpa{bar_ + offset}, size, value, at());
  }
  void descriptor(uint64_t index, uint64_t address, uint32_t size, uint16_t flags, uint16_t next) {
    put(m_, kRings + 16 * index, address);
    put(m_, kRings + 16 * index + 8, size);
    put(m_, kRings + 16 * index + 12, flags);
    put(m_, kRings + 16 * index + 14, next);
  }

  Machine& m_;
  uint64_t bar_ = 0;
  uint16_t offered_ = 0;
};

}  // namespace vitrine::test
