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
  part.target_offset += skipped;
  return part;
}

}  // namespace

void Bus::map(const BusRange& range) {
  require(range.size != 0, "a bus range is not empty");
  unmap(range.start, range.size);
  const auto at =
      std::find_if(ranges_.begin(), ranges_.end(),
                   [&](const BusRange& other) { return other.start > range.start; });
  ranges_.insert(at, range);
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
  ++version_;
}

const BusRange& Bus::find(Hpa address) const {
  static constexpr BusRange kOpen{};
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), address,
                       [](Hpa a, const BusRange& range) { return a < range.start; });
  if (after == ranges_.begin()) return kOpen;
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

void Bus::read_block(Hpa address, std::span<std::byte> out) const {
  while (!out.empty()) {
    const auto step = std::min<uint64_t>(out.size(), kPageSize - (address.value & kPageMask));
    const BusRange& range = find(address);
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

void Bus::write_block(Hpa address, std::span<const std::byte> in, bool into_rom) {
  while (!in.empty()) {
    const auto step = std::min<uint64_t>(in.size(), kPageSize - (address.value & kPageMask));
    const BusRange& range = find(address);
    if (range.kind == BusRange::Kind::ram || (into_rom && range.kind == BusRange::Kind::rom)) {
      memory_.write(range.ram_offset + (address - range.start), in.first(step));
    } else {
      ++open_writes_;
    }
    address += step;
    in = in.subspan(step);
  }
}

}  // namespace vitrine::emu
