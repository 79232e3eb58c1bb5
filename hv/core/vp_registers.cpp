// Reading and writing the registers of virtual processors.
#include <array>

#include "hv/core/handlers.h"
#include "hv/core/synthetic_msrs.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv {
namespace {

using tlfs::Register;

// TLFS HvRegisterInterceptSuspend: bit 0 suspended, bit 1 TLB locked.
constexpr std::uint64_t kSuspended = 1;
constexpr std::uint64_t kTlbLocked = 2;

// Registers that are synthetic MSRs by another name.
struct MsrName {
  std::uint32_t first, last;  // register names
  std::uint32_t msr;          // of the first
};
constexpr std::uint32_t name_of(Register reg) { return static_cast<std::uint32_t>(reg); }
constexpr std::uint32_t number_of(tlfs::Msr msr) { return static_cast<std::uint32_t>(msr); }
// clang-format off
constexpr auto kMsrNames = std::to_array<MsrName>({
  {name_of(Register::vp_runtime),     name_of(Register::vp_runtime),     number_of(tlfs::Msr::vp_runtime)},
  {name_of(Register::hypercall),      name_of(Register::hypercall),      number_of(tlfs::Msr::hypercall)},
  {name_of(Register::guest_os_id),    name_of(Register::guest_os_id),    number_of(tlfs::Msr::guest_os_id)},
  {name_of(Register::vp_index),       name_of(Register::vp_index),       number_of(tlfs::Msr::vp_index)},
  {name_of(Register::time_ref_count), name_of(Register::time_ref_count), number_of(tlfs::Msr::time_ref_count)},
  {name_of(Register::eoi),            name_of(Register::tpr),            number_of(tlfs::Msr::eoi)},
  {name_of(Register::vp_assist_page), name_of(Register::vp_assist_page), number_of(tlfs::Msr::vp_assist_page)},
  {name_of(Register::reference_tsc),  name_of(Register::reference_tsc),  number_of(tlfs::Msr::reference_tsc)},
  {name_of(Register::sint0),          name_of(Register::sint15),         number_of(tlfs::Msr::sint0)},
  {name_of(Register::scontrol),       name_of(Register::sirbp),          number_of(tlfs::Msr::scontrol)},
  {name_of(Register::stimer0_config), name_of(Register::stimer3_count),  number_of(tlfs::Msr::stimer0_config)},
});
// clang-format on

// The MSR behind a register name, 0 if there is none.
std::uint32_t msr_of(std::uint32_t name) {
  for (const MsrName& row : kMsrNames) {
    if (name >= row.first && name <= row.last) return row.msr + (name - row.first);
  }
  return 0;
}

Outcome<VirtualProcessor*> find_target(const Caller& caller, Outcome<Partition*> partition,
                                       const tlfs::VpInput& in) {
  if (!partition) return partition.status();
  if ((*partition)->state != PartitionState::active) return Status::invalid_partition_state;
  VirtualProcessor* const vp = find_vp(caller.hv, **partition, in.vp);
  if (vp == nullptr) return Status::invalid_vp_index;
  // Later editions have the target VTL here; only VTL 0 exists.
  if (in.reserved != 0) return Status::invalid_parameter;
  if (!parked(caller, *vp)) return Outcome<VirtualProcessor*>::again();
  return vp;
}

Done set_suspend(Caller& caller, VirtualProcessor& vp, Register reg, std::uint64_t value) {
  const std::uint64_t defined =
      reg == Register::explicit_suspend ? kSuspended : kSuspended | kTlbLocked;
  if ((value & ~defined) != 0) return Status::invalid_register_value;
  const std::uint32_t suspended = (value & kSuspended) != 0 ? 1 : 0;
  if (reg == Register::explicit_suspend) {
    vp.explicit_suspend = suspended;
  } else {
    vp.intercept_suspend = suspended;
    vp.tlb_locked = (value & kTlbLocked) != 0 ? 1 : 0;
  }
  caller.hv.platform->reschedule(caller.hv.platform->context, vp);
  return kDone;
}

}  // namespace

Outcome<VirtualProcessor*> begin_get_registers(Caller& caller, const tlfs::VpInput& in) {
  return find_target(caller, child_or_self(caller, in.partition), in);
}

// Differs: later editions have unknown_register_name (0x87); version 1 has invalid_parameter.
Outcome<tlfs::U128> get_register_element(Caller& caller, VirtualProcessor*& vp,
                                         const tlfs::RegisterName& in, std::uint32_t) {
  switch (static_cast<Register>(in.name)) {
    case Register::explicit_suspend: return tlfs::U128{vp->explicit_suspend, 0};
    case Register::intercept_suspend:
      return tlfs::U128{vp->intercept_suspend | (vp->tlb_locked != 0 ? kTlbLocked : 0), 0};
    default: break;
  }
  tlfs::U128 value;
  if (const std::uint32_t msr = msr_of(in.name); msr != 0) {
    if (!read_msr_value(caller.hv, *vp, msr, value.low)) return Status::invalid_parameter;
    return value;
  }
  const Platform& platform = *caller.hv.platform;
  const RegisterResult result = platform.get_register(platform.context, *vp, in.name, value);
  if (result != RegisterResult::done) return Status::invalid_parameter;
  return value;
}

Outcome<VirtualProcessor*> begin_set_registers(Caller& caller, const tlfs::VpInput& in) {
  return find_target(caller, child_of(caller, in.partition), in);
}

Done set_register_element(Caller& caller, VirtualProcessor*& vp, const tlfs::RegisterAssignment& in,
                          std::uint32_t) {
  const auto reg = static_cast<Register>(in.name);
  if (reg == Register::explicit_suspend || reg == Register::intercept_suspend) {
    return set_suspend(caller, *vp, reg, in.value.low);
  }
  if (const std::uint32_t msr = msr_of(in.name); msr != 0) {
    if (!write_msr_value(caller.hv, caller.processor, *vp, msr, in.value.low)) {
      return Status::invalid_register_value;
    }
    return kDone;
  }
  const Platform& platform = *caller.hv.platform;
  switch (platform.set_register(platform.context, *vp, in.name, in.value)) {
    case RegisterResult::done: return kDone;
    case RegisterResult::unknown_name: return Status::invalid_parameter;
    case RegisterResult::invalid_value: return Status::invalid_register_value;
  }
  return Status::invalid_parameter;
}

}  // namespace vitrine::hv
