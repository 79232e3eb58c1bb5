// What CPUID answers a guest.
#include "hv/image/cpuid_view.h"

#include <array>

#include "hv/image/tlfs_exits.h"

namespace vitrine::hv {
namespace {

constexpr std::uint32_t kAny = 0xFFFFFFFF;
constexpr std::uint32_t kFirstHypervisorLeaf = 0x40000000;
constexpr std::uint32_t kLastHypervisorLeaf = 0x4000FFFF;
constexpr std::uint32_t kOsxsave = 1U << 27;

// Bits of the processor's answer that a guest does not see.
struct MaskRow {
  std::uint32_t leaf, subleaf;
  CpuidResult hidden;
};
// clang-format off
constexpr auto kHidden = std::to_array<MaskRow>({
    // MONITOR, VMX, SMX, and OSXSAVE, which follows the guest's own CR4.
    {0x00000001, kAny, {0, 0, 1U << 3 | 1U << 5 | 1U << 6 | kOsxsave, 0}},
    {0x00000005, kAny, {kAny, kAny, kAny, kAny}},        // MONITOR/MWAIT
    // SGX, MPX, AVX-512; PKU, LA57: state or exits that this hypervisor does not manage.
    {0x00000007, 0,    {0, 1U << 2 | 1U << 14 | 0xDC230000, 1U << 3 | 1U << 4 | 1U << 16 | 0x00005842, 0x0000010C}},
    {0x0000000A, kAny, {kAny, kAny, kAny, kAny}},        // performance monitoring
    {0x0000000D, 0,    {~7U, 0, 0, kAny}},               // x87, SSE, AVX only
});
// clang-format on

bool has_secondary(std::uint32_t control) {
  return (read_vmcs(Field::secondary_controls) & control) != 0;
}

// Instructions that raise #UD in a guest while their VM-execution control is 0.
void hide_by_control(std::uint32_t leaf, std::uint32_t subleaf, CpuidResult& r) {
  constexpr std::uint32_t kInvpcid = 1U << 10;
  constexpr std::uint32_t kRdpid = 1U << 22;
  constexpr std::uint32_t kRdtscp = 1U << 27;
  constexpr std::uint32_t kXsaves = 1U << 3;
  if (leaf == 7 && subleaf == 0 && !has_secondary(arch::secondary::enable_invpcid)) {
    r.ebx &= ~kInvpcid;
  }
  if (leaf == 0xD && subleaf == 1 && !has_secondary(arch::secondary::enable_xsaves)) {
    r.eax &= ~kXsaves;
  }
  if (!has_secondary(arch::secondary::enable_rdtscp)) {
    if (leaf == 7 && subleaf == 0) r.ecx &= ~kRdpid;
    if (leaf == 0x80000001) r.edx &= ~kRdtscp;
  }
}

// SDM "CPUID—CPU Identification", leaf 0DH: the size of the area ends with the AVX component.
void hide_extended_state(std::uint32_t subleaf, CpuidResult& r) {
  constexpr std::uint32_t kAvxComponent = 2;
  if (subleaf == 0) {
    const CpuidResult avx = cpuid(0xD, kAvxComponent);
    r.ecx = avx.eax + avx.ebx;
  }
  if (subleaf > kAvxComponent) r = {};
}

}  // namespace

CpuidResult guest_cpuid(const VpContext& vp, std::uint32_t leaf, std::uint32_t subleaf) {
  if (leaf >= kFirstHypervisorLeaf && leaf <= kLastHypervisorLeaf) {
    return hypervisor_cpuid(vp, leaf);
  }
  CpuidResult r = cpuid(leaf, subleaf);
  for (const MaskRow& row : kHidden) {
    if (row.leaf != leaf || (row.subleaf != kAny && row.subleaf != subleaf)) continue;
    r.eax &= ~row.hidden.eax;
    r.ebx &= ~row.hidden.ebx;
    r.ecx &= ~row.hidden.ecx;
    r.edx &= ~row.hidden.edx;
  }
  hide_by_control(leaf, subleaf, r);
  if (leaf == 1) {
    constexpr std::uint32_t kHypervisorPresent = 1U << 31;
    r.ecx |= kHypervisorPresent;
    if ((read_guest_cr4() & arch::cr4::osxsave) != 0) r.ecx |= kOsxsave;
    r.ebx = (r.ebx & 0x00FFFFFF) | (vp.apic.id() << 24);
  }
  if (leaf == 0xB || leaf == 0x1F) r.edx = vp.apic.id();
  if (leaf == 0xD) hide_extended_state(subleaf, r);
  return r;
}

}  // namespace vitrine::hv
