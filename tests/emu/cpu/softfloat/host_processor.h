// Executes one SSE or x87 instruction on the processor the tests run on, under a chosen MXCSR or
// FCW.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "emu/cpu/softfloat/format.h"

namespace vitrine::emu::softfloat::host {

// The memory the machine code works on; RDI points to it.
struct alignas(64) Context {
  uint32_t control = 0;             // [rdi]: MXCSR or FCW
  uint16_t status = 0;              // [rdi+4]: FSW
  uint16_t default_fcw = 0x037f;    // [rdi+6]
  uint32_t default_mxcsr = 0x1f80;  // [rdi+8]
  uint32_t padding = 0;
  std::array<std::array<uint64_t, 2>, 3> in{};  // [rdi+16], [rdi+32], [rdi+48]
  std::array<uint64_t, 2> memory{};             // [rdi+64]: RAX, or a memory operand
  uint64_t rflags = 0;                          // [rdi+80]
  uint64_t padding2 = 0;
  std::array<std::array<uint64_t, 2>, 2> out{};  // [rdi+96], [rdi+112]: ST0 and ST1 afterwards
};

enum class Feature : uint8_t { baseline, sse41, avx, fma, f16c };

// Whether this host can run x86 machine code, and the instructions of a feature.
[[nodiscard]] bool is_x86();
[[nodiscard]] bool has(Feature feature);

struct SseResult {
  std::array<uint64_t, 2> xmm0;
  uint64_t rax;
  uint64_t rflags;
  uint8_t flags;
  bool trapped;  // #XM was raised; the destinations are unchanged.
};

struct X87Result {
  F80 st0;
  F80 st1;
  std::array<uint64_t, 2> memory;
  uint16_t status;
};

// One instruction, wrapped in code that loads its operands and stores what it did.
class Instruction {
 public:
  enum class Kind : uint8_t { sse, x87 };
  Instruction(Kind kind, std::span<const uint8_t> bytes);
  ~Instruction();
  Instruction(const Instruction&) = delete;
  Instruction& operator=(const Instruction&) = delete;

  // xmm0 = a, xmm1 = b, xmm2 = c, rax = integer.
  [[nodiscard]] SseResult sse(uint32_t mxcsr, uint64_t a, uint64_t b, uint64_t c = 0,
                              uint64_t integer = 0) const;
  // ST0 = a, ST1 = b, [rdi+64] = memory.
  [[nodiscard]] X87Result x87(uint16_t fcw, F80 a, F80 b,
                              std::array<uint64_t, 2> memory = {}) const;

 private:
  void run(Context& context) const;
  void* code_ = nullptr;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace vitrine::emu::softfloat::host
