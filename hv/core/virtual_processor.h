// A virtual processor: its place, what keeps it from running, its SynIC, timers and pending call.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/message_buffer.h"
#include "hv/tlfs/synic.h"
#include "hv/tlfs/types.h"

namespace vitrine::hv {

// The call that this virtual processor has begun and must execute again.
struct Continuation {
  std::uint64_t rip{};
  std::uint64_t control{};
  std::uint64_t first{};  // the parameter registers
  std::uint64_t second{};
  std::uint64_t object{};  // the partition that the call works on
  std::uint32_t attempts{};
  std::uint32_t active{};
};

struct Synic {
  std::uint64_t scontrol{};
  std::uint64_t simp{};
  std::uint64_t siefp{};
  std::uint64_t sirbp{};
  std::array<std::uint64_t, tlfs::kSints> sint{};
  std::array<std::uint64_t, tlfs::kSints> queue_first{};  // MessageBuffers
  std::array<std::uint64_t, tlfs::kSints> queue_last{};
  std::uint32_t queued{};
  std::uint32_t reserved{};
};

struct SyntheticTimer {
  std::uint64_t config{};
  std::uint64_t count{};
  std::uint64_t expiry{};  // reference time, valid while armed
  std::uint32_t armed{};
  std::uint32_t expirations{};
};

// The overlay pages of a virtual processor, in the order of VirtualProcessor::overlay.
enum class VpOverlay : std::uint32_t { messages, event_flags, assist, ring };
inline constexpr std::uint32_t kVpOverlays = 4;
inline constexpr std::uint32_t kMaximumPlatformPages = 16;

// One page of the partition's pool. Links are physical addresses, 0 for none.
struct VirtualProcessor {
  std::uint64_t partition{};
  std::uint64_t partition_id{};
  std::uint32_t index{};
  std::uint32_t processor{};  // the logical processor it runs on
  std::uint32_t explicit_suspend{};
  std::uint32_t intercept_suspend{};
  std::uint32_t tlb_locked{};
  std::uint32_t hypercalls_low{};  // attempts of calls, counts modulo 2^32
  Continuation continuation;
  Synic synic;
  std::array<SyntheticTimer, tlfs::kTimersPerVp> timers{};
  std::uint64_t vp_assist{};  // MSR values
  std::uint64_t run_time{};   // 100 ns, kept by the image through account_run_time()
  std::array<std::uint64_t, kVpOverlays> overlay{};
  std::array<std::uint64_t, kMaximumPlatformPages> platform_pages{};
  std::uint64_t platform_data{};  // the image's own
  // TLFS "Message Buffers": one for each timer, one for intercepts.
  std::array<MessageBuffer, tlfs::kTimersPerVp + 1> buffers{};
  std::array<tlfs::Message, tlfs::kTimersPerVp + 1> messages{};
};
static_assert(sizeof(VirtualProcessor) <= tlfs::kPageSize);
inline constexpr std::uint32_t kInterceptBuffer = tlfs::kTimersPerVp;

}  // namespace vitrine::hv
