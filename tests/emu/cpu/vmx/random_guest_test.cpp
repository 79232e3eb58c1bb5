// Random VMCSs and random guests: whatever a hypervisor writes, the machine stays whole.
#include <catch2/catch.hpp>

#include "emu/arch/ept.h"
#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;

namespace {

struct Random {
  uint64_t state = 0x2545F4914F6CDD1D;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
  uint64_t below(uint64_t n) { return next() % n; }
};

/// Values that sit on the edges of checks.
uint64_t edgy(Random& random) {
  constexpr std::array<uint64_t, 12> kEdges = {0,
                                               1,
                                               3,
                                               0xFFF,
                                               0x1000,
                                               0x30000,
                                               0x3FFFFF,
                                               0x80010031,
                                               0xFFFFFFFF,
                                               0x7FFFFFFF,
                                               uint64_t{1} << 46,
                                               ~uint64_t{0}};
  const uint64_t pick = random.below(16);
  if (pick < kEdges.size()) return kEdges[pick];
  if (pick < 14) return uint64_t{1} << random.below(64);
  return random.next();
}

}  // namespace

TEST_CASE("Random fields, injections and guest code never break the machine", "[vmx][run]") {
  Random random;
  size_t entered = 0;
  size_t failed = 0;
  for (int round = 0; round < 1500; ++round) {
    Rig rig;
    rig.become_root();
    rig.poke<uint8_t>(0x8000, 0xEB);  // the host spins
    rig.poke<uint8_t>(0x8001, 0xFE);
    for (uint64_t at = 0x4000; at < 0x4040; at += 8) rig.poke(at, random.next());
    rig.set(Field::eptp, arch::make_eptp(0x30000, random.below(2) != 0));
    rig.set(Field::vpid, 1);
    rig.set(Field::tsc_multiplier, random.next());
    // A few allowed controls, then a few fields at random.
    for (int i = 0; i < 4; ++i) {
      const arch::ControlRow& row = arch::kControls[random.below(arch::kControls.size())];
      if (row.setting == arch::Setting::absent) continue;
      const uint64_t bit = uint64_t{1} << row.position;
      switch (row.word) {
        case arch::ControlWord::pin: rig.add(Field::pin_controls, bit); break;
        case arch::ControlWord::primary: rig.add(Field::primary_controls, bit); break;
        case arch::ControlWord::secondary: rig.secondary_bits(static_cast<uint32_t>(bit)); break;
        case arch::ControlWord::exit: rig.add(Field::exit_controls, bit); break;
        case arch::ControlWord::entry: rig.add(Field::entry_controls, bit); break;
        case arch::ControlWord::vm_function: rig.add(Field::vm_function_controls, bit); break;
      }
    }
    for (uint64_t i = random.below(4); i > 0; --i) {
      const arch::FieldRow& row = arch::kFields[random.below(arch::kFieldCount)];
      rig.set(row.field, edgy(random));
    }
    const bool can_enter = first_failing_check(entry_inputs(rig.cpu, rig.bus)) == nullptr;
    rig.enter();
    // A failing MSR area or page-directory-pointer table may still stop what the checks let pass.
    if (!can_enter) REQUIRE_FALSE(rig.cpu.vmx.nonroot);
    const bool inside = rig.cpu.vmx.nonroot;
    ++(inside ? entered : failed);
    rig.cpu.run({.deadline = rig.cpu.state.clock + 20'000, .max_retired = 200});
    REQUIRE(rig.cpu.vmx.on);
    if (inside && !rig.cpu.vmx.nonroot) {
      REQUIRE(arch::find_exit_reason(rig.vmcs().word(Field::exit_reason)) != nullptr);
    }
  }
  REQUIRE(entered > 200);
  REQUIRE(failed > 200);
}
