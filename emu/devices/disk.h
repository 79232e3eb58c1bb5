// Disk: an image that is never written, under an overlay of changed blocks that is machine state.
#pragma once

#include <array>
#include <map>
#include <span>

#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// Where the original bytes come from.
class DiskSource {
 public:
  virtual ~DiskSource() = default;
  virtual uint64_t bytes() const = 0;
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
};

class Disk {
 public:
  static constexpr uint64_t kSector = 512;
  static constexpr uint64_t kBlock = 4096;
  using Block = std::array<std::byte, kBlock>;

  Disk(const DiskSource& source, bool read_only) : source_(source), read_only_(read_only) {}

  /// Whole sectors; a part of one at the end of the image is padded with zeros.
  uint64_t sectors() const { return (source_.bytes() + kSector - 1) / kSector; }
  bool read_only() const { return read_only_; }
  /// Ranges must lie inside the sectors.
  void read(uint64_t offset, std::span<std::byte> out) const;
  void write(uint64_t offset, std::span<const std::byte> in);
  /// Changed blocks by index, ascending: for whoever commits them.
  const std::map<uint64_t, Block>& overlay() const { return overlay_; }

  void visit(StateVisitor& v);

 private:
  void read_source(uint64_t offset, std::span<std::byte> out) const;

  const DiskSource& source_;
  bool read_only_;
  std::map<uint64_t, Block> overlay_;
};

}  // namespace vitrine::emu
