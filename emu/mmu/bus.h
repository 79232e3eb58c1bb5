// The machine's bus: a versioned map from physical addresses and ports to RAM, ROM and devices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "emu/arch/types.h"
#include "emu/mmu/memory.h"

namespace vitrine::emu {

/// Who accesses a device, and when.
struct BusAccess {
  Cycle now;               ///< the accessing processor's clock at the accessing instruction
  uint32_t processor = 0;  ///< index of the processor; DMA and debugger use 0
};

/// Something with registers on the bus. Offsets are relative to the start of its range; `size` is
/// 1, 2, 4 or 8 bytes (ports: 1, 2, 4). Reads with side effects are `read`; `peek` has none.
class BusTarget {
 public:
  virtual ~BusTarget() = default;
  virtual uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) = 0;
  virtual void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) = 0;
  virtual uint64_t peek(uint64_t offset, unsigned size) const = 0;
};

/// One stretch of the physical address space.
struct BusRange {
  enum class Kind : uint8_t { open, ram, rom, device };

  Hpa start;
  uint64_t size = 0;
  Kind kind = Kind::open;
  uint64_t ram_offset = 0;      ///< ram and rom: offset into Memory of the first byte
  BusTarget* target = nullptr;  ///< device
  uint64_t target_offset = 0;   ///< device: added to the offset the target sees
  bool shadowed = false;        ///< rom: writes go to RAM beneath, which is not what is read
  uint64_t shadow_offset = 0;   ///< rom: offset into Memory of the first byte beneath
};

/// Looks at what devices do to memory. No IOMMU is modelled: nothing is refused.
class DmaObserver {
 public:
  virtual ~DmaObserver() = default;
  /// Stands for the driver that runs on a processor now. A device that is told to work remembers it
  /// and gives it back with the transfers.
  virtual uint64_t driver_on(uint32_t processor) const = 0;
  virtual void transferred(Hpa address, uint64_t size, bool write, uint64_t driver) = 0;
};

class Bus {
 public:
  explicit Bus(Memory& memory) : memory_(memory) {}

  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  /// Replaces whatever [range.start, +size) was. Raises version(): cached translations and blocks of
  /// the old map must be dropped by whoever caches them.
  void map(const BusRange& range);
  void unmap(Hpa start, uint64_t size);
  uint64_t version() const { return version_; }

  /// The range that holds `address`; kind open where nothing is mapped.
  const BusRange& find(Hpa address) const {
    if (address - last_->start >= last_->size) [[unlikely]] {
      last_ = &find_in(a20_open_ ? ranges_ : folded_, address);
    }
    return *last_;
  }

  /// The A20 gate: while closed, the processors' address bit 20 is 0, so that each odd MiB shows the
  /// even one below it. Raises version() when it changes.
  void set_a20(bool open);

  /// Ports [first, first + count) belong to `target`, which sees `port - first + target_offset`.
  void map_ports(uint16_t first, uint32_t count, BusTarget& target, uint64_t target_offset = 0);
  void unmap_ports(uint16_t first, uint32_t count);

  /// `size` is 1, 2, 4 or 8. The access must not cross a 4 KiB page. Open bus reads all ones and
  /// ignores writes; ROM ignores writes. Both are counted.
  uint64_t read(Hpa address, unsigned size, const BusAccess& access);
  void write(Hpa address, unsigned size, uint64_t value, const BusAccess& access);
  /// `size` is 1, 2 or 4.
  uint64_t read_port(uint16_t port, unsigned size, const BusAccess& access);
  void write_port(uint16_t port, unsigned size, uint64_t value, const BusAccess& access);

  /// Block copies for DMA, loaders and the debugger: RAM and ROM only, the rest reads as ones and
  /// drops writes. `write_block` goes through the memory's write funnel and may write ROM when asked.
  void read_block(Hpa address, std::span<std::byte> out) const;
  void write_block(Hpa address, std::span<const std::byte> in, bool into_rom = false);

  /// What a device transfers on its own, at addresses as they are: A20 is the processors' pin.
  void dma_read(Hpa address, std::span<std::byte> out, uint64_t driver) const;
  void dma_write(Hpa address, std::span<const std::byte> in, uint64_t driver);
  uint64_t driver_on(uint32_t processor) const {
    return dma_observer_ == nullptr ? 0 : dma_observer_->driver_on(processor);
  }
  void set_dma_observer(DmaObserver* observer) { dma_observer_ = observer; }

  uint64_t open_reads() const { return open_reads_; }
  uint64_t open_writes() const { return open_writes_; }

 private:
  struct PortRange {
    uint16_t first;
    uint32_t count;
    BusTarget* target;
    uint64_t target_offset;
  };
  const PortRange* find_port(uint16_t port) const;
  static constexpr BusRange kOpen{};
  static const BusRange& find_in(const std::vector<BusRange>& ranges, Hpa address);
  void read_from(const std::vector<BusRange>& ranges, Hpa address, std::span<std::byte> out) const;
  void write_to(const std::vector<BusRange>& ranges, Hpa address, std::span<const std::byte> in,
                bool into_rom);
  void join(size_t index);
  void changed();

  Memory& memory_;
  std::vector<BusRange> ranges_;  // ascending, not overlapping
  std::vector<BusRange> folded_;  // ranges_ as they look while A20 is closed; else empty
  mutable const BusRange* last_ = &kOpen;  // found last; kOpen, which holds nothing, before
  bool a20_open_ = true;
  std::vector<PortRange> ports_;  // ascending, not overlapping
  DmaObserver* dma_observer_ = nullptr;
  uint64_t version_ = 1;
  uint64_t open_reads_ = 0;
  uint64_t open_writes_ = 0;
};

}  // namespace vitrine::emu
