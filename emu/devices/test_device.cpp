// The test device: one 32-bit latch seen through two windows, interrupt lines, memory as a device.
#include "emu/devices/test_device.h"

#include <algorithm>
#include <cstring>

namespace vitrine::emu {

namespace {

constexpr bool in_latch(uint64_t offset) { return offset < 4 || (offset >= 8 && offset < 12); }

}  // namespace

void TestDevice::reset(Cycle now) {
  for (unsigned i = 0; i < kLines; ++i) {
    if ((levels_ >> i & 1) != 0) Line{lines_.target, lines_.number + i}.set(false, now);
  }
  latch_ = levels_ = 0;
  flushes_ = 0;
  std::fill(memory_.begin(), memory_.end(), std::byte{0});
}

uint64_t TestDevice::peek(uint64_t offset, unsigned size) const {
  if (offset >= kMemoryOffset) {
    const uint64_t at = offset - kMemoryOffset;
    if (at + size > kMemorySize) return open_bus(size);
    uint64_t value = 0;
    std::memcpy(&value, memory_.data() + at, size);
    return value;
  }
  if (!in_latch(offset)) return open_bus(size);
  return uint64_t{latch_} >> 8 * (offset & 3) & open_bus(size);
}

uint64_t TestDevice::read(uint64_t offset, unsigned size, const BusAccess&) {
  return peek(offset, size);
}

void TestDevice::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) {
  if (offset >= kMemoryOffset) {
    const uint64_t at = offset - kMemoryOffset;
    if (at + size <= kMemorySize) std::memcpy(memory_.data() + at, &value, size);
  } else if (offset >= kLineOffset) {
    const uint64_t line = offset - kLineOffset;
    if (line >= kLines || size != 1) return;
    const bool level = (value & 0xFF) != 0;
    levels_ = static_cast<uint32_t>((levels_ & ~(1u << line)) | (level ? 1u << line : 0));
    Line{lines_.target, lines_.number + static_cast<unsigned>(line)}.set(level, access.now);
  } else if (in_latch(offset)) {
    const unsigned shift = 8 * static_cast<unsigned>(offset & 3);
    const auto mask = static_cast<uint32_t>(open_bus(size) << shift);
    latch_ = (latch_ & ~mask) | (static_cast<uint32_t>(value << shift) & mask);
  } else if (offset == 4 && size == 4) {
    // Flush: there is nothing to write back here, so that only the count tells of it.
    ++flushes_;
  }
}

void TestDevice::visit(StateVisitor& v) {
  v.enter(name());
  v.field("latch", latch_);
  v.field("levels", levels_);
  v.field("flushes", flushes_);
  v.blob("memory", memory_);
  if (v.loading()) memory_.resize(kMemorySize);
  v.leave();
}

std::string TestDevice::inspect() const {
  return Facts{}
      .hex("latch", latch_, 8)
      .hex("lines", levels_, 6)
      .number("flushes", flushes_)
      .text();
}

}  // namespace vitrine::emu
