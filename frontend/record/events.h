// The typed events of a run: what the timeline prints, the picture draws and expressions ask for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emu/arch/types.h"

namespace vitrine::ui {

/// Where an event happened: the instruction that made it happen.
struct Place {
  emu::Cycle cycle;
  uint32_t processor = 0;
  uint64_t rip = 0;
  std::string symbol;  ///< "image: function+0x1c"
};

/// A partition or an event-log buffer changed its state, or a partition appeared or vanished.
struct Transition {
  enum class Object : uint8_t { partition, buffer };

  Place place;
  Object object{};
  uint64_t id = 0;      ///< partition id, or buffer type << 32 | index
  std::string from, to; ///< state names; "absent" for what is not there
  uint64_t pool_pages = 0;      ///< partitions: in the pool
  uint64_t pool_available = 0;  ///< of these, unused
};

/// The pool of a partition at a moment.
struct PoolSample {
  emu::Cycle cycle;
  uint64_t partition = 0;
  uint64_t pages = 0, available = 0;
};

/// Cycles and instructions spent in one function during an attempt, in order of first appearance.
struct Phase {
  std::string name;
  uint64_t cycles = 0;
  uint64_t instructions = 0;
};

/// From one VMCALL to the VM entry that ends it. The phases sum to `end - begin` exactly.
struct Attempt {
  emu::Cycle begin, end;
  std::vector<Phase> phases;
};

struct InterruptEvent {
  emu::Cycle cycle;
  uint32_t processor = 0;
  uint8_t vector = 0;
  uint64_t interrupted_rip = 0;
};

struct HypercallEvent {
  Place place;              ///< the VMCALL
  uint64_t vmcs = 0;        ///< which virtual processor: its VMCS
  std::string caller;       ///< "root" or "child"
  uint64_t partition = 0;   ///< of the caller; 0 where the hypervisor's objects do not say
  uint32_t vp = 0;          ///< its index there
  uint64_t control = 0;     ///< the control word as first given
  uint64_t first = 0, second = 0;  ///< RDX, R8
  uint64_t result = 0;      ///< RAX when it returned
  bool finished = false;
  std::vector<Attempt> attempts;
  std::vector<InterruptEvent> interrupts;  ///< delivered to the caller between attempts

  uint16_t code() const { return static_cast<uint16_t>(control); }
  uint16_t status() const { return static_cast<uint16_t>(result); }
  uint32_t reps() const { return static_cast<uint32_t>(result >> 32) & 0xFFF; }
  uint64_t cycles() const {
    const bool ended = !attempts.empty() && attempts.back().end >= attempts.front().begin;
    return ended ? attempts.back().end - attempts.front().begin : 0;
  }
};

/// Which world a processor is in.
enum class Lane : uint8_t { root, hypervisor, child };

struct LaneChange {
  emu::Cycle cycle;
  uint32_t processor = 0;
  Lane lane{};
};

}  // namespace vitrine::ui
