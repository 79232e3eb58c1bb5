// TranslationModel: the TLBs and paging-structure caches of a core, which decide when a walk is paid.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "emu/cpu/timing/core_parameters.h"
#include "emu/cpu/timing/tag_sets.h"
#include "emu/mmu/walk.h"

namespace vitrine::emu::timing {

/// What a cached translation belongs to (SDM "Caching Translation Information").
struct AddressSpace {
  uint16_t vpid = 0;
  uint16_t pcid = 0;
  uint64_t ept = 0;  ///< address of the EPT PML4 table; 0: none

  friend bool operator==(const AddressSpace&, const AddressSpace&) = default;
};

/// What an instruction or transition makes a processor forget, in the scope of the SDM.
struct Invalidation {
  enum class Scope : uint8_t {
    address,         ///< one linear address of a VPID, in one PCID and in global pages
    pcid_address,    ///< the same without global pages
    vpid_address,    ///< the same in every PCID
    one_pcid,        ///< all of a VPID's PCID but global pages
    all_but_global,  ///< of a VPID
    everything,      ///< of a VPID
    ept,             ///< all that was made through one EPT
    all_ept,         ///< through any
    all_vpids,       ///< of every VPID but 0
  };
  Scope scope = Scope::everything;
  AddressSpace space;
  Gva address;
};

/// Two levels of TLB for code and data, with pages of three sizes, and caches of the upper levels of
/// the tables. Fixed in geometry and replacement: the translations that the emulator itself caches
/// never matter here.
class TranslationModel {
 public:
  enum class Side : uint8_t { data, code };
  enum class Hit : uint8_t { first, second, none };

  explicit TranslationModel(const CoreParameters& core);

  Hit find(Side side, Gva gva, const AddressSpace& space) const;
  /// A hit becomes the most recent one; one of the second level comes into the first.
  void touch(Side side, Gva gva, const AddressSpace& space);
  /// A walk has found a page of `page_size` bytes.
  void fill(Side side, Gva gva, const AddressSpace& space, uint64_t page_size, bool global);

  /// The entries of `walk` that have to be loaded, given what the paging-structure caches hold.
  struct Loads {
    std::array<Hpa, WalkTrace::kMost> entries{};
    size_t count = 0;
  };
  Loads needed(const WalkTrace& walk, Gva gva, const AddressSpace& space) const;
  /// The walk was made.
  void learn(const WalkTrace& walk, Gva gva, const AddressSpace& space);

  void invalidate(const Invalidation& what);
  void visit(StateVisitor& v);

 private:
  enum Size : uint8_t { small, large, huge, kSizes };
  /// `page`: number and size, with the top bit set; `owner`: EPT, VPID, PCID and whether it is global.
  struct Tag {
    uint64_t page = 0;
    uint64_t owner = 0;
    friend bool operator==(const Tag&, const Tag&) = default;
  };
  using Tags = TagSets<Tag>;

  static uint64_t owner_of(const AddressSpace& space, bool global);
  static Tag tag_of(Gva gva, Size size, uint64_t owner);
  static Tag upper_tag(Gva gva, unsigned level, const AddressSpace& space);
  static Tag nested_tag(Gpa gpa, unsigned level, const AddressSpace& space);
  /// The EPT level of the load's translation from which on entries have to be loaded.
  unsigned nested_start(Gpa gpa, const AddressSpace& space) const;
  static uint64_t set_of(const Tags& tags, Gva gva, Size size);
  const Tags& first(Side side, Size size) const;
  Tags& first(Side side, Size size) {
    return const_cast<Tags&>(std::as_const(*this).first(side, size));
  }
  const Tags& second(Size size) const { return size == huge ? second_huge_ : second_; }
  Tags& second(Size size) { return size == huge ? second_huge_ : second_; }
  /// The level of the guest's tables whose entry is loaded first.
  unsigned start_level(Gva gva, const AddressSpace& space) const;
  template <class Unwanted>
  void drop_if(Unwanted unwanted);

  Tags data_small_, data_large_, data_huge_, code_small_, code_large_, second_, second_huge_;
  std::array<Tags, 3> upper_;  ///< entries of levels 2, 3 and 4 that point at tables
  Tags nested_;                ///< EPT entries that point at tables
};

}  // namespace vitrine::emu::timing
