// Scenarios for the statuses of the calls on the whole machine, and what they do to it.
#include <catch2/catch.hpp>

#include <array>

#include "hv/tlfs/system_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using tl::SleepState;
using tl::SystemProperty;

constexpr tl::SetSystemPropertyInput kS5{.property = SystemProperty::sleep_state,
                                         .state = SleepState::s5,
                                         .pm1a_type = 5,
                                         .pm1b_type = 3};
constexpr tl::SetSystemPropertyInput kLock{.property = SystemProperty::sleep_state,
                                           .state = SleepState::lock};

Status set(Machine& m, const tl::SetSystemPropertyInput& in) {
  return m.call(Call::set_system_property, in).status;
}
Status enter(Machine& m, SleepState state) {
  return m.call(Call::enter_sleep_state, tl::EnterSleepStateInput{.state = state}).status;
}

Status run_time(Machine& m, std::uint32_t processor, tl::RunTimeOutput& out) {
  m.hv.root().privileges |= tl::mask_of(tl::Privilege::cpu_management);
  return m
      .call(Call::get_logical_processor_run_time, tl::ProcessorInput{.processor = processor}, out)
      .status;
}
Status run_time(Machine& m, std::uint32_t processor) {
  tl::RunTimeOutput out;
  return run_time(m, processor, out);
}

// clang-format off
constexpr auto kCases = std::to_array<StatusCase>({
  {Call::get_logical_processor_run_time, Status::success, [](Machine& m) { return run_time(m, 0); }},
  {Call::get_logical_processor_run_time, Status::invalid_lp_index, [](Machine& m) { return run_time(m, 8); }},
  {Call::set_system_property, Status::success, [](Machine& m) { return set(m, kS5); }},
  {Call::set_system_property, Status::access_denied,
   [](Machine& m) { Guest g = privileged_child(m); return m.call(g, Call::set_system_property, Machine::bytes(kS5), {}).status; }},
  {Call::set_system_property, Status::unknown_property, [](Machine& m) { return set(m, {.property = static_cast<SystemProperty>(15)}); }},
  {Call::set_system_property, Status::invalid_parameter,
   [](Machine& m) { return set(m, {.property = SystemProperty::sleep_state, .state = SleepState::s1}); }},
  {Call::set_system_property, Status::operation_denied, [](Machine& m) { set(m, kLock); return set(m, kS5); }},
  {Call::enter_sleep_state, Status::success, [](Machine& m) { set(m, kS5); return enter(m, SleepState::s5); }},
  {Call::enter_sleep_state, Status::access_denied,
   [](Machine& m) {
     Guest g = privileged_child(m);
     set(m, kS5);
     const tl::EnterSleepStateInput in{.state = SleepState::s5};
     return m.call(g, Call::enter_sleep_state, Machine::bytes(in), {}).status;
   }},
  {Call::enter_sleep_state, Status::invalid_parameter, [](Machine& m) { set(m, kS5); return enter(m, SleepState::s1); }},
  {Call::enter_sleep_state, Status::operation_denied, [](Machine& m) { return enter(m, SleepState::s5); }},
});
// clang-format on

TEST_CASE("the run time of each logical processor is that of the virtual processors it has run",
          "[hv][smp][0x0004]") {
  Machine machine(2);
  tl::RunTimeOutput first, second;
  hv::account_run_time(machine.hv, *machine.root(1).vp, machine.hv.tsc_frequency);
  machine.tsc += 2 * machine.hv.tsc_frequency;
  CHECK(run_time(machine, 0, first) == Status::success);
  CHECK(run_time(machine, 1, second) == Status::success);
  CHECK(run_time(machine, 2) == Status::invalid_lp_index);
  CHECK(first.local == 0);
  CHECK(second.local / 1000 == 9'999);  // a second, rounded down
  CHECK(second.global == second.local + second.hypervisor);
  CHECK(second.hypervisor / 1'000'000 >= 9);
}

TEST_CASE("the root turns the machine off with the values it registered last", "[hv][0x0084]") {
  Machine machine;
  tl::SetSystemPropertyInput other = kS5;
  other.pm1a_type = 0;
  CHECK(set(machine, other) == Status::success);
  CHECK(set(machine, kS5) == Status::success);
  CHECK(machine.power_offs.empty());
  CHECK(enter(machine, SleepState::s5) == Status::success);
  REQUIRE(machine.power_offs.size() == 1);
  CHECK(machine.power_offs[0] == std::pair<std::uint8_t, std::uint8_t>{5, 3});
}

TEST_CASE("a lock keeps what was registered before it", "[hv][0x006F]") {
  Machine machine;
  CHECK(set(machine, kS5) == Status::success);
  CHECK(set(machine, kLock) == Status::success);
  CHECK(set(machine, kLock) == Status::operation_denied);
  CHECK(enter(machine, SleepState::s5) == Status::success);
  CHECK(machine.power_offs.size() == 1);
}

TEST_CASE("values beyond the three bits of SLP_TYP and a reserved field are refused",
          "[hv][0x006F]") {
  Machine machine;
  tl::SetSystemPropertyInput in = kS5;
  SECTION("first register") { in.pm1a_type = 8; }
  SECTION("second register") { in.pm1b_type = 8; }
  SECTION("reserved field") { in.reserved = 1; }
  CHECK(set(machine, in) == Status::invalid_parameter);
  CHECK(enter(machine, SleepState::s5) == Status::operation_denied);
}

}  // namespace

std::span<const StatusCase> system_cases() { return kCases; }

}  // namespace vitrine::test
