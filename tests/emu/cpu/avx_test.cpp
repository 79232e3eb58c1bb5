// VEX instructions: when they are undefined, and what they leave of a register.
#include <catch2/catch.hpp>
#include <initializer_list>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;

namespace {

constexpr int kUndefined = 6;
constexpr int kDeviceNotAvailable = 7;
constexpr int kNone = -1;

/// Ring 0 with OSXSAVE and XCR0 = 7.
void enable(Rig& r) {
  r.s().cr4 |= arch::cr4::osxsave;
  r.s().xcr0 = 7;
  r.cpu.context_changed();
}

/// The exception that one instruction raises; without one, the HLT behind it is reached.
int raised(Rig& r, std::initializer_list<int> bytes) {
  r.run(bytes, 1);
  if (r.s().activity == Activity::active) {
    // An exception has been delivered to its handler, which halts.
    r.cpu.run(RunLimits{.max_retired = r.s().retired + 1});
  }
  return r.vector();
}

// VPADDD XMM0, XMM1, XMM2; VPADDD YMM0, YMM1, YMM2
constexpr auto kNarrow = {0xC5, 0xF1, 0xFE, 0xC2, 0xF4};
constexpr auto kWide = {0xC5, 0xF5, 0xFE, 0xC2, 0xF4};

arch::CpuProfile without(arch::CpuFeature feature) {
  arch::CpuProfile profile = arch::kMax;
  profile.features[static_cast<size_t>(feature)] = false;
  return profile;
}

}  // namespace

TEST_CASE("a VEX instruction needs OSXSAVE, and SSE and AVX in XCR0", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  SECTION("with all of them it executes, whatever CR0.EM says") {
    r.s().cr0 |= arch::cr0::em;
    CHECK(raised(r, kNarrow) == kNone);
  }
  SECTION("CR4.OSXSAVE is clear") {
    r.s().cr4 &= ~arch::cr4::osxsave;
    CHECK(raised(r, kNarrow) == kUndefined);
  }
  SECTION("XCR0 has no AVX") {
    r.s().xcr0 = 3;
    CHECK(raised(r, kWide) == kUndefined);
  }
  SECTION("CR0.TS is #NM") {
    r.s().cr0 |= arch::cr0::ts;
    CHECK(raised(r, kNarrow) == kDeviceNotAvailable);
  }
  SECTION("#UD comes before #NM") {
    r.s().cr0 |= arch::cr0::ts;
    r.s().xcr0 = 1;
    CHECK(raised(r, kNarrow) == kUndefined);
  }
}

TEST_CASE("VEX is undefined in real mode and defined in protected mode", "[avx]") {
  Rig real;
  real.real_mode();
  enable(real);
  CHECK(raised(real, kNarrow) == kUndefined);
  Rig flat;
  flat.protected_mode();
  enable(flat);
  CHECK(raised(flat, kNarrow) == kNone);
}

TEST_CASE("LOCK, 66, F2, F3 and REX in front of VEX are undefined", "[avx]") {
  const int prefix = GENERATE(0xF0, 0x66, 0xF2, 0xF3, 0x40);
  CAPTURE(prefix);
  Rig r;
  r.long_mode();
  enable(r);
  CHECK(raised(r, {prefix, 0xC5, 0xF1, 0xFE, 0xC2, 0xF4}) == kUndefined);
}

TEST_CASE("forms of later processors are undefined", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  // VAESENC and VPCLMULQDQ of YMM registers; VPERMQ with VEX.W 0; VPBROADCASTD with VEX.vvvv.
  CHECK(raised(r, {0xC4, 0xE2, 0x75, 0xDC, 0xC2, 0xF4}) == kUndefined);
  CHECK(raised(r, {0xC4, 0xE3, 0x75, 0x44, 0xC2, 0, 0xF4}) == kUndefined);
  CHECK(raised(r, {0xC4, 0xE3, 0x7D, 0x00, 0xC1, 0, 0xF4}) == kUndefined);
  CHECK(raised(r, {0xC4, 0xE2, 0x75, 0x58, 0xC1, 0xF4}) == kUndefined);
}

TEST_CASE("each form needs its own feature", "[avx]") {
  const auto check = [](arch::CpuFeature feature, std::initializer_list<int> bytes) {
    Rig with;
    with.long_mode();
    enable(with);
    CHECK(raised(with, bytes) == kNone);
    const arch::CpuProfile profile = without(feature);
    Rig lacking(profile);
    lacking.long_mode();
    enable(lacking);
    CHECK(raised(lacking, bytes) == kUndefined);
  };
  check(arch::CpuFeature::avx, {0xC5, 0xF1, 0xFE, 0xC2, 0xF4});
  check(arch::CpuFeature::avx2, {0xC5, 0xF5, 0xFE, 0xC2, 0xF4});
  // VBROADCASTSS of a register; VCVTPH2PS; VFMADD132PS.
  check(arch::CpuFeature::avx2, {0xC4, 0xE2, 0x79, 0x18, 0xC1, 0xF4});
  check(arch::CpuFeature::f16c, {0xC4, 0xE2, 0x79, 0x13, 0xC1, 0xF4});
  check(arch::CpuFeature::fma, {0xC4, 0xE2, 0x71, 0x98, 0xC2, 0xF4});
}

