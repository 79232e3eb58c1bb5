// VMCS regions in memory: where the data of a VMCS lies while it is not current.
#pragma once

#include <cstdint>

#include "emu/cpu/vmx/state.h"
#include "emu/mmu/bus.h"

namespace vitrine::emu::vmx {

/// The first word of a VMCS region: revision identifier 30:0, shadow indicator 31.
uint32_t read_revision(const Bus& bus, uint64_t region);

Vmcs read_region(const Bus& bus, uint64_t region);
void write_region(Bus& bus, uint64_t region, const Vmcs& vmcs);

/// One field of a VMCS that is not current, as VMREAD and VMWRITE reach a shadow VMCS.
uint64_t read_region_field(const Bus& bus, uint64_t region, uint8_t slot);
void write_region_field(Bus& bus, uint64_t region, uint8_t slot, uint64_t value);

/// VMCLEAR of a region that is not current: its launch state becomes clear.
void clear_launch_state(Bus& bus, uint64_t region);
void write_abort_indicator(Bus& bus, uint64_t region, uint32_t indicator);

}  // namespace vitrine::emu::vmx
