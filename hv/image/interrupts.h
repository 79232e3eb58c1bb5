// Interrupts between the physical processor and the virtual ones: forwarding, timers, injection.
#pragma once

#include <cstdint>

#include "hv/core/partition.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {

// A vector that the processor acknowledged on a VM exit: ours, a device's, or the 8259's.
void take_external_interrupt(std::uint8_t vector);

// An NMI that hit this processor, in a guest or in root mode, goes to the root.
void take_nmi();

// Lets every virtual timer of this processor see the time, and arms the physical timer for the
// next.
void run_timers();

// Chooses what the next VM entry delivers, and asks for the exit at which the rest can be.
void prepare_entry(VpContext& vp);

// The same for one that waits for its SIPI: nothing reaches it.
void prepare_wait(VpContext& vp);

// After an exit: an event whose delivery the exit interrupted is delivered again.
void keep_interrupted_event(VpContext& vp);

// RDMSR and WRMSR of x2APIC registers and of the timer; false is #GP.
bool read_apic_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value);
bool write_apic_msr(VpContext& vp, std::uint32_t index, std::uint64_t value);

// An interrupt on its way between the virtual processors of a partition (SDM "Interrupt Command
// Register"). `sender` is null when it comes from outside. False when nobody is addressed.
enum class Delivery : std::uint32_t { fixed, lowest_priority, smi, reserved, nmi, init, startup };
struct InterruptCommand {
  Delivery delivery{};
  std::uint8_t vector{};
  bool level{};
  bool logical{};
  std::uint32_t shorthand{};  // 0 none, 1 self, 2 all, 3 all others
  std::uint32_t destination{};
};
bool deliver(const Partition& partition, const VpContext* sender, const InterruptCommand& command);

// Whether something waits that would wake `vp` from HLT.
bool has_wake_event(const VpContext& vp);

}  // namespace vitrine::hv
