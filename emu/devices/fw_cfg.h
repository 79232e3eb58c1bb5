// FwCfg: QEMU's firmware configuration device, as far as test images ask it about the machine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emu/devices/device.h"

namespace vitrine::emu {

/// A selector port (16 bits, write only) and a data port that gives an item's bytes one by one.
class FwCfg final : public Device {
 public:
  static constexpr uint16_t kPort = 0x510;
  static constexpr uint32_t kPorts = 2;

  struct Sizes {
    uint32_t processors = 1;
    uint64_t ram_bytes = 0;
  };
  explicit FwCfg(const Sizes& sizes);

  /// A named file, such as "etc/e820"; it gets the next free key.
  void add_file(std::string_view path, std::vector<std::byte> content);

  std::string_view name() const override { return "fw_cfg"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  struct File {
    std::string path;
    uint16_t key;
    uint32_t size;
  };
  void add(uint16_t key, uint64_t value, unsigned size);
  void rebuild_directory();

  std::map<uint16_t, std::vector<std::byte>> items_;
  std::vector<File> files_;
  uint16_t selected_ = 0;
  uint32_t position_ = 0;
};

}  // namespace vitrine::emu
