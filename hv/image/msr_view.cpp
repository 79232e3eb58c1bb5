// What RDMSR and WRMSR do for a guest.
#include "hv/image/msr_view.h"

#include <array>

#include "emu/arch/msr.h"
#include "hv/image/instructions.h"
#include "hv/image/interrupts.h"
#include "hv/image/page_heap.h"
#include "hv/image/tlfs_exits.h"

namespace vitrine::hv {
namespace {

namespace msr = arch::msr;

struct MsrRange {
  std::uint32_t first, last;
};

// The MSRs of the processor that the hypervisor answers for, also to the root.
// clang-format off
constexpr auto kKept = std::to_array<MsrRange>({
    {msr::ia32_time_stamp_counter, msr::ia32_time_stamp_counter},
    {msr::ia32_apic_base,          msr::ia32_apic_base},
    {msr::ia32_feature_control,    msr::ia32_tsc_adjust},
    {msr::ia32_vmx_basic,          msr::ia32_vmx_basic + 0x1F},
    {msr::ia32_tsc_deadline,       msr::ia32_tsc_deadline},
    {msr::x2apic_first,            msr::x2apic_last},
});

// The MSRs that are a child's own: in its VMCS, or swapped with it.
constexpr auto kSwitched = std::to_array<MsrRange>({
    {msr::ia32_sysenter_cs,   msr::ia32_sysenter_eip},
    {msr::ia32_pat,           msr::ia32_pat},
    {msr::ia32_efer,          msr::ia32_fmask},
    {msr::ia32_fs_base,       msr::ia32_tsc_aux},
});
// clang-format on

constexpr std::uint32_t kFirstHypervisorMsr = 0x40000000;
constexpr std::uint32_t kLastHypervisorMsr = 0x4000FFFF;

// SDM "MSR-Bitmap Address": reads of low and high MSRs, then writes of them, 1 KiB each.
void set_intercept(std::uint64_t page, MsrRange range, bool intercept) {
  constexpr std::uint32_t kHighMsrs = 0xC0000000;
  constexpr std::uint64_t kWriteHalf = 2048;
  for (std::uint32_t index = range.first; index <= range.last; ++index) {
    const std::uint64_t quarter = index >= kHighMsrs ? 1024 : 0;
    const std::uint64_t byte = page + quarter + (index & 0x1FFF) / 8;
    const auto mask = static_cast<std::uint8_t>(1U << (index % 8));
    for (const std::uint64_t address : {byte, byte + kWriteHalf}) {
      std::uint8_t& bits = *at<std::uint8_t>(address);
      bits = static_cast<std::uint8_t>(intercept ? bits | mask : bits & ~mask);
    }
  }
}

bool is_apic_msr(std::uint32_t index) {
  return index == msr::ia32_apic_base || index == msr::ia32_tsc_deadline ||
         (index >= msr::x2apic_first && index <= msr::x2apic_last);
}

bool is_hypervisor_msr(std::uint32_t index) {
  return index >= kFirstHypervisorMsr && index <= kLastHypervisorMsr;
}

}  // namespace

bool guest_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value) {
  if (is_hypervisor_msr(index)) return hypervisor_read_msr(vp, index, value);
  if (is_apic_msr(index)) return read_apic_msr(vp, index, value);
  switch (index) {
    case msr::ia32_time_stamp_counter:
      value = read_tsc() + read_vmcs(Field::tsc_offset);
      return true;
    case msr::ia32_tsc_adjust: value = vp.tsc_adjust; return true;
    // Locked with VMX off: what firmware leaves on a machine without it.
    case msr::ia32_feature_control: value = arch::feature_control::lock; return true;
    default: return false;
  }
}

bool guest_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value) {
  if (is_hypervisor_msr(index)) return hypervisor_write_msr(vp, index, value);
  if (is_apic_msr(index)) return write_apic_msr(vp, index, value);
  const std::uint64_t offset = read_vmcs(Field::tsc_offset);
  switch (index) {
    // SDM "IA32_TSC_ADJUST Register": a write to either register moves the other by the same
    // amount.
    case msr::ia32_time_stamp_counter: {
      const std::uint64_t change = value - (read_tsc() + offset);
      vp.tsc_adjust += change;
      write_vmcs(Field::tsc_offset, offset + change);
      return true;
    }
    case msr::ia32_tsc_adjust:
      write_vmcs(Field::tsc_offset, offset + (value - vp.tsc_adjust));
      vp.tsc_adjust = value;
      return true;
    case msr::ia32_feature_control: return false;
    default: return false;
  }
}

void fill_root_msr_bitmap(std::uint64_t page) {
  for (const MsrRange& range : kKept) set_intercept(page, range, true);
}

void fill_child_msr_bitmap(std::uint64_t page) {
  __builtin_memset(at<void>(page), 0xFF, kPageSize);
  for (const MsrRange& range : kSwitched) set_intercept(page, range, false);
}

}  // namespace vitrine::hv
