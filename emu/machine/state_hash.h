// StateHash: a 64-bit hash of the canonical serialisation of everything a snapshot holds.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// The same on every host. Not cryptographic: it tells runs apart, not forgeries.
class StateHash final : public StateVisitor {
 public:
  void enter(std::string_view part) override;
  void leave() override;
  void bytes(std::string_view name, std::span<std::byte> data) override;
  void blob(std::string_view name, std::vector<std::byte>& data) override;
  bool loading() const override { return false; }

  /// Bytes that are nobody's field.
  void absorb(std::span<const std::byte> data);
  uint64_t value() const;

 private:
  void absorb(uint64_t word);

  std::array<uint64_t, 4> lanes_{0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0,
                                 0x082EFA98EC4E6C89};
  uint64_t length_ = 0;
};

}  // namespace vitrine::emu
