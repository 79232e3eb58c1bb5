// When MMX and SSE instructions are undefined, held back, or stopped by an exception of their own.
#include <catch2/catch.hpp>
#include <initializer_list>

#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;

namespace {

constexpr int kUndefined = 6, kDeviceNotAvailable = 7, kMathFault = 16, kSimdException = 19;
constexpr int kNone = -1;

/// The exception that one instruction, with a HLT behind it, raises.
int raised(Rig& r, std::initializer_list<int> bytes) {
  r.run(bytes, 1);
  if (r.s().activity == Activity::active) {
    r.cpu.run(RunLimits{.max_retired = r.s().retired + 1});
  }
  return r.vector();
}

constexpr auto kMmx = {0x0F, 0xFE, 0xC1, 0xF4};        // PADDD MM0, MM1
constexpr auto kSse = {0x66, 0x0F, 0xFE, 0xC1, 0xF4};  // PADDD XMM0, XMM1
constexpr auto kDivide = {0x0F, 0x5E, 0xC1, 0xF4};     // DIVPS XMM0, XMM1

}  // namespace

TEST_CASE("MMX instructions are #UD by CR0.EM, #NM by CR0.TS, #MF by a pending exception",
          "[mmx]") {
  Rig r;
  r.long_mode();
  r.s().x87.fcw = 0x37F;
  SECTION("none of them") { CHECK(raised(r, kMmx) == kNone); }
  SECTION("EM") {
    r.s().cr0 |= arch::cr0::em | arch::cr0::ts;
    CHECK(raised(r, kMmx) == kUndefined);
  }
  SECTION("TS") {
    r.s().cr0 |= arch::cr0::ts;
    r.s().x87.fcw = 0x37E;
    r.s().x87.fsw = 0x8081;
    CHECK(raised(r, kMmx) == kDeviceNotAvailable);
  }
  SECTION("a pending exception") {
    r.s().x87.fcw = 0x37E;
    r.s().x87.fsw = 0x8081;
    CHECK(raised(r, kMmx) == kMathFault);
  }
}

TEST_CASE("SSE instructions are #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS", "[sse]") {
  Rig r;
  r.long_mode();
  SECTION("none of them") { CHECK(raised(r, kSse) == kNone); }
  SECTION("EM") {
    r.s().cr0 |= arch::cr0::em | arch::cr0::ts;
    CHECK(raised(r, kSse) == kUndefined);
  }
  SECTION("OSFXSR") {
    r.s().cr4 &= ~arch::cr4::osfxsr;
    CHECK(raised(r, kSse) == kUndefined);
  }
  SECTION("TS") {
    r.s().cr0 |= arch::cr0::ts;
    CHECK(raised(r, kSse) == kDeviceNotAvailable);
  }
}

TEST_CASE("an unmasked SSE exception is #XM, and #UD where the system does not handle it",
          "[sse]") {
  Rig r;
  r.long_mode();
  r.s().vector.mxcsr = 0x1F80 & ~0x0200u;  // division by zero unmasked
  r.s().vector.ymm[0] = {0x3F8000003F800000, 0x3F8000003F800000, 0, 0};
  SECTION("#XM") {
    r.s().cr4 |= arch::cr4::osxmmexcpt;
    CHECK(raised(r, kDivide) == kSimdException);
  }
  SECTION("#UD") { CHECK(raised(r, kDivide) == kUndefined); }
  CHECK((r.s().vector.mxcsr & 0x3F) == 0x04);
  CHECK(r.s().vector.ymm[0][0] == 0x3F8000003F800000);
}
