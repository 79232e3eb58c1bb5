// A processor that idles in a guest is woken by its own VMX-preemption timer, on its cycle.
#include <catch2/catch.hpp>

#include "emu/arch/vmx_controls.h"
#include "emu/machine/machine.h"
#include "tests/emu/cpu/vmx/valid_vmcs.h"

using namespace vitrine::emu;

TEST_CASE("The preemption timer wakes a halted guest when nothing else happens", "[machine][vmx]") {
  MachineConfig config;
  config.memory_bytes = uint64_t{16} << 20;
  Machine machine(config);
  constexpr std::array<uint8_t, 2> kSpin = {0xEB, 0xFE};
  machine.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kSpin}));
  constexpr std::array<uint64_t, 2> kTables = {0x2027, 0};
  machine.bus().write_block(Hpa{0x1000}, std::as_bytes(std::span{kTables}));
  constexpr std::array<uint64_t, 1> kLarge = {0xE7};
  machine.bus().write_block(Hpa{0x2000}, std::as_bytes(std::span{kLarge}));

  Cpu& cpu = machine.cpu(0);
  cpu.vmx.on = true;
  cpu.vmx.nonroot = true;
  cpu.vmx.vmcs = vmx::valid_vmcs();
  cpu.vmx.vmcs.set(vmx::Field::pin_controls,
                   cpu.vmx.vmcs[vmx::Field::pin_controls] | arch::pin::preemption_timer);
  cpu.vmx.preemption_deadline = Cycle{64'000};
  cpu.state.activity = Activity::hlt;
  cpu.context_changed();
  cpu.attention();
  CHECK(machine.run({.until = Cycle{63'999}}) == StopReason::cycle_limit);
  CHECK(cpu.vmx.nonroot);
  CHECK(machine.run({.until = Cycle{100'000}}) == StopReason::cycle_limit);
  REQUIRE_FALSE(cpu.vmx.nonroot);
  CHECK(cpu.vmx.vmcs[vmx::Field::exit_reason] == 52);
  CHECK(cpu.vmx.vmcs[vmx::Field::guest_activity] == 1);
  CHECK(cpu.state.retired > 1'000);
  CHECK(cpu.state.clock.value - 64'000 < 40'000);
}
