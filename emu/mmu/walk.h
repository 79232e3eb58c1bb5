// The page walker: one function for no paging, 32-bit, PAE and 4-level tables, alone or under EPT.
#pragma once

#include <array>
#include <cstdint>

#include "emu/arch/exceptions.h"
#include "emu/arch/types.h"
#include "emu/mmu/bus.h"

namespace vitrine::emu {

/// SDM "Page-Modification Logging": told of each guest-physical page whose D bit EPT sets.
class PageLog {
 public:
  virtual ~PageLog() = default;
  virtual bool page_log_full() const = 0;
  virtual void log_page(Gpa page) = 0;
};

inline constexpr uint64_t kNoApicPage = ~uint64_t{0};

/// Everything a translation depends on besides the tables in memory.
struct PagingContext {
  uint64_t cr0 = 0;
  uint64_t cr3 = 0;
  uint64_t cr4 = 0;
  uint64_t efer = 0;
  std::array<uint64_t, 4> pdpte{};   ///< PAE: as loaded by MOV CR3 or VM entry
  uint64_t eptp = 0;                 ///< 0: no EPT
  bool ept_execute_for_user = false; ///< mode-based execute control for EPT
  PageLog* page_log = nullptr;       ///< of writes under EPT with A/D bits
  uint64_t apic_page = kNoApicPage;  ///< the APIC-access page of a VM, which is never cached
  uint8_t physical_bits = 46;        ///< MAXPHYADDR of the profile
  bool gigabyte_pages = true;

  friend bool operator==(const PagingContext&, const PagingContext&) = default;
};

/// What the access wants to do.
struct AccessRequest {  // one byte, passed around on every path of an access
  bool write : 1 = false;
  bool fetch : 1 = false;
  /// CPL 3, unless the access is an implicit supervisor access. For walk_ept() alone: the linear
  /// address is a user-mode one.
  bool user : 1 = false;
  bool smap_suspended : 1 = false; ///< explicit supervisor access with EFLAGS.AC = 1
  bool peek : 1 = false;           ///< look only: set no A/D bits, mark nothing
};

/// How an access under EPT failed (SDM "Exit Qualification for EPT Violations").
struct EptFault {
  Gpa gpa;
  Gva gva;
  bool gva_valid = false;
  uint64_t qualification = 0;
  bool convertible = false;  ///< into #VE: the entry's "suppress #VE" is 0
};

struct Translation {
  Hpa hpa;                   ///< of the byte asked for
  Gpa gpa;                   ///< of the byte asked for; equals hpa without EPT
  uint64_t page_size = kPageSize;  ///< of the smallest mapping on the way
  bool dirty = false;        ///< D bits are set: a write translation may be cached
};

/// The entries that a walk loads, in order, as the timing model wants to know them.
struct WalkTrace {
  struct Load {
    Hpa entry;
    Gpa gpa;                ///< EPT entries: what is being translated
    uint8_t level = 0;      ///< the guest's table that is wanted; 0: the page itself
    uint8_t ept_level = 0;  ///< of an EPT entry; 0: an entry of the guest's own tables
  };
  /// Five translations by four levels of EPT, and four levels of the guest's own.
  static constexpr size_t kMost = 24;
  std::array<Load, kMost> loads{};
  size_t count = 0;
  uint8_t leaf_level = 0;  ///< of the guest's tables; 0 without paging
  bool global = false;     ///< the leaf says so

  void add(const Load& load) {
    if (count < kMost) loads[count++] = load;
  }
};

/// Translates `gva`, setting A/D bits and marking every table line it read (unless peeking).
/// Canonicality and segment limits are the caller's. On an EPT fault `*ept_fault` is filled.
Result<Translation, Fault> walk(Bus& bus, const PagingContext& context, Gva gva,
                                AccessRequest request, EptFault* ept_fault,
                                WalkTrace* trace = nullptr);

/// The EPT half alone: guest-physical to machine-physical. `level` is what a trace calls its loads by.
Result<Translation, Fault> walk_ept(Bus& bus, const PagingContext& context, Gpa gpa,
                                    AccessRequest request, EptFault* ept_fault,
                                    WalkTrace* trace = nullptr, uint8_t level = 0);

/// PDPTEs are checked when loaded (SDM "PDPTE Registers"); reads them through EPT if there is one.
/// Faults with #GP(0) when a present one has reserved bits set.
Result<std::array<uint64_t, 4>, Fault> load_pdptes(Bus& bus, const PagingContext& context,
                                                   EptFault* ept_fault);

}  // namespace vitrine::emu