TEST_CASE("VEX.128 clears the upper half of its destination, legacy SSE keeps it", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  auto& ymm = r.s().vector.ymm;
  ymm[0] = {1, 2, 3, 4};
  ymm[1] = {10, 20, 30, 40};
  ymm[2] = {5, 5, 5, 5};
  r.run({0x66, 0x0F, 0xD4, 0xC1}, 1);  // PADDQ XMM0, XMM1
  CHECK(ymm[0] == std::array<uint64_t, 4>{11, 22, 3, 4});
  r.run({0xC5, 0xF1, 0xD4, 0xC2}, 1);  // VPADDQ XMM0, XMM1, XMM2
  CHECK(ymm[0] == std::array<uint64_t, 4>{15, 25, 0, 0});
  r.run({0xC5, 0xF5, 0xD4, 0xC2}, 1);  // VPADDQ YMM0, YMM1, YMM2
  CHECK(ymm[0] == std::array<uint64_t, 4>{15, 25, 35, 45});
  r.run({0xC5, 0xF8, 0x77}, 1);  // VZEROUPPER
  CHECK(ymm[0] == std::array<uint64_t, 4>{15, 25, 0, 0});
  CHECK(ymm[1] == std::array<uint64_t, 4>{10, 20, 0, 0});
  r.run({0xC5, 0xFC, 0x77}, 1);  // VZEROALL
  CHECK(ymm[1] == std::array<uint64_t, 4>{});
}

TEST_CASE("VMOVAPS of YMM needs 32 bytes of alignment, other loads none", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  r.s().regs[arch::rax] = Rig::kData + 16;
  CHECK(raised(r, {0xC5, 0xFC, 0x28, 0x00, 0xF4}) == 13);
  r.long_mode();
  enable(r);
  r.s().regs[arch::rax] = Rig::kData + 16;
  CHECK(raised(r, {0xC5, 0xF8, 0x28, 0x00, 0xF4}) == kNone);
  r.s().regs[arch::rax] = Rig::kData + 1;
  CHECK(raised(r, {0xC5, 0xF4, 0x58, 0x00, 0xF4}) == kNone);
}

TEST_CASE("a gather stops at a fault with its progress in the mask", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  r.poke<uint64_t>(Rig::kPt + 8, 0);  // the second page of the window is absent
  for (uint32_t i = 0; i < 4; ++i) r.poke<uint32_t>(Rig::kPage + i * 4, 100 + i);
  auto& ymm = r.s().vector.ymm;
  ymm[0] = {7, 7, 7, 7};
  ymm[1] = {0x8000000080000000, 0x8000000000000000, 9, 9};  // elements 0, 1 and 3 are wanted
  ymm[2] = {uint64_t{3} << 32 | 1, uint64_t{0x400} << 32, 0, 0};
  r.s().regs[arch::rax] = Rig::kPage;
  // VPGATHERDD XMM0, [RAX + XMM2 * 4], XMM1
  CHECK(raised(r, {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x90, 0xF4}) == 14);
  CHECK(r.s().cr2 == Rig::kPage + 0x1000);
  CHECK(ymm[0] == std::array<uint64_t, 4>{uint64_t{103} << 32 | 101, 7, 7, 7});
  CHECK(ymm[1] == std::array<uint64_t, 4>{0, 0xFFFFFFFF00000000, 0, 0});
}

TEST_CASE("elements that a masked move leaves out do not fault", "[avx]") {
  Rig r;
  r.long_mode();
  enable(r);
  r.poke<uint64_t>(Rig::kPt + 8, 0);
  auto& ymm = r.s().vector.ymm;
  ymm[1] = {0x8000000080000000, 0, 0, 0};
  ymm[2] = {0x2222222211111111, 0x33, 0x44, 0x55};
  r.s().regs[arch::rax] = Rig::kPage + 0x1000 - 8;
  // VMASKMOVPS [RAX], YMM1, YMM2; VMASKMOVPS YMM0, YMM1, [RAX]
  CHECK(raised(r, {0xC4, 0xE2, 0x75, 0x2E, 0x10, 0xF4}) == kNone);
  CHECK(r.peek<uint64_t>(Rig::kPage + 0xFF8) == 0x2222222211111111);
  CHECK(raised(r, {0xC4, 0xE2, 0x75, 0x2C, 0x00, 0xF4}) == kNone);
  CHECK(ymm[0] == std::array<uint64_t, 4>{0x2222222211111111, 0, 0, 0});
  // Element 2 is wanted as well: #PF, and nothing is stored.
  ymm[1][1] = 0x80000000;
  ymm[2][0] = 0x99;
  CHECK(raised(r, {0xC4, 0xE2, 0x75, 0x2E, 0x10, 0xF4}) == 14);
  CHECK(r.peek<uint64_t>(Rig::kPage + 0xFF8) == 0x2222222211111111);
}

TEST_CASE("XSAVE and XRSTOR carry the upper halves as component 2", "[avx][xsave]") {
  Rig r;
  r.long_mode();
  enable(r);
  auto& ymm = r.s().vector.ymm;
  ymm[3] = {1, 2, 3, 4};
  r.s().regs[arch::rax] = 7;
  r.s().regs[arch::rdx] = 0;
  r.run({0x48, 0x0F, 0xAE, 0x24, 0x25, 0, 0, 2, 0}, 1);
  CHECK((r.peek<uint64_t>(Rig::kData + 512) & 6) == 6);
  CHECK(r.peek<uint64_t>(Rig::kData + 576 + 3 * 16) == 3);
  CHECK(r.peek<uint64_t>(Rig::kData + 576 + 3 * 16 + 8) == 4);
  ymm[3] = {};
  r.run({0x48, 0x0F, 0xAE, 0x2C, 0x25, 0, 0, 2, 0}, 1);
  CHECK(ymm[3] == std::array<uint64_t, 4>{1, 2, 3, 4});
  // XSAVEC of upper halves in their initial state: the component is not in use.
  ymm[3] = {1, 2, 0, 0};
  r.run({0x48, 0x0F, 0xC7, 0x24, 0x25, 0, 0, 2, 0}, 1);
  CHECK((r.peek<uint64_t>(Rig::kData + 512) & 6) == 2);
}
