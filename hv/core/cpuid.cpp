// What the hypervisor's own CPUID leaves tell a virtual processor.
#include "hv/tlfs/cpuid.h"

#include "hv/core/hypervisor.h"

namespace vitrine::hv {
namespace {

using tlfs::CpuidLeaf;

// The build that Linux's root driver was written against, as version 10.0.
constexpr std::uint32_t kBuild = 27744;
constexpr std::uint32_t kVersion = 10U << 16;
// Vectors for interrupt remapping are not exposed.
constexpr std::uint32_t kRemapVectors = 0;

// Privileges whose MSRs this hypervisor does not have: a guest that saw them would get #GP.
constexpr std::uint64_t kNothingBehind = tlfs::mask_of(tlfs::Privilege::access_debug_msrs) |
                                         tlfs::mask_of(tlfs::Privilege::access_reenlightenment) |
                                         tlfs::mask_of(tlfs::Privilege::access_tsc_invariant);

// Differs: AccessPartitionId is granted and not shown unless the root is presented as one. Linux up to 6.5
// takes it for an order to ask for its id, and gives that call an output page as a root only.
constexpr std::uint64_t kShownToRootsOnly = tlfs::mask_of(tlfs::Privilege::access_partition_id);

CpuidLeaf features(Identity identity, const Partition& partition) {
  const std::uint64_t hidden =
      kNothingBehind | (identity == Identity::enlightened ? kShownToRootsOnly : 0);
  const std::uint64_t shown = partition.privileges & ~hidden;
  return {.eax = static_cast<std::uint32_t>(shown),
          .ebx = static_cast<std::uint32_t>(shown >> 32),
          .edx = tlfs::kXmmInput | tlfs::kGuestIdle | tlfs::kFrequencyMsrs | tlfs::kCrashMsrs |
                 tlfs::kXmmOutput | tlfs::kDirectTimers};
}

}  // namespace

CpuidLeaf hypervisor_leaf(const Hypervisor& hv, const VirtualProcessor& vp, std::uint32_t leaf) {
  switch (leaf) {
    case tlfs::kVendorLeaf:
      return {tlfs::kLastLeaf, tlfs::kVendorEbx, tlfs::kVendorEcx, tlfs::kVendorEdx};
    case tlfs::kInterfaceLeaf: return {.eax = tlfs::kInterface};
    case tlfs::kVersionLeaf: return {.eax = kBuild, .ebx = kVersion};
    case tlfs::kFeaturesLeaf: return features(hv.identity, partition_of(hv, vp));
    case tlfs::kRecommendationsLeaf:
      // With one processor there is nobody to flush for, and a call would cost an exit.
      return {.eax = tlfs::kRelaxedTiming | tlfs::kDeprecateAutoEoi |
                     (hv.processors > 1 ? tlfs::kUseRemoteFlush : 0),
              .ebx = tlfs::kNeverNotify,
              .ecx = hv.physical_bits};
    case tlfs::kLimitsLeaf: return {kMaximumVps, hv.processors, kRemapVectors, 0};
    case tlfs::kHardwareLeaf: return {.eax = hv.hardware_features};
    default: return {};
  }
}

}  // namespace vitrine::hv
