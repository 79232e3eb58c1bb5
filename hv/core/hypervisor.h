// The hypervisor's root object: what the image instantiates, and the entry points it calls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/core/event_log.h"
#include "hv/core/lock.h"
#include "hv/core/page_record.h"
#include "hv/core/partition.h"
#include "hv/core/platform.h"
#include "hv/core/test_device.h"
#include "hv/core/virtual_processor.h"
#include "hv/tlfs/cpuid.h"
#include "hv/tlfs/hypercall.h"
#include "hv/tlfs/types.h"

// Layout rule: objects that a debugger decodes are standard-layout structs of fixed-size fields.
// Where one refers to another it holds the physical address, 0 for none, and Hypervisor::at() makes
// a pointer of it; so the same bytes mean the same in guest memory, in a native test and in a copy.

namespace vitrine::hv {

// The CPUID and MSR conventions the root sees: a root that manages the processors itself (Linux as
// root), or an ordinary enlightened guest that happens to own the machine.
enum class Identity : std::uint32_t { enlightened, root };

struct MemoryRange {
  std::uint64_t base{};  // bytes
  std::uint64_t size{};
};

struct Configuration {
  const Platform* platform{};                  // must outlive the hypervisor
  std::uint64_t memory_bias{};                 // pointer = physical address + bias; 0 in the image
  std::uint64_t memory_end{};                  // end of the highest RAM, bytes
  std::span<const MemoryRange> root_memory{};  // RAM that the root partition has
  std::uint64_t arena{};  // physical address of arena_pages() pages for the core's own objects
  std::uint32_t processors{1};  // logical processors, and as many root VPs
  Identity identity{};
  std::uint64_t tsc_frequency{};   // Hz
  std::uint64_t apic_frequency{};  // Hz
  std::uint32_t physical_bits{};
  std::uint32_t hardware_features{};  // CPUID 0x40000006.EAX
};

// Per-processor state: parameter blocks are copied in and out here.
struct LogicalProcessor {
  std::array<std::byte, tlfs::kPageSize> input;
  std::array<std::byte, tlfs::kPageSize> output;
  LockRank held{};  // the highest lock held
  std::uint32_t index{};
  std::uint64_t current{};        // VirtualProcessor that makes the call
  std::uint64_t attempts{};       // hypercalls dispatched, continued ones each time
  std::uint64_t unimplemented{};  // calls refused because they do not exist here
  std::uint64_t next_timer{};     // TSC of the next synthetic timer, ~0 for none
  std::uint64_t run_time{};       // 100 ns, of all virtual processors it has run
};

// What the root has said about turning the machine off.
struct PowerOff {
  std::uint8_t pm1a_type{};
  std::uint8_t pm1b_type{};
  std::uint8_t registered{};
  std::uint8_t locked{};
  std::uint32_t reserved{};
};

struct Hypervisor {
  const Platform* platform{};
  std::uint64_t memory_bias{};
  std::uint64_t memory_end{};
  std::uint64_t page_records{};  // array of PageRecord
  std::uint64_t page_count{};
  std::uint64_t processors_base{};  // array of LogicalProcessor
  std::uint32_t processors{};
  Identity identity{};
  std::uint64_t tsc_frequency{};
  std::uint64_t apic_frequency{};
  std::uint64_t tsc_scale{};  // reference time = tsc * scale >> 64
  std::uint64_t tsc_start{};
  std::uint32_t physical_bits{};
  std::uint32_t hardware_features{};
  Lock image_lock;
  Lock tree_lock;
  Lock synic_lock;
  std::uint64_t first_partition{};  // the root, then all others in order of id
  std::uint64_t last_id{};          // identifiers are never used twice
  std::uint64_t partition_count{};
  std::array<std::uint64_t, 4> stale{};  // partitions whose translations this attempt has narrowed
  std::array<EventLogGroup, tlfs::kEventLogTypes> event_log{};
  PowerOff power_off{};
  TestDevice test_device;

