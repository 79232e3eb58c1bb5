// Random programs for a bare processor in long mode: arithmetic, memory, loops, faults, patched code, moved pages.
#pragma once

#include <cstdint>
#include <vector>

#include "emu/machine/machine.h"

namespace vitrine::test {

/// xorshift64*: the programs of a seed are the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool one_in(uint64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

/// Where things are; linear addresses equal physical ones but for the pages in kMoving.
struct Places {
  static constexpr uint64_t kPml4 = 0x1000, kPdpt = 0x2000, kPd = 0x3000, kPt = 0x4000;
  static constexpr uint64_t kGdt = 0x5000, kIdt = 0x5800, kHandler = 0x7000, kVariables = 0x8000;
  static constexpr uint64_t kStack = 0xC000, kCode = 0x10000;
  /// Mapped by single pages, some of them absent or read-only: [kMoving, kMoving + 16 pages).
  static constexpr uint64_t kMoving = 0x200000;
  static constexpr uint64_t kNext = kVariables, kCounter = kVariables + 8,
                            kFaults = kVariables + 16;
};

struct Program {
  std::vector<uint8_t> code;
  unsigned chunks = 0;
};

/// A program of so many chunks; it halts at its end, and each fault goes on with the next chunk.
/// `vectors`: most instructions are of SSE, AVX and FMA.
Program make_program(uint64_t seed, unsigned chunks, bool vectors = false);

uint64_t special_number(Random& random);

/// Puts tables, handlers and the program into a new machine's memory and its processor at the start.
void load_program(emu::Machine& machine, const Program& program);

}  // namespace vitrine::test
