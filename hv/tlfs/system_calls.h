// Wire structs of the calls on the whole machine: processors and sleep states.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hv/tlfs/types.h"

namespace vitrine::hv::tlfs {

// HvGetLogicalProcessorRunTime. Times are in units of 100 ns.
struct ProcessorInput {
  std::uint32_t processor{};
  std::uint32_t padding{};
};
static_assert(sizeof(ProcessorInput) == 8);

struct RunTimeOutput {
  std::uint64_t global{};  // since the hypervisor began
  std::uint64_t local{};   // of these, in virtual processors
  std::uint64_t reserved{};
  std::uint64_t hypervisor{};  // and outside them
};
static_assert(sizeof(RunTimeOutput) == 32);

// HV_SYSTEM_PROPERTY: the one that can be set here.
enum class SystemProperty : std::uint32_t { sleep_state = 3 };

// HV_SLEEP_STATE: ACPI's S1 to S5, and the number that ends their registration.
enum class SleepState : std::uint32_t { s1 = 1, s5 = 5, lock = 6 };

// HvSetSystemProperty with the property SleepState: what is to be written to the SLP_TYP fields of
// the two PM1 control registers to enter a state (ACPI "PM1 Control Registers").
struct SetSystemPropertyInput {
  SystemProperty property{};
  std::uint32_t reserved{};
  SleepState state{};
  std::uint8_t pm1a_type{};
  std::uint8_t pm1b_type{};
  std::uint16_t padding{};
};
static_assert(sizeof(SetSystemPropertyInput) == 16);
static_assert(offsetof(SetSystemPropertyInput, pm1a_type) == 12);

// HvEnterSleepState.
struct EnterSleepStateInput {
  SleepState state{};
  std::uint32_t padding{};
};
static_assert(sizeof(EnterSleepStateInput) == 8);

}  // namespace vitrine::hv::tlfs
