// TranslationModel: tags of translations, walks shortened by what is known, and the SDM's scopes.
#include "emu/cpu/timing/translation_model.h"

#include <utility>

namespace vitrine::emu::timing {

namespace {

// Tag::owner: PCID 11:0, VPID 27:12, EPT frame 62:28, global 63.
constexpr unsigned kVpidShift = 12, kEptShift = 28;
constexpr uint64_t kPcidMask = 0xFFF;
constexpr uint64_t kVpidMask = uint64_t{0xFFFF} << kVpidShift;
constexpr uint64_t kEptMask = ((uint64_t{1} << 35) - 1) << kEptShift;
constexpr uint64_t kGlobalOwner = uint64_t{1} << 63;
// Tag::page: what it is in 63:60, its number below.
constexpr unsigned kKindShift = 60, kNestedLevelShift = 56;
constexpr uint64_t kPageKind = 8, kUpperKind = 12, kNestedKind = 15;

constexpr unsigned shift_of(unsigned size) { return 12 + 9 * size; }

}  // namespace

TranslationModel::TranslationModel(const CoreParameters& core)
    : data_small_(core.dtlb_4k_sets, core.dtlb_4k_ways),
      data_large_(core.dtlb_2m_sets, core.dtlb_2m_ways),
      data_huge_(1, core.dtlb_1g_ways),
      code_small_(core.itlb_4k_sets, core.itlb_4k_ways),
      code_large_(1, core.itlb_2m_ways),
      second_(core.stlb_sets, core.stlb_ways),
      second_huge_(1, core.stlb_1g_ways),
      upper_{Tags{1, core.pde_entries}, Tags{1, core.pdpte_entries}, Tags{1, core.pml4e_entries}},
      nested_(1, core.nested_pde_entries) {}

uint64_t TranslationModel::owner_of(const AddressSpace& space, bool global) {
  const uint64_t shared = (space.ept >> 12 << kEptShift & kEptMask) |
                          uint64_t{space.vpid} << kVpidShift;
  return global ? shared | kGlobalOwner : shared | (space.pcid & kPcidMask);
}

TranslationModel::Tag TranslationModel::tag_of(Gva gva, Size size, uint64_t owner) {
  const uint64_t number = gva.value << 12 >> 12 >> shift_of(size);
  return {number | (kPageKind + size) << kKindShift, owner};
}

/// Entry of `level` (2 to 4): it covers what a page of the level below the next would.
TranslationModel::Tag TranslationModel::upper_tag(Gva gva, unsigned level,
                                                  const AddressSpace& space) {
  const uint64_t number = gva.value << 12 >> 12 >> shift_of(level - 1);
  return {number | (kUpperKind + level - 2) << kKindShift, owner_of(space, false)};
}

TranslationModel::Tag TranslationModel::nested_tag(Gpa gpa, unsigned level,
                                                   const AddressSpace& space) {
  const uint64_t number = gpa.value >> shift_of(level - 1);
  return {number | uint64_t{level} << kNestedLevelShift | kNestedKind << kKindShift,
          owner_of({0, 0, space.ept}, false)};
}

unsigned TranslationModel::nested_start(Gpa gpa, const AddressSpace& space) const {
  for (unsigned level = 2; level <= 4; ++level) {
    if (nested_.holds(0, nested_tag(gpa, level, space))) return level - 1;
  }
  return 4;
}

uint64_t TranslationModel::set_of(const Tags& tags, Gva gva, Size size) {
  return (gva.value << 16 >> 16 >> shift_of(size)) % tags.sets();
}

const TranslationModel::Tags& TranslationModel::first(Side side, Size size) const {
  if (side == Side::code) return size == small ? code_small_ : code_large_;
  return size == small ? data_small_ : size == large ? data_large_ : data_huge_;
}

TranslationModel::Hit TranslationModel::find(Side side, Gva gva, const AddressSpace& space) const {
  Hit best = Hit::none;
  for (const Size size : {small, large, huge}) {
    const Tags& near = first(side, size);
    const Tags& far = second(size);
    for (const bool global : {false, true}) {
      const Tag tag = tag_of(gva, size, owner_of(space, global));
      if (near.holds(set_of(near, gva, size), tag)) return Hit::first;
      if (far.holds(set_of(far, gva, size), tag)) best = Hit::second;
    }
  }
  return best;
}

void TranslationModel::touch(Side side, Gva gva, const AddressSpace& space) {
  for (const Size size : {small, large, huge}) {
    Tags& near = first(side, size);
    Tags& far = second(size);
    for (const bool global : {false, true}) {
      const Tag tag = tag_of(gva, size, owner_of(space, global));
      const bool here = near.holds(set_of(near, gva, size), tag);
      if (!here && !far.holds(set_of(far, gva, size), tag)) continue;
      near.touch(set_of(near, gva, size), tag);
      if (!here) far.touch(set_of(far, gva, size), tag);
      return;
    }
  }
}

void TranslationModel::fill(Side side, Gva gva, const AddressSpace& space, uint64_t page_size,
                            bool global) {
  const Size size = page_size >= uint64_t{1} << 30   ? huge
                    : page_size >= uint64_t{1} << 21 ? large
                                                     : small;
  const Tag tag = tag_of(gva, size, owner_of(space, global));
  Tags& near = first(side, size);
  near.touch(set_of(near, gva, size), tag);
  Tags& far = second(size);
  far.touch(set_of(far, gva, size), tag);
}

unsigned TranslationModel::start_level(Gva gva, const AddressSpace& space) const {
  for (unsigned level = 2; level <= 4; ++level) {
    if (upper_[level - 2].holds(0, upper_tag(gva, level, space))) return level - 1;
  }
  return 4;
}

TranslationModel::Loads TranslationModel::needed(const WalkTrace& walk, Gva gva,
                                                 const AddressSpace& space) const {
  Loads out;
  const unsigned start = std::max<unsigned>(start_level(gva, space), walk.leaf_level);
  for (size_t i = 0; i < walk.count; ++i) {
    const auto& load = walk.loads[i];
    if (load.level > start) continue;
    // A table's address is known when the entry above it is; the page's own never is.
    const bool table_known = load.level == start && start != 4 && load.level != 0;
    if (load.ept_level != 0 && table_known) continue;
    if (load.ept_level > nested_start(load.gpa, space)) continue;
    out.entries[out.count++] = load.entry;
  }
  return out;
}

void TranslationModel::learn(const WalkTrace& walk, Gva gva, const AddressSpace& space) {
  for (size_t i = 0; i < walk.count; ++i) {
    const auto& load = walk.loads[i];
    if (load.ept_level != 0) {
      const bool leaf = i + 1 == walk.count || walk.loads[i + 1].ept_level + 1 != load.ept_level;
      if (!leaf) nested_.touch(0, nested_tag(load.gpa, load.ept_level, space));
    } else if (load.ept_level == 0 && load.level > walk.leaf_level && load.level >= 2) {
      upper_[load.level - 2u].touch(0, upper_tag(gva, load.level, space));
    }
  }
}

template <class Unwanted>
void TranslationModel::drop_if(Unwanted unwanted) {
  for (Tags* tags : {&data_small_, &data_large_, &data_huge_, &code_small_, &code_large_, &second_,
                     &second_huge_, &upper_[0], &upper_[1], &upper_[2], &nested_}) {
    tags->drop_if(unwanted);
  }
}

void TranslationModel::invalidate(const Invalidation& what) {
  using Scope = Invalidation::Scope;
  const auto kind = [](const Tag& tag) { return tag.page >> kKindShift; };
  const auto of_guest = [&](const Tag& tag) { return tag.page != 0 && kind(tag) != kNestedKind; };
  const auto of_vpid = [&](const Tag& tag) {
    const uint64_t vpid = (tag.owner & kVpidMask) >> kVpidShift;
    return of_guest(tag) && vpid == what.space.vpid;
  };
  const auto global = [](const Tag& tag) { return (tag.owner & kGlobalOwner) != 0; };
  const auto of_pcid = [&](const Tag& tag) {
    return of_vpid(tag) && !global(tag) && (tag.owner & kPcidMask) == what.space.pcid;
  };
  // The upper levels of a PCID go as a whole; of pages, those that contain the address.
  const auto covers = [&](const Tag& tag) {
    if (kind(tag) >= kUpperKind) return true;
    const auto size = static_cast<unsigned>(kind(tag) - kPageKind);
    return (tag.page & ~(~uint64_t{0} << kKindShift)) ==
           (what.address.value << 12 >> 12 >> shift_of(size));
  };
  switch (what.scope) {
    case Scope::everything: drop_if(of_vpid); break;
    case Scope::address:
      drop_if([&](const Tag& t) { return (of_pcid(t) || (of_vpid(t) && global(t))) && covers(t); });
      break;
    case Scope::pcid_address:
      drop_if([&](const Tag& t) { return of_pcid(t) && covers(t); });
      break;
    case Scope::one_pcid: drop_if(of_pcid); break;
    case Scope::all_but_global:
      drop_if([&](const Tag& t) { return of_vpid(t) && !global(t); });
      break;
    case Scope::vpid_address:
      drop_if([&](const Tag& t) { return of_vpid(t) && covers(t); });
      break;
    case Scope::ept: {
      const uint64_t ept = what.space.ept >> 12 << kEptShift & kEptMask;
      drop_if([&](const Tag& t) { return t.page != 0 && (t.owner & kEptMask) == ept; });
      break;
    }
    case Scope::all_ept:
      drop_if([](const Tag& t) { return (t.owner & kEptMask) != 0; });
      break;
    case Scope::all_vpids:
      drop_if([&](const Tag& t) { return of_guest(t) && (t.owner & kVpidMask) != 0; });
      break;
  }
}

void TranslationModel::visit(StateVisitor& v) {
  v.enter("translations");
  for (Tags* tags : {&data_small_, &data_large_, &data_huge_, &code_small_, &code_large_, &second_,
                     &second_huge_, &upper_[0], &upper_[1], &upper_[2], &nested_}) {
    tags->visit(v, "tags");
  }
  v.leave();
}

}  // namespace vitrine::emu::timing
