// Reads through the overlay, writes into it.
#include "emu/devices/disk.h"

#include <algorithm>
#include <cstring>

namespace vitrine::emu {

void Disk::read_source(uint64_t offset, std::span<std::byte> out) const {
  const uint64_t end = source_.bytes();
  const uint64_t there = offset >= end ? 0 : std::min<uint64_t>(out.size(), end - offset);
  if (there != 0) source_.read(offset, out.first(there));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(there), out.end(), std::byte{0});
}

void Disk::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const uint64_t within = offset % kBlock;
    const auto count = std::min<uint64_t>(out.size(), kBlock - within);
    const auto changed = overlay_.find(offset / kBlock);
    if (changed != overlay_.end()) {
      std::memcpy(out.data(), changed->second.data() + within, count);
    } else {
      read_source(offset, out.first(count));
    }
    out = out.subspan(count);
    offset += count;
  }
}

void Disk::write(uint64_t offset, std::span<const std::byte> in) {
  while (!in.empty()) {
    const uint64_t index = offset / kBlock;
    const uint64_t within = offset % kBlock;
    const auto count = std::min<uint64_t>(in.size(), kBlock - within);
    const auto [block, added] = overlay_.try_emplace(index);
    if (added) read_source(index * kBlock, block->second);
    std::memcpy(block->second.data() + within, in.data(), count);
    in = in.subspan(count);
    offset += count;
  }
}

void Disk::visit(StateVisitor& v) {
  v.constant("sectors", sectors());
  constexpr size_t kRecord = sizeof(uint64_t) + kBlock;
  std::vector<std::byte> image;
  image.reserve(overlay_.size() * kRecord);
  for (const auto& [index, block] : overlay_) {
    const auto key = std::as_bytes(std::span{&index, 1});
    image.insert(image.end(), key.begin(), key.end());
    image.insert(image.end(), block.begin(), block.end());
  }
  v.blob("overlay", image);
  if (!v.loading()) return;
  overlay_.clear();
  for (size_t at = 0; at + kRecord <= image.size(); at += kRecord) {
    uint64_t index = 0;
    std::memcpy(&index, image.data() + at, sizeof(index));
    if (index > source_.bytes() / kBlock) {
      v.reject();
      return;
    }
    std::memcpy(overlay_[index].data(), image.data() + at + sizeof(index), kBlock);
  }
}

}  // namespace vitrine::emu
