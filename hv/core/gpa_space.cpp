// The guest-physical space of a partition.
#include "hv/core/gpa_space.h"

#include "hv/core/hypervisor.h"
#include "hv/core/require.h"
#include "hv/tlfs/synic.h"

namespace vitrine::hv {
namespace {

constexpr unsigned kLevels = 4;
constexpr unsigned kIndexBits = 9;
constexpr std::uint64_t kEntries = 512;

using Table = std::uint64_t*;

constexpr std::uint64_t index_at(std::uint64_t gpa_page, unsigned level) {
  return gpa_page >> (level * kIndexBits) & (kEntries - 1);
}

PageRecord& table_record(const Hypervisor& hv, std::uint64_t table) {
  return hv.record(table >> tlfs::kPageShift);
}

// Tables on the way to a page, the leaf table first; `depth` of them exist, counted from the top.
struct Path {
  std::uint64_t tables[kLevels]{};
  unsigned missing = kLevels;
};

Path find_path(const Hypervisor& hv, const Partition& child, std::uint64_t gpa_page) {
  Path path;
  std::uint64_t table = child.gpa_root;
  for (unsigned level = kLevels; level-- > 0;) {
    if (table == 0) break;
    path.tables[level] = table;
    path.missing = level;
    table = hv.at<std::uint64_t>(table)[index_at(gpa_page, level)];
  }
  return path;
}

// A table's page record counts its used entries in `mappings`.
void set_entry(const Hypervisor& hv, std::uint64_t table, std::uint64_t index,
               std::uint64_t value) {
  std::uint64_t& entry = hv.at<std::uint64_t>(table)[index];
  PageRecord& record = table_record(hv, table);
  if (entry == 0 && value != 0) ++record.mappings;
  if (entry != 0 && value == 0) --record.mappings;
  entry = value;
}

// Gives back the tables on the path that have become empty; the top one stays.
void prune(Hypervisor& hv, Partition& child, const Path& path, std::uint64_t gpa_page) {
  for (unsigned level = 0; level + 1 < kLevels; ++level) {
    if (table_record(hv, path.tables[level]).mappings != 0) return;
    set_entry(hv, path.tables[level + 1], index_at(gpa_page, level + 1), 0);
    give_page(hv, child, path.tables[level]);
  }
}

void add_tables(Hypervisor& hv, Partition& child, Path& path, std::uint64_t gpa_page) {
  for (unsigned level = path.missing; level-- > 0;) {
    path.tables[level] = take_page(hv, child, PageUse::gpa_map);
    set_entry(hv, path.tables[level + 1], index_at(gpa_page, level + 1), path.tables[level]);
  }
  path.missing = 0;
}

Rights effective(GpaEntry entry) { return entry.deposited() ? Rights::none : entry.rights(); }

// What the processor is to see at a page of a child: the overlay if there is one, else the mapping.
bool show(Hypervisor& hv, Partition& child, std::uint64_t gpa_page, GpaEntry entry) {
  if (overlay_at(hv, child, gpa_page) != 0) return true;
  const Platform& platform = *hv.platform;
  return platform.map_page(platform.context, child, gpa_page, entry.page(), effective(entry));
}

void hide(Hypervisor& hv, Partition& child, std::uint64_t gpa_page) {
  if (overlay_at(hv, child, gpa_page) != 0) return;
  const Platform& platform = *hv.platform;
  platform.unmap_page(platform.context, child, gpa_page);
  mark_stale(hv, child);
}

void clear_entry(Hypervisor& hv, Partition& child, const Path& path, std::uint64_t gpa_page) {
  const std::uint64_t index = index_at(gpa_page, 0);
  const GpaEntry entry{hv.at<std::uint64_t>(path.tables[0])[index]};
  require(!entry.deposited(), "a deposited page keeps its mapping");
  --hv.record(entry.page()).mappings;
  set_entry(hv, path.tables[0], index, 0);
  --child.mapping_count;
  hide(hv, child, gpa_page);
  prune(hv, child, path, gpa_page);
}

// The first used entry of the subtree at or after `from`, as a page number; false if there is none.
bool find_next(const Hypervisor& hv, std::uint64_t table, unsigned level, std::uint64_t base,
               std::uint64_t& from) {
  const std::uint64_t span = std::uint64_t{1} << (level * kIndexBits);
  std::uint64_t index = from > base ? (from - base) / span : 0;
  for (; index < kEntries; ++index) {
    const std::uint64_t entry = hv.at<std::uint64_t>(table)[index];
    if (entry == 0) continue;
    const std::uint64_t start = base + index * span;
    std::uint64_t at = from > start ? from : start;
    if (level == 0 || find_next(hv, entry, level - 1, start, at)) {
      from = at;
      return true;
    }
  }
  return false;
}

}  // namespace

GpaEntry lookup(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa_page) {
  if (partition.parent == 0) {
    if (gpa_page >= hv.page_count) return {};
    const PageRecord& record = hv.record(gpa_page);
    if (record.use != PageUse::ram) return {};
    return GpaEntry::make(gpa_page, record.root_rights);
  }
  if (gpa_page >= kGpaPages) return {};
  const Path path = find_path(hv, partition, gpa_page);
  if (path.missing != 0) return {};
  return {hv.at<std::uint64_t>(path.tables[0])[index_at(gpa_page, 0)]};
}

std::uint64_t reach(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa,
                    Rights rights) {
  const GpaEntry entry = lookup(hv, partition, gpa >> tlfs::kPageShift);
  if (!entry.mapped() || !includes(effective(entry), rights)) return 0;
  return (entry.page() << tlfs::kPageShift) | (gpa & (tlfs::kPageSize - 1));
}

Status map_page(Hypervisor& hv, Partition& child, std::uint64_t gpa_page, std::uint64_t page,
                Rights rights) {
  Path path = find_path(hv, child, gpa_page);
  if (child.pool.available < path.missing) return Status::insufficient_memory;
  add_tables(hv, child, path, gpa_page);
  const std::uint64_t index = index_at(gpa_page, 0);
  const GpaEntry before{hv.at<std::uint64_t>(path.tables[0])[index]};
  const GpaEntry entry = GpaEntry::make(page, rights);
  if (!show(hv, child, gpa_page, entry)) {
    prune(hv, child, path, gpa_page);
    return Status::insufficient_memory;
  }
  if (before.mapped()) {
    --hv.record(before.page()).mappings;
    mark_stale(hv, child);
  } else {
    ++child.mapping_count;
  }
  ++hv.record(page).mappings;
  set_entry(hv, path.tables[0], index, entry.word);
  return Status::success;
}

bool unmap_page(Hypervisor& hv, Partition& child, std::uint64_t gpa_page) {
  if (!lookup(hv, child, gpa_page).mapped()) return false;
  clear_entry(hv, child, find_path(hv, child, gpa_page), gpa_page);
  return true;
}

void mark_deposited(Hypervisor& hv, Partition& child, std::uint64_t gpa_page, bool deposited) {
  const Path path = find_path(hv, child, gpa_page);
  require(path.missing == 0, "a deposited page is mapped in its depositor");
  std::uint64_t& word = hv.at<std::uint64_t>(path.tables[0])[index_at(gpa_page, 0)];
  const GpaEntry entry{word};
  word = GpaEntry::make(entry.page(), entry.rights(), deposited).word;
  const bool shown = show(hv, child, gpa_page, {word});
  require(shown, "a mapped page needs no new table");
  if (deposited) mark_stale(hv, child);
}

bool unmap_next(Hypervisor& hv, Partition& child, std::uint64_t& from) {
  if (child.gpa_root == 0 || !find_next(hv, child.gpa_root, kLevels - 1, 0, from)) return false;
  const std::uint64_t gpa_page = from;
  clear_entry(hv, child, find_path(hv, child, gpa_page), gpa_page);
  from = gpa_page + 1;
  return true;
}

void mark_stale(Hypervisor& hv, Partition& partition) {
  const std::uint64_t address = hv.address_of(&partition);
  for (std::uint64_t& slot : hv.stale) {
    if (slot == address) return;
    if (slot != 0) continue;
    slot = address;
    return;
  }
  require(false, "one attempt narrows at most four partitions");
}

void flush_stale(Hypervisor& hv) {
  const Platform& platform = *hv.platform;
  for (std::uint64_t& slot : hv.stale) {
    if (slot != 0) platform.flush_translations(platform.context, *hv.at<Partition>(slot));
    slot = 0;
  }
}

void release_gpa_root(Hypervisor& hv, Partition& child) {
  if (child.gpa_root == 0) return;
  require(child.mapping_count == 0, "the top table goes last");
  give_page(hv, child, child.gpa_root);
  child.gpa_root = 0;
}

bool place_overlay(Hypervisor& hv, Partition& partition, std::uint64_t gpa_page, std::uint64_t page,
                   Rights rights) {
  const Platform& platform = *hv.platform;
  if (!platform.map_page(platform.context, partition, gpa_page, page, rights)) return false;
  mark_stale(hv, partition);
  return true;
}

void remove_overlay(Hypervisor& hv, Partition& partition, std::uint64_t gpa_page) {
  const Platform& platform = *hv.platform;
  mark_stale(hv, partition);
  // Decided: of several overlays at one page, any that is left shows.
  if (const std::uint64_t other = overlay_at(hv, partition, gpa_page); other != 0) {
    const bool shown = platform.map_page(platform.context, partition, gpa_page, other, Rights::all);
    require(shown, "a mapped page needs no new table");
    return;
  }
  const GpaEntry entry = lookup(hv, partition, gpa_page);
  if (partition.parent == 0) {
    const bool in_pool = gpa_page < hv.page_count && hv.record(gpa_page).use > PageUse::ram;
    if (in_pool) {
      const bool hidden =
          platform.map_page(platform.context, partition, gpa_page, gpa_page, Rights::none);
      require(hidden, "a mapped page needs no new table");
      return;
    }
    platform.restore_root_page(platform.context, gpa_page, entry.mapped(), entry.rights());
  } else if (entry.mapped()) {
    const bool shown =
        platform.map_page(platform.context, partition, gpa_page, entry.page(), effective(entry));
    require(shown, "a mapped page needs no new table");
  } else {
    platform.unmap_page(platform.context, partition, gpa_page);
  }
}

std::uint64_t overlay_at(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa_page) {
  const auto stands = [gpa_page](std::uint64_t word) {
    const tlfs::PageRegister value{word};
    return value.enabled() && value.page() == gpa_page;
  };
  const auto page_of = [](std::uint64_t address) { return address >> tlfs::kPageShift; };
  if (partition.overlay_count == 0) return 0;
  if (stands(partition.hypercall)) return page_of(partition.overlay[0]);
  if (stands(partition.reference_tsc)) return page_of(partition.overlay[1]);
  for (const std::uint64_t address : partition.vps) {
    if (address == 0) continue;
    const VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
    const std::uint64_t words[kVpOverlays] = {vp.synic.simp, vp.synic.siefp, vp.vp_assist,
                                              vp.synic.sirbp};
    for (std::uint32_t i = 0; i < kVpOverlays; ++i) {
      if (stands(words[i])) return page_of(vp.overlay[i]);
    }
  }
  return 0;
}

}  // namespace vitrine::hv
