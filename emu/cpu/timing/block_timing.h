// BlockTiming: what a core can know of a block before it runs: slots, work per port set, data flow.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "emu/arch/types.h"
#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/data_flow.h"

namespace vitrine::emu::timing {

/// Instructions of the longest block, as the engines form them (kMaxBlockInsns).
inline constexpr uint32_t kMaxTimedInsns = 32;

/// Bits of InsnTiming::traits.
namespace trait {
inline constexpr uint16_t loads = 1;
inline constexpr uint16_t stores = 2;
inline constexpr uint16_t operates = 4;      ///< has a micro-operation besides its memory accesses
inline constexpr uint16_t renamed = 8;       ///< a move that renaming carries out
inline constexpr uint16_t independent = 16;  ///< its results wait for nothing
inline constexpr uint16_t serialises = 32;
inline constexpr uint16_t locked = 64;
inline constexpr uint16_t short_form = 128;  ///< its load can take the short path
inline constexpr uint16_t syncs_stack =
    256;                                  ///< waits for the stack pointer that the front end moved
inline constexpr uint16_t assumed = 512;  ///< its form has no line in the profile's table
inline constexpr uint16_t vector = 1024;  ///< loads into a vector register
}  // namespace trait

struct InsnTiming {
  std::array<uint8_t, 8> sources{};
  std::array<uint8_t, 6> results{};
  std::array<uint8_t, 3> address{};
  uint8_t source_count = 0, result_count = 0, address_count = 0;
  uint8_t access_size = 0;  ///< bytes
  uint16_t latency = 0;     ///< ticks
  uint16_t traits = 0;
  uint32_t address_name = 0;  ///< the address expression, for renamed memory; 0: not renamed
};

/// Lanes beyond the port sets.
inline constexpr size_t kDividerLane = kPortLanes;
inline constexpr size_t kFrontEndLane = kPortLanes + 1;
inline constexpr size_t kLanes = 16;

struct BlockTiming {
  /// Ticks from the first instruction's issue to that of instruction k, if nothing holds it up.
  std::array<uint32_t, kMaxTimedInsns + 1> prefix{};
  std::array<uint16_t, kMaxTimedInsns + 1> offset{};  ///< of instruction k's bytes
  std::array<uint32_t, kLanes>
      work{};                 ///< ticks of work for each lane; the front end's from its cache
  uint32_t decode_ticks = 0;  ///< the front end's through the legacy decoders
  uint32_t slots = 0;
  uint32_t stores = 0;
  uint32_t count = 0;
  BranchKind branch = BranchKind::none;  ///< how it ends
  bool fast_string = false;              ///< or with REP MOVS or REP STOS
  std::array<InsnTiming, kMaxTimedInsns> insns{};
};

/// Pure function of the instructions, their address and the core.
/// `bytes` are those of the whole block; each instruction must decode.
BlockTiming time_block(std::span<const std::byte> bytes, Gva address, uint8_t code_size,
                       uint32_t count, const CoreParameters& core);

}  // namespace vitrine::emu::timing
