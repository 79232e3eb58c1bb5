// The harness itself: what goes into the host's processor comes out of it.
#include "tests/silicon/harness.h"

#include <catch2/catch.hpp>

#include "tests/silicon/generator.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

Case nop_with_random_registers(Random& random) {
  Case c;
  c.bytes[0] = 0x90;
  c.length = 1;
  c.with_vectors = true;
  for (auto& value : c.before.gpr) value = random.next();
  for (auto& ymm : c.before.vector.ymm) {
    for (auto& word : ymm) word = random.next();
  }
  auto& x87 = c.before.x87;
  x87.fcw = 0x037F;
  x87.fsw = static_cast<uint16_t>(random.below(8) << 11);
  x87.valid = static_cast<uint8_t>(random.next());
  for (size_t i = 0; i < 8; ++i) {
    x87.significand[i] = random.next() | uint64_t{1} << 63;
    x87.sign_exponent[i] = static_cast<uint16_t>(random.next());
  }
  return c;
}

TEST_CASE("a NOP leaves every register of the host's processor as it was given", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  HostProcessor host;
  OurProcessor ours;
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    Case c = nop_with_random_registers(random);
    c.single_step = random.one_in(2);
    const Outcome left = host.execute(c);
    emu::Insn insn;
    const Outcome right = ours.execute(c, insn);
    REQUIRE_FALSE(left.faulted);
    CHECK(left.after.rip == kEntry + 1);
    CHECK(left.after.gpr == c.before.gpr);
    CHECK(left.after.vector.ymm == c.before.vector.ymm);
    CHECK(left.after.x87.significand == c.before.x87.significand);
    CHECK(left.after.x87.sign_exponent == c.before.x87.sign_exponent);
    CHECK(left.after.x87.valid == c.before.x87.valid);
    CHECK(difference(c, left, right, 0).empty());
  }
}

TEST_CASE("a difference in one bit of one register is reported", "[silicon]") {
  Random random(4);
  const Case c = nop_with_random_registers(random);
  Outcome a;
  a.after = c.before;
  Outcome b = a;
  CHECK(difference(c, a, b, 0).empty());
  b.after.gpr[7] ^= uint64_t{1} << 40;
  CHECK_FALSE(difference(c, a, b, 0).empty());
  b = a;
  b.after.rflags ^= 0x10;
  CHECK_FALSE(difference(c, a, b, 0).empty());
  CHECK(difference(c, a, b, 0x10).empty());
  b = a;
  b.after.vector.ymm[15][3] ^= 1;
  CHECK_FALSE(difference(c, a, b, 0).empty());
  b = a;
  b.faulted = true;
  CHECK_FALSE(difference(c, a, b, 0).empty());
}

}  // namespace
}  // namespace vitrine::test
