// The hypervisor's CPUID leaves 0x40000000 to 0x40000006 and the feature bits in them.
#pragma once

#include <cstdint>

namespace vitrine::hv::tlfs {

struct CpuidLeaf {
  std::uint32_t eax{}, ebx{}, ecx{}, edx{};

  friend constexpr bool operator==(const CpuidLeaf&, const CpuidLeaf&) = default;
};

// clang-format off
inline constexpr std::uint32_t kVendorLeaf         = 0x40000000;
inline constexpr std::uint32_t kInterfaceLeaf      = 0x40000001;
inline constexpr std::uint32_t kVersionLeaf        = 0x40000002;
inline constexpr std::uint32_t kFeaturesLeaf       = 0x40000003;
inline constexpr std::uint32_t kRecommendationsLeaf = 0x40000004;
inline constexpr std::uint32_t kLimitsLeaf         = 0x40000005;
inline constexpr std::uint32_t kHardwareLeaf       = 0x40000006;
inline constexpr std::uint32_t kLastLeaf           = kHardwareLeaf;

inline constexpr std::uint32_t kVendorEbx = 0x7263694D;  // "Micr"
inline constexpr std::uint32_t kVendorEcx = 0x666F736F;  // "osof"
inline constexpr std::uint32_t kVendorEdx = 0x76482074;  // "t Hv"
inline constexpr std::uint32_t kInterface = 0x31237648;  // "Hv#1"

// 0x40000003.EDX
inline constexpr std::uint32_t kXmmInput       = 1U << 4;
inline constexpr std::uint32_t kGuestIdle      = 1U << 5;
inline constexpr std::uint32_t kFrequencyMsrs  = 1U << 8;
inline constexpr std::uint32_t kCrashMsrs      = 1U << 10;
inline constexpr std::uint32_t kXmmOutput      = 1U << 15;
inline constexpr std::uint32_t kDirectTimers   = 1U << 19;

// 0x40000004.EAX
inline constexpr std::uint32_t kUseRemoteFlush     = 1U << 2;
inline constexpr std::uint32_t kUseApicMsrs        = 1U << 3;
inline constexpr std::uint32_t kRelaxedTiming      = 1U << 5;
inline constexpr std::uint32_t kDeprecateAutoEoi   = 1U << 9;

// 0x40000006.EAX
inline constexpr std::uint32_t kMsrBitmaps             = 1U << 1;
inline constexpr std::uint32_t kSecondLevelTranslation = 1U << 3;
inline constexpr std::uint32_t kUnrestrictedGuest      = 1U << 17;

// 0x40000004.EBX: never call HvNotifyLongSpinWait.
inline constexpr std::uint32_t kNeverNotify = 0xFFFFFFFF;
// clang-format on

}  // namespace vitrine::hv::tlfs