  template <class T>
  T* at(std::uint64_t address) const {
    return reinterpret_cast<T*>(address + memory_bias);
  }
  std::uint64_t address_of(const void* object) const {
    return reinterpret_cast<std::uint64_t>(object) - memory_bias;
  }
  PageRecord& record(std::uint64_t page) const { return at<PageRecord>(page_records)[page]; }
  LogicalProcessor& processor(std::uint32_t index) const {
    return at<LogicalProcessor>(processors_base)[index];
  }
  Partition& root() const { return *at<Partition>(first_partition); }
};

// --- start
// ---------------------------------------------------------------------------------------------
// Pages the arena must have. The arena must not lie in root_memory.
std::uint64_t arena_pages(const Configuration& configuration);
// Makes `hv`, the root partition (id 1, active) and its VPs, one per processor, not suspended.
// Calls Platform::create_partition and create_vp for them. Call once, before any other processor
// enters.
void initialize(Hypervisor& hv, const Configuration& configuration);

VirtualProcessor* find_vp(const Hypervisor& hv, const Partition& partition, std::uint32_t index);
inline Partition& partition_of(const Hypervisor& hv, const VirtualProcessor& vp) {
  return *hv.at<Partition>(vp.partition);
}

// --- hypercalls
// ------------------------------------------------------------------------------------------ The
// caller's registers at VMCALL. The image fills all of them (xmm only if hypercall_uses_xmm()),
// calls dispatch() and acts on the answer:
//   completed         write rax, rcx, rdx (and xmm if xmm_written) back, RIP past the VMCALL
//   again             write rcx, rdx, rax back, leave RIP: interrupts are taken, the VMCALL runs
//   again undefined_opcode  inject #UD, change nothing
struct HypercallFrame {
  std::uint64_t rax{}, rbx{}, rcx{}, rdx{}, rsi{}, rdi{}, r8{};
  std::array<tlfs::U128, tlfs::kFastXmmRegisters> xmm{};
  std::uint64_t rip{};
  bool long_mode{};       // EFER.LMA and CS.L: 64-bit registers carry the parameters
  bool protected_mode{};  // CR0.PE and not v8086
  std::uint8_t cpl{};
  bool xmm_written{};
};
enum class HypercallExit : std::uint8_t { completed, again, undefined_opcode };

bool hypercall_uses_xmm(const HypercallFrame& frame);
HypercallExit dispatch(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                       HypercallFrame& frame);

// --- synthetic MSRs and CPUID
// ------------------------------------------------------------------------------ For indices
// 0x40000000 to 0x40001FFF. fault: inject #GP (after asking raise_msr_intercept()).
enum class MsrResult : std::uint8_t { done, fault };
MsrResult read_synthetic_msr(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                             std::uint32_t index, std::uint64_t& value);
MsrResult write_synthetic_msr(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                              std::uint32_t index, std::uint64_t value);
// Leaves 0x40000000 to 0x400000FF; those that do not exist read 0.
tlfs::CpuidLeaf hypervisor_leaf(const Hypervisor& hv, const VirtualProcessor& vp,
                                std::uint32_t leaf);

// --- SynIC, interrupts and timers
// ---------------------------------------------------------------------- Every EOI of a VP's
// virtual APIC, by whatever means: messages that waited for a slot go out.
void end_of_interrupt(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp);
// The guest has acknowledged the ExtINT that set_external_interrupt() asserted.
void acknowledge_interrupt(Hypervisor& hv, VirtualProcessor& vp);
// Fires what is due for the VPs of this processor; call when the physical timer fires and before
// entry.
void expire_timers(Hypervisor& hv, std::uint32_t processor);
// TSC value of the next expiry for the VPs of this processor, ~0 for none: one term of the physical
// timer.
std::uint64_t next_timer(const Hypervisor& hv, std::uint32_t processor);
// 100 ns since the partition was created.
std::uint64_t reference_time(const Hypervisor& hv, const Partition& partition);

// --- scheduling
// ----------------------------------------------------------------------------------------- Whether
// the hypervisor lets the VP run; the image adds HLT and wait-for-SIPI.
bool runnable(const Hypervisor& hv, const VirtualProcessor& vp);
// The next runnable VP of a child on this processor after `after` (null: the first), round robin in
// order of partition and index; null if there is none.
VirtualProcessor* next_child_vp(const Hypervisor& hv, std::uint32_t processor,
                                const VirtualProcessor* after);
// Time a VP has run, in TSC ticks, for VP_RUNTIME.
void account_run_time(const Hypervisor& hv, VirtualProcessor& vp, std::uint64_t ticks);

}  // namespace vitrine::hv
