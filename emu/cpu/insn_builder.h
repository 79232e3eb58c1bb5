// InsnBuilder: build_insn() that remembers, for code that is written again and again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "emu/cpu/build_insn.h"

namespace vitrine::emu {

/// What bytes mean depends on them, the mode and the profile alone, so an answer found once holds.
class InsnBuilder {
 public:
  explicit InsnBuilder(const arch::CpuProfile& profile) : profile_(profile), known_(kKnown) {}

  /// As build_insn().
  bool build(std::span<const std::byte> bytes, const DecodeMode& mode, Insn& insn) {
    if (bytes.size() < kMaxInsnBytes) return build_insn(bytes, mode, profile_, insn);
    const uint8_t key = key_of(mode);
    Known& known = known_[slot(bytes)];
    const size_t length = known.insn.length;
    if (length != 0 && known.key == key &&
        std::memcmp(known.bytes.data(), bytes.data(), length) == 0) {
      insn = known.insn;
      return true;
    }
    if (!build_insn(bytes, mode, profile_, insn)) return false;
    std::memcpy(known.bytes.data(), bytes.data(), kMaxInsnBytes);
    known.key = key;
    known.insn = insn;
    return true;
  }

 private:
  struct Known {
    Insn insn;
    std::array<std::byte, kMaxInsnBytes> bytes{};
    uint8_t key = 0;
  };
  static constexpr size_t kKnown = 2048;

  static uint8_t key_of(const DecodeMode& mode) {
    return static_cast<uint8_t>(mode.code_size | (mode.stack32 ? 16 : 0) | (mode.flat ? 32 : 0));
  }
  /// By the first four bytes: shorter instructions are known once for each follower.
  static size_t slot(std::span<const std::byte> bytes) {
    uint32_t head = 0;
    std::memcpy(&head, bytes.data(), sizeof(head));
    return (head * 0x9E3779B1u) >> 21;
  }

  const arch::CpuProfile& profile_;
  std::vector<Known> known_;
};

}  // namespace vitrine::emu
