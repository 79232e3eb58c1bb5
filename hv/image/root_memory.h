// The root partition's physical memory: everything the machine has, minus the hypervisor, at equal
// addresses.
#pragma once

#include "hv/image/boot_information.h"
#include "hv/image/ept_tables.h"

namespace vitrine::hv {

// Turns the machine's memory map into the root's, with the hypervisor's range marked reserved.
void hide_hypervisor(BootInformation& information);

// Maps the root's guest-physical space one to one: RAM write-back, all else uncached,
// the hypervisor's range and the local APIC's page not at all.
void map_root(EptTables& tables, const BootInformation& information);

// Extends the hypervisor's own identity map to the end of RAM.
void map_physical_memory(const BootInformation& information);

}  // namespace vitrine::hv
