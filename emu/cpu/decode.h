// The decoder: bytes of one instruction taken apart into a Decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "emu/arch/result.h"
#include "emu/cpu/decoded.h"

namespace vitrine::emu {

inline constexpr size_t kMaxInsnBytes = 15;

struct DecodeError {
  enum class Kind : uint8_t {
    invalid,     ///< #UD
    too_long,    ///< more than fifteen bytes: #GP(0)
    more_bytes,  ///< undecided: the instruction goes on behind the bytes given
  };
  Kind kind;
  uint8_t length;  ///< bytes that decide the error; 0 for more_bytes
};

/// Decodes the instruction at the start of `bytes`, of which at most fifteen matter; fifteen always
/// decide. The result depends on nothing but bytes and mode: features of the profile are the
/// builder's business, so optional encodings (LZCNT, TZCNT) get their newest meaning here.
Result<Decoded, DecodeError> decode(std::span<const std::byte> bytes, const DecodeMode& mode);

}  // namespace vitrine::emu
