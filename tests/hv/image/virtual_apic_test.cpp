// The virtual local APIC: registers, priorities, end of interrupt and timer.
#include "hv/image/virtual_apic.h"

#include <catch2/catch.hpp>

namespace vitrine::hv {
namespace {

using Kind = ApicEffect::Kind;

constexpr std::uint32_t kTpr = 0x08;
constexpr std::uint32_t kPpr = 0x0A;
constexpr std::uint32_t kEoi = 0x0B;
constexpr std::uint32_t kSpurious = 0x0F;
constexpr std::uint32_t kIsr = 0x10;
constexpr std::uint32_t kIrr = 0x20;
constexpr std::uint32_t kTimer = 0x32;
constexpr std::uint32_t kLint0 = 0x35;
constexpr std::uint32_t kInitialCount = 0x38;
constexpr std::uint32_t kCurrentCount = 0x39;
constexpr std::uint32_t kDivide = 0x3E;

VirtualApic enabled_apic() {
  VirtualApic apic;
  apic.reset(0);
  apic.write(kSpurious, 0x1FF, 0);
  return apic;
}

std::uint64_t read(const VirtualApic& apic, std::uint32_t index, std::uint64_t tsc = 0) {
  std::uint64_t value = 0;
  REQUIRE(apic.read(index, tsc, value));
  return value;
}

TEST_CASE("the virtual APIC is disabled by software after reset and takes no interrupt", "[hv]") {
  VirtualApic apic;
  apic.reset(3);
  apic.request(0x40);
  CHECK(apic.deliverable() == 0);
  CHECK(read(apic, 0x02) == 3);
  CHECK(read(apic, kTimer) == 0x10000);
}

TEST_CASE("the virtual APIC delivers the highest vector above the processor priority", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.request(0x41);
  apic.request(0x83);
  CHECK(apic.deliverable() == 0x83);
  apic.write(kTpr, 0x80, 0);
  CHECK(apic.deliverable() == 0);
  apic.write(kTpr, 0x70, 0);
  CHECK(apic.deliverable() == 0x83);
  CHECK_FALSE(apic.accept(0x83));
  CHECK(read(apic, kPpr) == 0x80);
  CHECK(apic.deliverable() == 0);
  CHECK(read(apic, kIsr + 4) == 1U << 3);
  CHECK(read(apic, kIrr + 2) == 1U << 1);
}

TEST_CASE("the virtual APIC's EOI ends the highest vector in service", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.request(0x41);
  apic.accept(0x41);
  apic.request(0x83, true);
  apic.accept(0x83);
  const ApicEffect first = apic.write(kEoi, 0, 0);
  CHECK(first.kind == Kind::end_of_interrupt);
  CHECK(first.value == 0x83);
  CHECK(apic.was_level(0x83));
  CHECK(apic.write(kEoi, 0, 0).value == 0x41);
  CHECK(apic.write(kEoi, 0, 0).value == 0);
  CHECK(apic.write(kEoi, 1, 0).kind == Kind::fault);
}

TEST_CASE("an interrupt with automatic EOI never comes into service", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.request(0x41);
  apic.accept(0x41);
  apic.request(0x50, false, true);
  CHECK(apic.accept(0x50));
  CHECK_FALSE(apic.serving(0x50));
  CHECK(apic.serving(0x41));
  CHECK(apic.write(kEoi, 0, 0).value == 0x41);
}

TEST_CASE("the virtual APIC's registers refuse reserved bits and unknown numbers", "[hv]") {
  VirtualApic apic = enabled_apic();
  std::uint64_t value = 0;
  CHECK_FALSE(apic.read(0x00, 0, value));
  CHECK_FALSE(apic.read(kEoi, 0, value));
  CHECK(apic.write(0x02, 1, 0).kind == Kind::fault);
  CHECK(apic.write(kTpr, 0x100, 0).kind == Kind::fault);
  CHECK(apic.write(kTimer, 0x80000, 0).kind == Kind::fault);
  CHECK(apic.write(kSpurious, 0x400, 0).kind == Kind::fault);
  CHECK(apic.write(kTpr, std::uint64_t{1} << 32, 0).kind == Kind::fault);
  CHECK(apic.write(kLint0, 0x700, 0).kind == Kind::local_vector);
}

TEST_CASE("the virtual APIC's timer runs in TSC-deadline mode", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.set_deadline(1000);
  CHECK(apic.next_expiry() == 0);  // one-shot mode: the MSR has no effect
  apic.write(kTimer, 0x40040, 0);
  apic.set_deadline(1000);
  CHECK(apic.deadline() == 1000);
  apic.run_timer(999);
  CHECK(apic.deliverable() == 0);
  apic.run_timer(1000);
  CHECK(apic.deliverable() == 0x40);
  CHECK(apic.next_expiry() == 0);
}

TEST_CASE("the virtual APIC's periodic timer keeps its phase", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.write(kDivide, 0xB, 0);  // by 1
  apic.write(kTimer, 0x20040, 0);
  apic.write(kInitialCount, 100, 0);
  const std::uint64_t period = 100 * kApicBusDivider;
  CHECK(apic.next_expiry() == period);
  CHECK(read(apic, kCurrentCount, period / 2) == 50);
  apic.run_timer(period + 3);
  CHECK(apic.deliverable() == 0x40);
  CHECK(apic.next_expiry() == 2 * period);
  apic.run_timer(10 * period + 1);
  CHECK(apic.next_expiry() == 11 * period);
  apic.write(kInitialCount, 0, 0);
  CHECK(apic.next_expiry() == 0);
}

TEST_CASE("the 8259 reaches a guest only through an open LINT0", "[hv]") {
  VirtualApic apic = enabled_apic();
  CHECK_FALSE(apic.external_open());
  apic.write(kLint0, 0x10700, 0);
  CHECK_FALSE(apic.external_open());
  apic.write(kLint0, 0x700, 0);
  CHECK(apic.external_open());
  apic.write(kLint0, 0x40, 0);
  CHECK_FALSE(apic.external_open());
}

TEST_CASE("a masked timer expires without an interrupt", "[hv]") {
  VirtualApic apic = enabled_apic();
  apic.write(kTimer, 0x50040, 0);
  apic.set_deadline(10);
  apic.run_timer(20);
  CHECK(apic.deliverable() == 0);
}

}  // namespace
}  // namespace vitrine::hv
