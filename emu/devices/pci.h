// PciHost: configuration mechanism 1, one bus of functions, their memory BARs and interrupt pins.
#pragma once

#include <array>
#include <vector>

#include "emu/devices/device.h"

namespace vitrine::emu {

class PciHost;

/// The configuration space of one function, with up to six 32-bit memory BARs.
class PciFunction {
 public:
  static constexpr size_t kBars = 6;

  struct Identity {
    uint16_t vendor = 0;
    uint16_t device = 0;
    uint32_t class_code = 0;  ///< class, subclass, programming interface
    uint8_t revision = 0;
    uint16_t subsystem_vendor = 0;
    uint16_t subsystem = 0;
    bool interrupt_pin = false;  ///< uses INTA#
  };

  explicit PciFunction(const Identity& identity);
  virtual ~PciFunction() = default;

  uint8_t config(size_t offset) const { return config_[offset % kSize]; }
  uint32_t config_word(size_t offset, unsigned size) const;

 protected:
  /// `size` is a power of two, at least 4096. Before the function is plugged in.
  void add_bar(size_t index, uint32_t size, BusTarget& target);
  /// Appends a capability after its id and link; answers where its body starts.
  size_t add_capability(uint8_t id, std::span<const uint8_t> body);
  void visit_config(StateVisitor& v);

 private:
  friend class PciHost;
  static constexpr size_t kSize = 256;
  struct Bar {
    uint32_t size = 0;
    BusTarget* target = nullptr;
  };

  void set(size_t offset, uint64_t value, unsigned size);
  void write(size_t offset, uint8_t value);
  void reset_config();

  std::array<uint8_t, kSize> config_{};
  std::array<uint8_t, kSize> writable_{};
  std::array<uint8_t, kSize> at_reset_{};
  std::array<Bar, kBars> bars_{};
  size_t last_capability_ = 0;
  size_t free_ = 0x40;
  bool plugged_ = false;
};

/// Hears of the host bridge's programmable attribute map, PAM0 to PAM6: which parts of the addresses
/// from C0000H to FFFFFH are read from RAM and which are written to it.
class ShadowSink {
 public:
  virtual ~ShadowSink() = default;
  virtual void shadow_changed(std::span<const uint8_t, 7> pam) = 0;
};

/// Lines of the host are slots: the level of a slot's INTA#. They reach link (slot mod 4), which is
/// `links.number + link`; slots that share a link are or-ed.
class PciHost final : public Device, public LineTarget {
 public:
  static constexpr uint16_t kPort = 0xCF8;
  static constexpr uint32_t kPorts = 8;
  static constexpr unsigned kSlots = 32;
  /// Memory BARs are decoded inside this window only.
  static constexpr Hpa kWindow{0xE0000000};
  static constexpr uint64_t kWindowSize = 0x1EC00000;

  /// `firmware`: a firmware will run that shadows itself; else RAM is there at reset, as one leaves it.
  PciHost(Bus& bus, Line links, ShadowSink* shadow = nullptr, bool firmware = false);

  /// Slot 0 is the host bridge itself. Gives the function's BARs the addresses firmware would.
  void plug(unsigned slot, PciFunction& function);
  void set_line(unsigned slot, bool level, Cycle now) override;

  std::string_view name() const override { return "pci"; }
  void reset(Cycle now) override;
  /// Functions visit their own configuration; visit the host after them.
  void visit(StateVisitor& v) override;
  std::string inspect() const override;
  uint64_t read(uint64_t offset, unsigned size, const BusAccess& access) override;
  void write(uint64_t offset, unsigned size, uint64_t value, const BusAccess& access) override;
  uint64_t peek(uint64_t offset, unsigned size) const override;

 private:
  struct Mapping {
    Hpa start;
    uint64_t size = 0;
    BusTarget* target = nullptr;
    friend bool operator==(const Mapping&, const Mapping&) = default;
  };
  PciFunction* selected() const;
  void assign_bars();
  void remap();
  void update_links(Cycle now);
  void update_shadow();

  Bus& bus_;
  Line links_;
  ShadowSink* shadow_;
  PciFunction bridge_;
  std::array<PciFunction*, kSlots> slots_{};
  std::vector<Mapping> mapped_;
  std::array<uint8_t, 7> pam_{0xFF};  ///< what the sink was told; at first nothing that can be
  uint32_t address_ = 0;
  uint32_t asserted_ = 0;  ///< one bit per slot
};

}  // namespace vitrine::emu
