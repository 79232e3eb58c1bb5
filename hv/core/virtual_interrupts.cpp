// Interrupts that a parent requests in its child.
#include "hv/core/handlers.h"

namespace vitrine::hv {
namespace {

using tlfs::AssertInterruptInput;
using tlfs::InterruptType;

constexpr std::uint64_t kTypeMask = 0xFFFFFFFF;
constexpr std::uint32_t kFirstVector = 16;
constexpr std::uint32_t kLastVector = 255;

// TLFS HvAssertVirtualInterrupt: NMI, INIT and SMI have no vector, fixed ones have 16 to 255, SIPI any page.
bool legal(const AssertInterruptInput& in) {
  const std::uint64_t defined =
      kTypeMask | AssertInterruptInput::kLevel | AssertInterruptInput::kLogical;
  if ((in.control & ~defined) != 0 || in.vector > kLastVector) return false;
  switch (static_cast<InterruptType>(in.control & kTypeMask)) {
    case InterruptType::fixed:
    case InterruptType::lowest_priority: return in.vector >= kFirstVector;
    case InterruptType::smi:
    case InterruptType::nmi:
    case InterruptType::init: return in.vector == 0;
    case InterruptType::sipi: return true;
    case InterruptType::external: return true;
  }
  return false;
}

// ExtINT goes to the boot processor, as from an 8259; one at a time.
Done assert_external(Caller& caller, Partition& partition, std::uint32_t vector) {
  VirtualProcessor* const vp = find_vp(caller.hv, partition, 0);
  if (vp == nullptr) return Status::invalid_vp_index;
  if (partition.interrupt_acknowledged != 0) return Status::acknowledged;
  partition.interrupt_asserted = 1;
  partition.interrupt_vector = vector;
  const Platform& platform = *caller.hv.platform;
  platform.set_external_interrupt(platform.context, *vp, true, static_cast<std::uint8_t>(vector));
  return kDone;
}

}  // namespace

Done assert_virtual_interrupt(Caller& caller, const AssertInterruptInput& in) {
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::active) return Status::invalid_partition_state;
  if (in.reserved != 0 || !legal(in)) return Status::invalid_parameter;
  const auto type = static_cast<std::uint32_t>(in.control & kTypeMask);
  if (static_cast<InterruptType>(type) == InterruptType::external) {
    return assert_external(caller, partition, in.vector);
  }
  const Platform& platform = *caller.hv.platform;
  const bool level = (in.control & AssertInterruptInput::kLevel) != 0;
  const bool logical = (in.control & AssertInterruptInput::kLogical) != 0;
  const bool delivered = platform.deliver_interrupt(platform.context, partition, type, level,
                                                    logical, in.destination, in.vector);
  if (!delivered) return Status::invalid_vp_index;
  return kDone;
}

Done clear_virtual_interrupt(Caller& caller, const tlfs::PartitionInput& in) {
  const auto child = child_of(caller, in.partition);
  if (!child) return child.status();
  Partition& partition = **child;
  if (partition.state != PartitionState::active) return Status::invalid_partition_state;
  if (partition.interrupt_acknowledged == 0) return Status::not_acknowledged;
  partition.interrupt_asserted = partition.interrupt_acknowledged = 0;
  return kDone;
}

void acknowledge_interrupt(Hypervisor& hv, VirtualProcessor& vp) {
  Partition& partition = partition_of(hv, vp);
  partition.interrupt_asserted = 0;
  partition.interrupt_acknowledged = 1;
}

}  // namespace vitrine::hv
