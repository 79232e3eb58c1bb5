// The bus map: which range of addresses or ports belongs to whom, and accesses routed there.
#include "emu/mmu/bus.h"

#include <algorithm>
#include <cstring>

#include "emu/arch/require.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t ones(unsigned size) {
  return size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (size * 8)) - 1;
}

/// `range` cut to [start, start + size).
BusRange slice(const BusRange& range, Hpa start, uint64_t size) {
  BusRange part = range;
  const uint64_t skipped = start - range.start;
  part.start = start;
  part.size = size;
  part.ram_offset += skipped;
  part.shadow_offset += skipped;
  part.target_offset += skipped;
  return part;
}

constexpr uint64_t kA20 = uint64_t{1} << 20;

/// The map with address bit 20 ignored: the even megabytes, each twice.
std::vector<BusRange> fold(const std::vector<BusRange>& ranges) {
  std::vector<BusRange> folded;
  for (const BusRange& range : ranges) {
    const Hpa end = range.start + range.size;
    Hpa at = range.start;
    while (at < end) {
      const Hpa next = std::min(end, Hpa{(at.value | (kA20 - 1)) + 1});
      if ((at.value & kA20) == 0) {
        const BusRange part = slice(range, at, next - at);
        folded.push_back(part);
        folded.push_back(part);
        folded.back().start += kA20;
      }
      at = next;
    }
  }
  std::sort(folded.begin(), folded.end(),
            [](const BusRange& a, const BusRange& b) { return a.start < b.start; });
  return folded;
}

}  // namespace

void Bus::map(const BusRange& range) {
  require(range.size != 0, "a bus range is not empty");
  unmap(range.start, range.size);
  const auto at =
      std::find_if(ranges_.begin(), ranges_.end(),
                   [&](const BusRange& other) { return other.start > range.start; });
  const auto index = static_cast<size_t>(at - ranges_.begin());
  ranges_.insert(at, range);
  if (index + 1 < ranges_.size()) join(index);
  if (index != 0) join(index - 1);
  changed();
}

/// RAM that continues in the next range becomes one range with it.
void Bus::join(size_t index) {
  BusRange& first = ranges_[index];
  const BusRange& second = ranges_[index + 1];
  const bool one = first.kind == BusRange::Kind::ram && second.kind == BusRange::Kind::ram &&
                   first.start + first.size == second.start &&
                   first.ram_offset + first.size == second.ram_offset;
  if (!one) return;
  first.size += second.size;
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
}

void Bus::unmap(Hpa start, uint64_t size) {
  const Hpa end = start + size;
  std::vector<BusRange> kept;
  for (const BusRange& range : ranges_) {
    const Hpa range_end = range.start + range.size;
    if (range_end <= start || range.start >= end) {
      kept.push_back(range);
      continue;
    }
    if (range.start < start) kept.push_back(slice(range, range.start, start - range.start));
    if (range_end > end) kept.push_back(slice(range, end, range_end - end));
  }
  ranges_ = std::move(kept);
  changed();
}

void Bus::changed() {
  last_ = &kOpen;
  if (!a20_open_) folded_ = fold(ranges_);
  ++version_;
}

void Bus::set_a20(bool open) {
  if (open == a20_open_) return;
  a20_open_ = open;
  folded_.clear();
  changed();
}

const BusRange& Bus::find_in(const std::vector<BusRange>& ranges, Hpa address) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), address,
                       [](Hpa a, const BusRange& range) { return a < range.start; });
  if (after == ranges.begin()) return kOpen;
  const BusRange& range = *(after - 1);
  return address - range.start < range.size ? range : kOpen;
}

uint64_t Bus::read(Hpa address, unsigned size, const BusAccess& access) {
  const BusRange& range = find(address);
  const uint64_t offset = address - range.start;
  switch (range.kind) {
    case BusRange::Kind::ram:
    case BusRange::Kind::rom: {
      uint64_t value = 0;
      memory_.read(range.ram_offset + offset,
                   std::as_writable_bytes(std::span{&value, 1}).first(size));
      return value;
    }
    case BusRange::Kind::device:
      return range.target->read(range.target_offset + offset, size, access) & ones(size);
    case BusRange::Kind::open: break;
  }
  ++open_reads_;
  return ones(size);
}

void Bus::write(Hpa address, unsigned size, uint64_t value, const BusAccess& access) {
  const BusRange& range = find(address);
  const uint64_t offset = address - range.start;
  switch (range.kind) {
    case BusRange::Kind::ram:
      memory_.write(range.ram_offset + offset,
                    std::as_bytes(std::span{&value, 1}).first(size));
      return;
    case BusRange::Kind::device:
      range.target->write(range.target_offset + offset, size, value & ones(size), access);
      return;
    case BusRange::Kind::rom:
      if (!range.shadowed) break;
      memory_.write(range.shadow_offset + offset,
                    std::as_bytes(std::span{&value, 1}).first(size));
      return;
    case BusRange::Kind::open: break;
  }
  ++open_writes_;
}

