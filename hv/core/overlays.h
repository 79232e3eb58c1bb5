// Overlay pages: registers that put a page of the hypervisor at a page number the guest chooses.
#pragma once

#include <cstdint>

#include "hv/core/page_record.h"

namespace vitrine::hv {

struct Hypervisor;
struct Partition;
struct VirtualProcessor;

// Writes a page register (an enable bit and a page number): the overlay moves with it. False when the page
// is outside the GPA space or there is no memory for a translation table; then nothing has changed.
bool write_page_register(Hypervisor& hv, Partition& partition, std::uint64_t& reg,
                         std::uint64_t value, std::uint64_t overlay, Rights rights);

void disable_partition_overlays(Hypervisor& hv, Partition& partition);
void disable_vp_overlays(Hypervisor& hv, Partition& partition, VirtualProcessor& vp);

}  // namespace vitrine::hv
