// VMCS regions: our format is one 64-bit word per field behind revision, abort indicator and launch
// state.
#include "emu/cpu/vmx/vmcs_region.h"

#include <array>
#include <cstddef>
#include <span>

namespace vitrine::emu::vmx {

namespace {

/// What lies behind the revision identifier and the abort indicator.
struct RegionData {
  uint64_t launched = 0;
  std::array<uint64_t, arch::kFieldCount> values{};
};
static_assert(offsetof(RegionData, values) + arch::kVmcsLaunchStateOffset == arch::kVmcsDataOffset);

void write_word(Bus& bus, uint64_t address, uint32_t value) {
  bus.write_block(Hpa{address}, std::as_bytes(std::span{&value, 1}));
}

}  // namespace

uint32_t read_revision(const Bus& bus, uint64_t region) {
  uint32_t revision = 0;
  bus.read_block(Hpa{region}, std::as_writable_bytes(std::span{&revision, 1}));
  return revision;
}

Vmcs read_region(const Bus& bus, uint64_t region) {
  RegionData data;
  bus.read_block(Hpa{region + arch::kVmcsLaunchStateOffset},
                 std::as_writable_bytes(std::span{&data, 1}));
  Vmcs vmcs;
  for (size_t i = 0; i < arch::kFieldCount; ++i) {
    vmcs.values[i] = data.values[i] & arch::FieldEncoding{arch::kFields[i].field}.mask();
  }
  vmcs.launched = data.launched == 1;
  return vmcs;
}

void write_region(Bus& bus, uint64_t region, const Vmcs& vmcs) {
  const RegionData data{vmcs.launched ? uint64_t{1} : 0, vmcs.values};
  bus.write_block(Hpa{region + arch::kVmcsLaunchStateOffset}, std::as_bytes(std::span{&data, 1}));
}

uint64_t read_region_field(const Bus& bus, uint64_t region, uint8_t slot) {
  uint64_t value = 0;
  bus.read_block(Hpa{region + arch::field_offset(slot)},
                 std::as_writable_bytes(std::span{&value, 1}));
  return value & arch::FieldEncoding{arch::kFields[slot].field}.mask();
}

void write_region_field(Bus& bus, uint64_t region, uint8_t slot, uint64_t value) {
  const uint64_t masked = value & arch::FieldEncoding{arch::kFields[slot].field}.mask();
  bus.write_block(Hpa{region + arch::field_offset(slot)}, std::as_bytes(std::span{&masked, 1}));
}

void clear_launch_state(Bus& bus, uint64_t region) {
  const uint64_t clear = 0;
  bus.write_block(Hpa{region + arch::kVmcsLaunchStateOffset}, std::as_bytes(std::span{&clear, 1}));
}

void write_abort_indicator(Bus& bus, uint64_t region, uint32_t indicator) {
  write_word(bus, region + arch::kVmcsAbortOffset, indicator);
}

}  // namespace vitrine::emu::vmx
