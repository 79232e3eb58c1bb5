// The block of one logical processor, reached through GS: all the hypervisor's per-processor state.
#pragma once

#include <cstdint>

#include "hv/image/descriptors.h"

namespace vitrine::hv {

struct VpContext;

struct Processor {
  Processor* self{};  // at GS:0
  Descriptors descriptors;
  std::uint32_t index{};
  std::uint32_t apic_id{};
  std::uint64_t vmx_region{};
  VpContext* current{};       // whose state is in the processor, null before the first
  VpContext* root{};          // the root's virtual processor that owns this processor's devices
  VpContext* first{};         // all virtual processors that run here
  VpContext* last_child{};    // the child that had its turn last
  std::uint64_t slice_end{};  // when the current one's turn is over, by the TSC
  bool nmi_pending{};
  bool park_wanted{};  // another processor waits for one of ours to leave
  std::uint32_t request_word{};  // of the physical request register, looked at last
  std::uint64_t armed{};         // what the physical timer is set to
  bool level_owed[256]{};        // level vectors ended by the root, not yet at the physical APIC
};

inline Processor& this_processor() {
  Processor* self;
  asm volatile("movq %%gs:0, %0" : "=r"(self));
  return *self;
}

// Whether more than one virtual processor wants this processor is decided anew for each slice.
constexpr std::uint64_t kSlicesPerSecond = 1000;

// Makes the block of this processor and its descriptor tables current.
Processor& start_processor(std::uint32_t index);

}  // namespace vitrine::hv
