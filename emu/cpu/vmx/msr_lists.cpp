// The VM-entry and VM-exit MSR areas.
#include <span>

#include "emu/arch/msr.h"
#include "emu/arch/vmx_controls.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/msr.h"
#include "emu/cpu/vmx/transitions.h"

namespace vitrine::emu::vmx {

namespace {

bool is_x2apic(uint32_t number) {
  return number >= arch::msr::x2apic_first && number <= arch::msr::x2apic_last;
}

/// SDM "Loading MSRs": entries that fail whatever WRMSR would do.
bool loadable(const arch::MsrListEntry& entry) {
  return entry.reserved == 0 && entry.index != arch::msr::ia32_fs_base &&
         entry.index != arch::msr::ia32_gs_base && !is_x2apic(entry.index) &&
         entry.index != arch::msr::ia32_bios_updt_trig &&
         entry.index != arch::msr::ia32_bios_sign_id;
}

/// SDM "Saving MSRs".
bool storable(const arch::MsrListEntry& entry) {
  return entry.reserved == 0 && !is_x2apic(entry.index);
}

}  // namespace

uint32_t load_msr_list(Cpu& cpu, uint64_t address, uint64_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (i == arch::kMsrListLimit) return i + 1;
    arch::MsrListEntry entry;
    cpu.bus().read_block(Hpa{address + 16 * uint64_t{i}},
                         std::as_writable_bytes(std::span{&entry, 1}));
    if (!loadable(entry) || !write_msr(cpu, entry.index, entry.data)) return i + 1;
  }
  return 0;
}

uint32_t store_msr_list(Cpu& cpu, uint64_t address, uint64_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (i == arch::kMsrListLimit) return i + 1;
    const Hpa at{address + 16 * uint64_t{i}};
    arch::MsrListEntry entry;
    cpu.bus().read_block(at, std::as_writable_bytes(std::span{&entry, 1}));
    if (!storable(entry)) return i + 1;
    const auto value = read_msr(cpu, entry.index);
    if (!value) return i + 1;
    const uint64_t data = *value;
    cpu.bus().write_block(at + 8, std::as_bytes(std::span{&data, 1}));
  }
  return 0;
}

}  // namespace vitrine::emu::vmx
