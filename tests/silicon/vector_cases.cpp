// Fills vector state and operands.
#include "tests/silicon/vector_cases.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "emu/arch/registers.h"
#include "tests/emu/cpu/softfloat/operands.h"

namespace vitrine::test {

namespace {

namespace arch = emu::arch;
using emu::softfloat::Operands;
using Half = uint64_t;

/// Makes halves of vectors; remembers the last ones, so that operands meet again.
class Contents {
 public:
  explicit Contents(Random& random) : random_(random), operands_(random.next()) {
    kind_ = random_.below(8);
  }

  Half half() {
    const uint64_t kind = random_.one_in(4) ? random_.below(8) : kind_;
    const Half value = made(kind);
    last_[random_.below(last_.size())] = value;
    return value;
  }

 private:
  Half made(uint64_t kind) {
    switch (kind) {
      case 0:
      case 1: return singles();
      case 2:
      case 3: return random_.one_in(3) ? operands_.near(last_[0]) : operands_.value<uint64_t>();
      case 4: return narrow(random_.one_in(2) ? 8 : 16);
      case 5: return random_.edge();
      case 6: return alphabet(random_.one_in(2) ? 8 : 16);
      default: return last_[random_.below(last_.size())];
    }
  }
  Half singles() {
    const auto low = random_.one_in(3) ? operands_.near(static_cast<uint32_t>(last_[0]))
                                       : operands_.value<uint32_t>();
    const auto high = random_.one_in(3) ? operands_.near(low) : operands_.value<uint32_t>();
    return Half{high} << 32 | low;
  }
  Half narrow(unsigned bits) {
    Half value = 0;
    for (unsigned at = 0; at < 64; at += bits) {
      uint64_t lane = random_.edge();
      // The sign boundary of this width.
      if (random_.one_in(4)) lane = (uint64_t{1} << (bits - 1)) - random_.below(2);
      value |= (lane & ((uint64_t{1} << bits) - 1)) << at;
    }
    return value;
  }
  Half alphabet(unsigned bits) {
    constexpr std::array<uint8_t, 8> kLetters = {0, 1, 2, 0x41, 0x42, 0x43, 0x7F, 0x80};
    Half value = 0;
    for (unsigned at = 0; at < 64; at += bits) value |= Half{kLetters[random_.below(8)]} << at;
    return value;
  }

