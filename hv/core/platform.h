// What the hypervisor core asks of the machine it runs on, as a table of functions the image fills
// in.
#pragma once

#include <cstdint>

#include "hv/core/page_record.h"
#include "hv/tlfs/types.h"

namespace vitrine::hv {

struct Partition;
struct VirtualProcessor;

enum class RegisterResult : std::uint8_t { done, unknown_name, invalid_value };

// A flush of virtual TLBs, as HvFlushVirtualAddressSpace and -List ask for it.
struct VirtualFlush {
  std::uint64_t vp_mask{};        // by VP index; every partition has at most 64
  std::uint64_t address_space{};  // CR3
  bool all_spaces{};
  bool keep_global{};
  bool one_range{};      // only `pages` pages from `page` on; otherwise everything
  std::uint64_t page{};  // GVA page number
  std::uint64_t page_count{};
};

// Every function gets `context` first. All are called with the tree lock held, unless noted; none
// may call back into the core except where a comment says so. Pages are page numbers, addresses
// physical.
struct Platform {
  void* context{};

  // --- time and processors -----------------------------------------------------------------------
  std::uint64_t (*read_tsc)(void*){};
  // Whether an interrupt waits for this logical processor (physical, or virtual and deliverable to
  // the calling VP): a slice then ends early. Asked once per work unit, so it must be cheap.
  bool (*interrupt_pending)(void*, std::uint32_t processor){};
  // Called while spinning on a lock: PAUSE. The native tests switch processors here.
  void (*pause)(void*, std::uint32_t processor){};

  // --- interrupts of a virtual processor
  // ----------------------------------------------------------- An edge-triggered fixed interrupt
  // for its virtual local APIC; with auto_eoi it never comes into service. Wakes the VP from HLT
  // and kicks its processor if that is another one. No lock assumed.
  void (*request_interrupt)(void*, VirtualProcessor&, std::uint8_t vector, bool auto_eoi){};
  // ExtINT line of HvAssertVirtualInterrupt: the image reports the acknowledge cycle with
  // acknowledge_interrupt().
  void (*set_external_interrupt)(void*, VirtualProcessor&, bool asserted, std::uint8_t vector){};
  // NMI, INIT, SIPI, SMI and fixed interrupts asked for by HvAssertVirtualInterrupt; `type` is the
  // APIC delivery mode. False when no VP of the partition matches the destination.
  bool (*deliver_interrupt)(void*, Partition&, std::uint32_t type, bool level, bool logical,
                            std::uint64_t destination, std::uint32_t vector){};
  // MSRs EOI, ICR, TPR. The write to EOI calls end_of_interrupt() like any other EOI.
  std::uint64_t (*read_apic)(void*, VirtualProcessor&, std::uint32_t msr){};
  bool (*write_apic)(void*, VirtualProcessor&, std::uint32_t msr, std::uint64_t value){};

  // --- scheduling
  // ------------------------------------------------------------------------------------ runnable()
  // of this VP may have changed: kick its processor, or let the idle loop see it.
  void (*reschedule)(void*, VirtualProcessor&){};
  // Takes the VP off its processor, its state saved where get_register() finds it. False: a kick is
  // under way, ask again in the next attempt. A VP that is not running is parked at once.
  bool (*park)(void*, VirtualProcessor&){};
  // Writes these SLP_TYP values to the PM1 control registers; returns where the machine stays on.
  void (*power_off)(void*, std::uint8_t pm1a_type, std::uint8_t pm1b_type){};
  // HV_X64_MSR_RESET and GUEST_IDLE.
  void (*reset_partition)(void*, Partition&){};
  void (*idle)(void*, VirtualProcessor&){};

  // --- memory
  // ------------------------------------------------------------------------------------------
  // Pages of its pool that each initialized partition and each VP gives to the image: in
  // platform_pages, zeroed. The root's come from the hypervisor's arena. At most
  // kMaximumPlatformPages.
  std::uint32_t partition_pages{};
  std::uint32_t vp_pages{};
  // Second-level translation of one 4 KiB page; replaces what was there. Rights::none means present
  // for the core and inaccessible for the guest. For a child, table pages come from take_page(...,
  // PageUse::translation); false when there is none, and then nothing has changed. Changing a page
  // that is or was mapped never needs a page. The root's tables come from the image's own memory.
  bool (*map_page)(void*, Partition&, std::uint64_t gpa_page, std::uint64_t page, Rights rights){};
  void (*unmap_page)(void*, Partition&, std::uint64_t gpa_page){};
  // Puts the root's own identity mapping back: RAM with `rights`, or whatever was there before an
  // overlay.
  void (*restore_root_page)(void*, std::uint64_t page, bool is_ram, Rights rights){};
  // Gives one table page of an unmapped space back by give_page(); false when none is left.
  bool (*release_table)(void*, Partition&){};
  // No processor uses a translation older than this moment when it returns (epoch, kick,
  // acknowledge). Called once per attempt that took rights or mappings away.
  void (*flush_translations)(void*, Partition&){};
  // Writes to a VP's virtual TLBs; synchronous.
  void (*flush_virtual)(void*, Partition&, const VirtualFlush&){};

  // --- objects
  // ------------------------------------------------------------------------------------- After
  // platform_pages are there, and before they are given back. create_partition may take pages by
  // take_page(..., PageUse::translation); false when there are none.
  bool (*create_partition)(void*, Partition&){};
  void (*destroy_partition)(void*, Partition&){};
  void (*create_vp)(void*, Partition&, VirtualProcessor&){};
  void (*destroy_vp)(void*, Partition&, VirtualProcessor&){};

  // --- registers of a parked or the calling VP, by TLFS name
  // ----------------------------------------- Names of groups 0, 9, A and B that the core holds
  // itself do not arrive here.
  RegisterResult (*get_register)(void*, VirtualProcessor&, std::uint32_t name, tlfs::U128& value){};
  RegisterResult (*set_register)(void*, VirtualProcessor&, std::uint32_t name,
                                 const tlfs::U128& value){};
};
static_assert(sizeof(Platform) % 8 == 0);

}  // namespace vitrine::hv
