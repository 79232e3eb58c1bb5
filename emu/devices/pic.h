// Pic: the two 8259A interrupt controllers of a PC, cascaded, with the edge/level registers.
#pragma once

#include <array>

#include "emu/devices/device.h"

namespace vitrine::emu {

/// Inputs 0-15 are the ISA interrupt requests; input 2 is the cascade and nobody else's.
class Pic final : public ByteDevice, public LineTarget, public ExtIntSource {
 public:
  static constexpr uint16_t kMasterPort = 0x20;
  static constexpr uint16_t kSlavePort = 0xA0;
  static constexpr uint16_t kElcrPort = 0x4D0;
  static constexpr uint32_t kPorts = 2;  ///< of each of the three
  /// Target offsets under which the three pairs are mapped.
  static constexpr uint64_t kMasterOffset = 0;
  static constexpr uint64_t kSlaveOffset = 0x10;
  static constexpr uint64_t kElcrOffset = 0x20;

  /// `intr` is the master's INT output.
  explicit Pic(Line intr) : intr_(intr) {}

  void set_line(unsigned line, bool level, Cycle now) override;
  /// The processor's two INTA cycles: the vector, spurious 7 when nothing asks any more.
  uint8_t acknowledge(Cycle now) override;
  bool pending() const { return chips_[0].request() >= 0; }

  std::string_view name() const override { return "pic"; }
  void reset(Cycle now) override;
  void visit(StateVisitor& v) override;
  std::string inspect() const override;

 protected:
  uint8_t read_byte(uint64_t offset, Cycle now) override;
  void write_byte(uint64_t offset, uint8_t value, Cycle now) override;
  uint8_t peek_byte(uint64_t offset) const override;

 private:
  struct Chip {
    uint8_t lines = 0;  ///< levels of the inputs
    uint8_t irr = 0;
    uint8_t isr = 0;
    uint8_t imr = 0xFF;
    uint8_t elcr = 0;
    uint8_t vector = 0;
    uint8_t lowest = 7;    ///< the input of lowest priority
    uint8_t expected = 0;  ///< the next initialisation word; 0 outside the sequence
    uint8_t icw3 = 0;
    bool single = false;
    bool wants_icw4 = false;
    bool auto_eoi = false;
    bool rotate_on_auto_eoi = false;
    bool fully_nested_special = false;
    bool special_mask = false;
    bool poll = false;
    bool read_isr = false;
    bool master = false;

    int request() const;
    int highest(uint8_t inputs) const;
    void set_input(unsigned input, bool level);
    void take(unsigned input);
    void end(unsigned input, bool rotate);
    void initialise(uint8_t icw1);
    void command(uint8_t value);
    void data(uint8_t value);
    void visit(StateVisitor& v, std::string_view name);
  };

  void update(Cycle now);
  uint8_t take_poll(unsigned chip, Cycle now);

  std::array<Chip, 2> chips_{};
  Line intr_;
};

}  // namespace vitrine::emu