  Random& random_;
  Operands operands_;
  uint64_t kind_;
  std::array<Half, 4> last_{};
};

/// Every rounding mode, DAZ and FTZ; half the cases with exceptions unmasked, some of them sticky.
uint32_t pick_mxcsr(Random& random) {
  const uint64_t masks = random.one_in(2) ? 0x3F : random.below(64);
  const uint64_t sticky = random.one_in(2) ? 0 : random.below(64);
  const uint64_t rounding = random.below(4);
  const uint64_t daz = random.one_in(4) ? 0x40 : 0;
  const uint64_t ftz = random.one_in(4) ? 0x8000 : 0;
  return static_cast<uint32_t>(masks << 7 | sticky | rounding << 13 | daz | ftz);
}

/// MMX shares the x87 registers: any stack, and now and then a pending exception.
void fill_x87(emu::X87State& x, Random& random, Contents& contents) {
  x.fcw = static_cast<uint16_t>(0x40 | random.below(64) | random.below(32) << 8);
  uint64_t status = random.next() & 0x7F00;
  if (random.one_in(4)) status |= random.below(64) & x.fcw;
  if (random.one_in(16)) status |= random.below(64);
  if ((status & ~uint64_t{x.fcw} & 0x3F) != 0) status |= 0x8080;
  x.fsw = static_cast<uint16_t>(status);
  x.valid = static_cast<uint8_t>(random.next());
  for (size_t i = 0; i < 8; ++i) {
    x.significand[i] = contents.half();
    x.sign_exponent[i] = static_cast<uint16_t>(random.next());
  }
}

/// MASKMOVQ and MASKMOVDQU store where rDI says.
bool stores_by_mask(const Case& c) {
  for (size_t i = 0; i + 1 < c.length; ++i) {
    if (c.bytes[i] == 0x0F) return c.bytes[i + 1] == 0xF7;
  }
  return false;
}

void aim_store(Case& c, Random& random) {
  const uint64_t near = random.below(17);
  const uint64_t targets[] = {kWindow + 0x1000 - near, kReadOnly - near, kUnmapped - near,
                              kWindow - near, kReadOnly + 0x80 + near};
  const uint64_t inside = kWindow + 0x400 + random.below(0x800);
  const uint64_t target = random.one_in(4) ? targets[random.below(5)] : inside;
  c.before.gpr[arch::rdi] = target - data_base(c.size);
}

/// Map and opcode of a VEX instruction, and where its ModRM byte is.
struct VexOpcode {
  uint8_t map = 0, opcode = 0;
  size_t modrm = 0;
};
VexOpcode vex_opcode(const Case& c) {
  for (size_t i = 0; i + 3 < c.length; ++i) {
    if (c.bytes[i] == 0xC5) return {1, c.bytes[i + 2], i + 3};
    if (c.bytes[i] == 0xC4) {
      return {static_cast<uint8_t>(c.bytes[i + 1] & 31), c.bytes[i + 3], i + 4};
    }
  }
  return {};
}

/// LDMXCSR, VLDMXCSR.
bool loads_mxcsr(const Case& c) {
  const VexOpcode vex = vex_opcode(c);
  if (vex.map == 1 && vex.opcode == 0xAE) return (c.bytes[vex.modrm] >> 3 & 7) == 2;
  for (size_t i = 0; i + 2 < c.length && vex.map == 0; ++i) {
    if (c.bytes[i] == 0x0F && c.bytes[i + 1] == 0xAE) return (c.bytes[i + 2] >> 3 & 7) == 2;
  }
  return false;
}

/// Every index register holds distances that the scale of the case keeps in the window, but for some.
void aim_gather(Case& c, Random& random, unsigned scale, bool quads) {
  const auto distance = [&] {
    const auto within = static_cast<int64_t>(random.below(0x1000)) - 0x800;
    const auto beyond = static_cast<int64_t>(random.below(0x3000)) - 0x1800;
    return (random.one_in(12) ? beyond : within) >> scale;
  };
  for (auto& ymm : c.before.vector.ymm) {
    for (auto& half : ymm) {
      const auto low = static_cast<uint64_t>(distance());
      const auto high = static_cast<uint64_t>(distance());
      if (random.one_in(60)) continue;
      half = quads ? low : (low & 0xFFFFFFFF) | high << 32;
    }
  }
}

}  // namespace

void prepare_vectors(Case& c, Random& random, std::span<uint8_t> ours, std::span<uint8_t> host) {
  Contents contents(random);
  c.with_vectors = true;
  c.before.vector.mxcsr = pick_mxcsr(random);
  for (auto& ymm : c.before.vector.ymm) {
    for (auto& half : ymm) half = contents.half();
  }
  fill_x87(c.before.x87, random, contents);
  if (stores_by_mask(c)) aim_store(c, random);
  if (c.target == 0 && random.one_in(2)) {
    // Lengths of strings.
    for (const auto number : {arch::rax, arch::rdx}) {
      c.before.gpr[number] = random.below(36) - 18;
      if (c.size != CodeSize::bits64) c.before.gpr[number] &= 0xFFFFFFFF;
    }
  }
  const bool writable = c.target >= kWindow && c.target < kReadOnly;
  if (!writable) return;
  const std::array<Half, 2> bytes = {contents.half(), contents.half()};
  const size_t at = c.target - kWindow;
  const size_t count = std::min<size_t>(sizeof(bytes), kWritableBytes - at);
  std::memcpy(ours.data() + at, bytes.data(), count);
  std::memcpy(host.data() + at, bytes.data(), count);
}

void prepare_avx(Case& c, Random& random, std::span<uint8_t> ours, std::span<uint8_t> host) {
  prepare_vectors(c, random, ours, host);
  const VexOpcode vex = vex_opcode(c);
  if (vex.map == 1 && vex.opcode == 0xF7) aim_store(c, random);
  if (vex.map == 2 && vex.opcode >= 0x90 && vex.opcode <= 0x93) {
    aim_gather(c, random, c.bytes[vex.modrm + 1] >> 6, (vex.opcode & 1) != 0);
  }
  const bool inside = c.target >= kWindow && c.target + 32 <= kReadOnly;
  if (!inside) return;
  if (loads_mxcsr(c) && !random.one_in(4)) {
    const uint32_t value = pick_mxcsr(random) | (random.one_in(8) ? 1u << random.below(32) : 0);
    std::memcpy(ours.data() + c.target - kWindow, &value, sizeof(value));
    std::memcpy(host.data() + c.target - kWindow, &value, sizeof(value));
  }
  Contents contents(random);
  const std::array<Half, 2> bytes = {contents.half(), contents.half()};
  const size_t at = c.target - kWindow + 16;
  std::memcpy(ours.data() + at, bytes.data(), sizeof(bytes));
  std::memcpy(host.data() + at, bytes.data(), sizeof(bytes));
}

}  // namespace vitrine::test