void Bus::map_ports(uint16_t first, uint32_t count, BusTarget& target, uint64_t target_offset) {
  unmap_ports(first, count);
  const auto at = std::find_if(ports_.begin(), ports_.end(),
                               [&](const PortRange& other) { return other.first > first; });
  ports_.insert(at, PortRange{first, count, &target, target_offset});
}

void Bus::unmap_ports(uint16_t first, uint32_t count) {
  const uint32_t end = first + count;
  std::vector<PortRange> kept;
  for (const PortRange& range : ports_) {
    const uint32_t range_end = range.first + range.count;
    if (range_end <= first || range.first >= end) {
      kept.push_back(range);
      continue;
    }
    if (range.first < first) {
      kept.push_back({range.first, uint32_t{first} - range.first, range.target,
                      range.target_offset});
    }
    if (range_end > end) {
      kept.push_back({static_cast<uint16_t>(end), range_end - end, range.target,
                      range.target_offset + (end - range.first)});
    }
  }
  ports_ = std::move(kept);
}

const Bus::PortRange* Bus::find_port(uint16_t port) const {
  const auto after =
      std::upper_bound(ports_.begin(), ports_.end(), port,
                       [](uint16_t p, const PortRange& range) { return p < range.first; });
  if (after == ports_.begin()) return nullptr;
  const PortRange& range = *(after - 1);
  return uint32_t{port} - range.first < range.count ? &range : nullptr;
}

uint64_t Bus::read_port(uint16_t port, unsigned size, const BusAccess& access) {
  if (const PortRange* range = find_port(port)) {
    return range->target->read(port - range->first + range->target_offset, size, access) &
           ones(size);
  }
  ++open_reads_;
  return ones(size);
}

void Bus::write_port(uint16_t port, unsigned size, uint64_t value, const BusAccess& access) {
  if (const PortRange* range = find_port(port)) {
    range->target->write(port - range->first + range->target_offset, size, value & ones(size),
                         access);
    return;
  }
  ++open_writes_;
}

void Bus::read_from(const std::vector<BusRange>& ranges, Hpa address,
                    std::span<std::byte> out) const {
  while (!out.empty()) {
    const auto step = std::min<uint64_t>(out.size(), kPageSize - (address.value & kPageMask));
    const BusRange& range = find_in(ranges, address);
    const auto part = out.first(step);
    if (range.kind == BusRange::Kind::ram || range.kind == BusRange::Kind::rom) {
      memory_.read(range.ram_offset + (address - range.start), part);
    } else {
      std::fill(part.begin(), part.end(), std::byte{0xFF});
    }
    address += step;
    out = out.subspan(step);
  }
}

void Bus::write_to(const std::vector<BusRange>& ranges, Hpa address,
                   std::span<const std::byte> in, bool into_rom) {
  while (!in.empty()) {
    const auto step = std::min<uint64_t>(in.size(), kPageSize - (address.value & kPageMask));
    const BusRange& range = find_in(ranges, address);
    const uint64_t offset = address - range.start;
    const bool rom = range.kind == BusRange::Kind::rom;
    if (range.kind == BusRange::Kind::ram || (into_rom && rom)) {
      memory_.write(range.ram_offset + offset, in.first(step));
    } else if (rom && range.shadowed) {
      memory_.write(range.shadow_offset + offset, in.first(step));
    } else {
      ++open_writes_;
    }
    address += step;
    in = in.subspan(step);
  }
}

void Bus::read_block(Hpa address, std::span<std::byte> out) const {
  read_from(a20_open_ ? ranges_ : folded_, address, out);
}

void Bus::write_block(Hpa address, std::span<const std::byte> in, bool into_rom) {
  write_to(a20_open_ ? ranges_ : folded_, address, in, into_rom);
}

void Bus::dma_read(Hpa address, std::span<std::byte> out, uint64_t driver) const {
  read_from(ranges_, address, out);
  if (dma_observer_ != nullptr) dma_observer_->transferred(address, out.size(), false, driver);
}

void Bus::dma_write(Hpa address, std::span<const std::byte> in, uint64_t driver) {
  write_to(ranges_, address, in, false);
  if (dma_observer_ != nullptr) dma_observer_->transferred(address, in.size(), true, driver);
}

}  // namespace vitrine::emu
