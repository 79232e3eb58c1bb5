// The life of virtual processors and of the overlay pages of partitions.
#pragma once

#include <cstdint>

namespace vitrine::hv {

struct Hypervisor;
struct Partition;
struct VirtualProcessor;

// The state after creation: TLFS "Virtual Processor Creation", SynIC and timers as after reset.
void reset_vp(Hypervisor& hv, Partition& partition, VirtualProcessor& vp, std::uint32_t index,
              std::uint32_t processor);

// Takes the VP apart and gives its pages back. It must be parked, its queues empty and its timers off.
void destroy_vp(Hypervisor& hv, Partition& partition, VirtualProcessor& vp);

// Writes the contents of the hypercall page and the reference TSC page.
void prepare_partition_overlays(Hypervisor& hv, Partition& partition);

}  // namespace vitrine::hv
