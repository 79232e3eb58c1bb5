// Block requests ("Block Device", "Device Operation"): read, write, flush, identify.
#include "emu/devices/virtio_block.h"

#include <algorithm>
#include <cstring>

namespace vitrine::emu {

namespace {

constexpr uint32_t kComplete = 0;  // event kind

constexpr uint64_t kFeatureReadOnly = 1u << 5;
constexpr uint64_t kFeatureFlush = 1u << 9;

namespace request {
constexpr uint32_t in = 0, out = 1, flush = 4, get_id = 8;
}
constexpr uint8_t kOk = 0;
constexpr uint8_t kIoError = 1;
constexpr uint8_t kUnsupported = 2;
constexpr size_t kHeader = 16;
constexpr size_t kIdBytes = 20;
constexpr size_t kStep = 64 * 1024;

uint64_t features_of(const Disk& disk) {
  return kFeatureFlush | (disk.read_only() ? kFeatureReadOnly : 0);
}

}  // namespace

VirtioBlock::VirtioBlock(EventQueue& events, Bus& bus, Line interrupt, Disk& disk, uint64_t latency)
    : VirtioDevice(bus, interrupt,
                   {.type = 2, .class_code = 0x010000, .features = features_of(disk), .queues = 1}),
      events_(events),
      disk_(disk),
      latency_(latency) {
  id_ = events_.add_target(*this);
}

void VirtioBlock::device_reset() {
  events_.cancel(id_, kComplete);
  busy_ = false;
}

/// The capacity in sectors; what follows is absent without its feature bits.
uint8_t VirtioBlock::device_config(uint64_t offset) const {
  return offset < 8 ? static_cast<uint8_t>(disk_.sectors() >> 8 * offset) : uint8_t{0};
}

void VirtioBlock::notified(size_t, Cycle now) {
  if (busy_) return;
  busy_ = true;
  events_.schedule(now + latency_, id_, kComplete);
}

/// Moves the data of one request; its last writable byte is the status and not counted here.
uint8_t VirtioBlock::transfer(const VirtioChain& chain, uint32_t type, uint64_t sector,
                              uint32_t& written) {
  const uint64_t room = chain.writable_bytes() - 1;
  if (type == request::flush) return kOk;
  if (type == request::get_id) {
    constexpr std::string_view kId = "vitrine";
    std::array<std::byte, kIdBytes> id{};
    std::memcpy(id.data(), kId.data(), kId.size());
    const auto count = std::min<uint64_t>(room, kIdBytes);
    write_parts(chain, 0, std::span{id}.first(count));
    written = static_cast<uint32_t>(count);
    return kOk;
  }
  if (type != request::in && type != request::out) return kUnsupported;
  if (type == request::out && disk_.read_only()) return kIoError;
  const uint64_t size = type == request::in ? room : chain.readable_bytes() - kHeader;
  const uint64_t capacity = disk_.sectors();
  if (size % Disk::kSector != 0 || sector > capacity || size / Disk::kSector > capacity - sector) {
    return kIoError;
  }
  std::vector<std::byte> buffer(std::min<uint64_t>(size, kStep));
  for (uint64_t done = 0; done < size; done += buffer.size()) {
    const auto part = std::span{buffer}.first(std::min<uint64_t>(buffer.size(), size - done));
    const uint64_t at = sector * Disk::kSector + done;
    if (type == request::in) {
      disk_.read(at, part);
      write_parts(chain, done, part);
      written += static_cast<uint32_t>(part.size());
    } else {
      read_parts(chain, kHeader + done, part);
      disk_.write(at, part);
    }
  }
  return kOk;
}

void VirtioBlock::fire(uint32_t, uint64_t, Cycle now) {
  busy_ = false;
  while (const auto chain = take(0, now)) {
    uint32_t written = 0;
    if (chain->readable_bytes() >= kHeader && chain->writable_bytes() >= 1) {
      std::array<std::byte, kHeader> header{};
      read_parts(*chain, 0, header);
      uint32_t type = 0;
      uint64_t sector = 0;
      std::memcpy(&type, header.data(), sizeof(type));
      std::memcpy(&sector, header.data() + 8, sizeof(sector));
      const std::array<std::byte, 1> status = {std::byte{transfer(*chain, type, sector, written)}};
      write_parts(*chain, chain->writable_bytes() - 1, status);
      ++written;
    }
    give_back(0, *chain, written, now);
  }
}

void VirtioBlock::visit(StateVisitor& v) {
  v.enter(name());
  VirtioDevice::visit(v);
  v.field("busy", busy_);
  disk_.visit(v);
  v.leave();
}

}  // namespace vitrine::emu
