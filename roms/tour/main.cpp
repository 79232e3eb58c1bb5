// The tour: a root payload that takes a child partition and the event log through their lives.
#include "hv/tlfs/cpuid.h"
#include "hv/tlfs/msrs.h"
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"
#include "roms/tour/event_log.h"
#include "roms/tour/partition_life.h"
#include "roms/tour/patterns.h"
#include "roms/tour/processors.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

namespace {

using namespace vitrine;
using tour::expect;
using tour::judge;
using tour::Rule;
namespace tlfs = hv::tlfs;

std::uint64_t read(tlfs::Msr msr) { return kit::read_msr(static_cast<std::uint32_t>(msr)); }

bool enter_interface() {
  const bool enabled = kit::enable_hypercalls();
  judge(Rule::interface_present, enabled);
  if (!enabled) return false;
  constexpr std::uint32_t kVmcall = 0xC1010F;
  const auto* const page = reinterpret_cast<const volatile std::uint32_t*>(kit::hypercall_rip());
  judge(Rule::hypercall_page, (*page & 0xFFFFFF) == kVmcall);
  tour::expect_value(Rule::vp_index, read(tlfs::Msr::vp_index), 0);
  std::uint64_t last = read(tlfs::Msr::time_ref_count);
  const std::uint64_t first = last;
  bool monotone = true;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t now = read(tlfs::Msr::time_ref_count);
    monotone = monotone && now >= last;
    last = now;
  }
  judge(Rule::reference_time, monotone && last > first);
  return true;
}

// What the engine refuses before it looks at any call.
void try_engine() {
  using tlfs::Call;
  using tlfs::HypercallControl;
  using tlfs::Status;
  constexpr std::uint16_t kNoCall = 0x7FF;
  constexpr auto kFinalize = static_cast<std::uint16_t>(Call::finalize_partition);
  constexpr std::uint64_t kReservedBit = std::uint64_t{1} << 60;
  expect(Rule::unknown_code, kit::call_hypervisor(HypercallControl::make(kNoCall, true)),
         Status::invalid_hypercall_code);
  const HypercallControl reserved{HypercallControl::make(kFinalize, true).word | kReservedBit};
  expect(Rule::reserved_bits, kit::call_hypervisor(reserved), Status::invalid_hypercall_input);
  expect(Rule::rep_on_simple, kit::call_hypervisor(HypercallControl::make(kFinalize, true, 1)),
         Status::invalid_hypercall_input);
  expect(Rule::misaligned_input,
         kit::call_hypervisor(HypercallControl::make(kFinalize), kit::hypercall_rip() + 4),
         Status::invalid_alignment);
}

}  // namespace

std::uint32_t payload_main() {
  kit::print_line("the tour of the hypervisor");
  if (!enter_interface()) return tour::sum_up();
  tour::start_synic();
  try_engine();
  tour::tour_event_log();
  tour::tour_partition_life();
  tour::tour_patterns();
  tour::tour_processors();
  return tour::sum_up();
}
