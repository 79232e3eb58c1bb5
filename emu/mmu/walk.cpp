// The page walker: SDM "Paging" and "Extended Page-Table Mechanism" as one loop over levels.
#include "emu/mmu/walk.h"

#include <cstring>

#include "emu/arch/ept.h"
#include "emu/arch/registers.h"

namespace vitrine::emu {

namespace {

using arch::cr0::pg;
using arch::cr0::wp;

constexpr uint64_t kPresent = 1;
constexpr uint64_t kWritable = 2;
constexpr uint64_t kUser = 4;
constexpr uint64_t kAccessed = 0x20;
constexpr uint64_t kDirty = 0x40;
constexpr uint64_t kLarge = 0x80;
constexpr uint64_t kGlobal = 0x100;
constexpr uint64_t kNoExecute = uint64_t{1} << 63;

/// Reads one table entry of 4 or 8 bytes and marks its line; entries outside RAM read as ones.
uint64_t read_entry(Bus& bus, Hpa at, unsigned size, bool peek) {
  const BusRange& range = bus.find(at);
  if (range.kind != BusRange::Kind::ram && range.kind != BusRange::Kind::rom) {
    return size == 4 ? 0xFFFFFFFF : ~uint64_t{0};
  }
  const uint64_t offset = range.ram_offset + (at - range.start);
  if (!peek && (bus.memory().line_marks(offset) & mark::translation) == 0) {
    bus.memory().mark_lines(offset, size, mark::translation);
  }
  uint64_t entry = 0;
  std::memcpy(&entry, bus.memory().host(offset), size);
  return entry;
}

/// Sets A or D bits of an entry. The derived translations stay valid, so the line's translation mark is
/// not honoured; code and watch marks are.
void set_entry_bits(Bus& bus, Hpa at, unsigned size, uint64_t entry, uint64_t bits) {
  const BusRange& range = bus.find(at);
  if (range.kind != BusRange::Kind::ram) return;
  const uint64_t value = entry | bits;
  bus.memory().write_keeping_translations(range.ram_offset + (at - range.start),
                                          std::as_bytes(std::span{&value, 1}).first(size));
}

constexpr uint64_t physical_mask(const PagingContext& c) {
  return (uint64_t{1} << c.physical_bits) - 1;
}

Fault page_fault(AccessRequest request, bool present, bool reserved, const PagingContext& c) {
  uint32_t code = present ? arch::pf::present : 0;
  if (request.write) code |= arch::pf::write;
  if (request.user) code |= arch::pf::user;
  if (reserved) code |= arch::pf::reserved;
  const bool nx_or_smep = ((c.cr4 & arch::cr4::pae) != 0 && (c.efer & arch::efer::nxe) != 0) ||
                          (c.cr4 & arch::cr4::smep) != 0;
  if (request.fetch && nx_or_smep) code |= arch::pf::fetch;
  return fault(arch::Vector::page_fault, code);
}

/// How the tables of one paging mode are shaped.
struct Shape {
  int levels;            // of tables walked from memory
  unsigned entry_size;   // bytes
  unsigned index_bits;
};

Shape shape_of(const PagingContext& c) {
  if ((c.efer & arch::efer::lma) != 0) return {4, 8, 9};
  if ((c.cr4 & arch::cr4::pae) != 0) return {2, 8, 9};
  return {2, 4, 10};
}

/// Bits that must be 0 in an entry at `level` (1 = PT); `leaf` when it maps a page.
uint64_t reserved_bits(const PagingContext& c, const Shape& shape, int level, bool leaf) {
  if (shape.entry_size == 4) {
    // 4-MiB pages with PSE-36: bit 21 reserved, 20:13 are address bits 39:32.
    return leaf && level == 2 ? uint64_t{1} << 21 : 0;
  }
  uint64_t reserved = ~physical_mask(c) & 0x000FFFFFFFFFF000;
  if ((c.efer & arch::efer::nxe) == 0) reserved |= kNoExecute;
  if (shape.levels == 2) reserved |= uint64_t{0x7FF} << 52;  // PAE: 62:52 reserved
  if (leaf && level == 2) reserved |= 0x001FE000;
  if (leaf && level == 3) reserved |= 0x3FFFE000;
  if (level == 4) reserved |= kLarge;
  return reserved;
}

bool large_page(const PagingContext& c, const Shape& shape, int level, uint64_t entry) {
  if ((entry & kLarge) == 0) return false;
  if (level == 2) {
    return shape.entry_size == 8 || (c.cr4 & arch::cr4::pse) != 0;
  }
  return level == 3 && c.gigabyte_pages;
}

/// SDM "EPT Misconfigurations".
bool misconfigured(const PagingContext& c, uint64_t entry, int level, bool leaf) {
  namespace ept = arch::ept;
  if ((entry & ept::write) != 0 && (entry & ept::read) == 0) return true;
  uint64_t reserved = ~physical_mask(c) & 0x000FFFFFFFFFF000;
  if (leaf) {
    if (level == 2) reserved |= 0x001FF000;
    if (level == 3) reserved |= 0x3FFFF000;
    const uint64_t type = (entry >> ept::type_shift) & 7;
    if (type == 2 || type == 3 || type == 7) return true;
  } else {
    reserved |= level == 4 ? 0xF8 : 0x78;
  }
  return (entry & reserved) != 0;
}

struct Rights {
  bool writable = true;
  bool user = true;
  bool no_execute = false;
};

bool allowed(const PagingContext& c, const Rights& rights, AccessRequest r) {
  if (r.user) {
    if (!rights.user) return false;
    if (r.write && !rights.writable) return false;
    if (r.fetch && rights.no_execute) return false;
    return true;
  }
  if (r.fetch) {
    if (rights.no_execute) return false;
    return !(rights.user && (c.cr4 & arch::cr4::smep) != 0);
  }
  if (rights.user && (c.cr4 & arch::cr4::smap) != 0 && !r.smap_suspended) return false;
  return !(r.write && !rights.writable && (c.cr0 & wp) != 0);
}

}  // namespace

Result<Translation, Fault> walk_ept(Bus& bus, const PagingContext& c, Gpa gpa,
                                    AccessRequest request, EptFault* ept_fault, WalkTrace* trace,
                                    uint8_t for_level) {
  if (c.eptp == 0) return Translation{Hpa{gpa.value}, gpa, uint64_t{1} << 30, true};
  namespace ept = arch::ept;
  const bool use_ad = arch::Eptp{c.eptp}.accessed_dirty();
  const auto violation = [&](uint64_t rights_seen, uint64_t entry) {
    uint64_t q = (request.fetch ? 4 : request.write ? 2 : 1) | (rights_seen & 7) << 3;
    if (c.ept_execute_for_user && (rights_seen & ept::execute_user) != 0) q |= 1u << 6;
    if (ept_fault != nullptr) {
      ept_fault->gpa = gpa;
      ept_fault->gva_valid = false;
      ept_fault->qualification = q;
      ept_fault->convertible = (entry & ept::suppress_ve) == 0;
    }
    return Err{Fault{Fault::Kind::ept_violation}};
  };
  const auto misconfiguration = [&] {
    if (ept_fault != nullptr) {
      ept_fault->gpa = gpa;
      ept_fault->gva_valid = false;
      ept_fault->qualification = 0;
    }
    return Err{Fault{Fault::Kind::ept_misconfiguration}};
  };
  if ((gpa.value >> 48) != 0) return violation(0, ept::suppress_ve);

  std::array<Hpa, 5> entry_at{};
  std::array<uint64_t, 5> entries{};
  uint64_t rights = 7 | ept::execute_user;
  Hpa table{c.eptp & physical_mask(c) & ~kPageMask};
  int level = 4;
  for (;; --level) {
    const unsigned shift = 12 + 9 * static_cast<unsigned>(level - 1);
    entry_at[static_cast<size_t>(level)] = table + ((gpa.value >> shift) & 511) * 8;
    const uint64_t entry = read_entry(bus, entry_at[static_cast<size_t>(level)], 8, request.peek);
    if (trace != nullptr) {
      trace->add({entry_at[static_cast<size_t>(level)], gpa, for_level, static_cast<uint8_t>(level)});
    }
    entries[static_cast<size_t>(level)] = entry;
    const uint64_t present_mask = c.ept_execute_for_user ? 7 | ept::execute_user : 7;
    if ((entry & present_mask) == 0) return violation(0, entry);
    const bool leaf = level == 1 || ((level == 2 || level == 3) && (entry & ept::large) != 0);
    if (misconfigured(c, entry, level, leaf)) return misconfiguration();
    rights &= entry;
    if (leaf) break;
    table = Hpa{entry & physical_mask(c) & ~kPageMask};
  }
  const uint64_t execute_bit =
      c.ept_execute_for_user && request.user ? ept::execute_user : ept::execute;
  const uint64_t needed = (request.fetch ? execute_bit : ept::read) |
                          (request.write ? ept::write : 0);
  const uint64_t leaf = entries[static_cast<size_t>(level)];
  if ((rights & needed) != needed) return violation(rights, leaf);
  const bool logged = use_ad && request.write && !request.peek && c.page_log != nullptr &&
                      (leaf & ept::dirty) == 0;
  if (logged && c.page_log->page_log_full()) {
    if (ept_fault != nullptr) {
      ept_fault->gpa = gpa;
      ept_fault->gva_valid = false;
    }
    return Err{Fault{Fault::Kind::page_log_full}};
  }

  const uint64_t size = uint64_t{1} << (12 + 9 * (level - 1));
  bool dirty = true;
  if (use_ad) {
    for (int l = 4; l >= level; --l) {
      const auto at = static_cast<size_t>(l);
      uint64_t bits = ept::accessed;
      if (l == level && request.write) bits |= ept::dirty;
      if (!request.peek && (entries[at] & bits) != bits) {
        set_entry_bits(bus, entry_at[at], 8, entries[at], bits);
        entries[at] |= bits;
      }
    }
    dirty = (entries[static_cast<size_t>(level)] & ept::dirty) != 0;
    if (logged) c.page_log->log_page(gpa & ~kPageMask);
  }
  const uint64_t base = entries[static_cast<size_t>(level)] & physical_mask(c) & ~(size - 1);
  return Translation{Hpa{base | (gpa.value & (size - 1))}, gpa, size,
                     dirty && (rights & ept::write) != 0};
}

Result<Translation, Fault> walk(Bus& bus, const PagingContext& c, Gva gva, AccessRequest request,
                                EptFault* ept_fault, WalkTrace* trace) {
  const auto finish = [&](Gpa gpa, uint64_t size, bool dirty,
                          bool user_address) -> Result<Translation, Fault> {
    if (c.eptp == 0) return Translation{Hpa{gpa.value}, gpa, size, dirty};
    AccessRequest access = request;
    access.user = user_address;
    const auto t = walk_ept(bus, c, gpa, access, ept_fault, trace);
    if (!t) {
      if (ept_fault != nullptr) {
        ept_fault->gva = gva;
        ept_fault->gva_valid = true;
        ept_fault->qualification |= 3u << 7;  // linear address valid; the translation's own access
      }
      return Err{t.error()};
    }
    return Translation{t->hpa, gpa, size < t->page_size ? size : t->page_size, dirty && t->dirty};
  };
  // SDM "EPT Violations": without paging every linear address is a user-mode one.
  if ((c.cr0 & pg) == 0) return finish(Gpa{gva.value}, uint64_t{1} << 30, true, true);

  // Guest table accesses go through EPT as reads, or as writes when EPT keeps A/D bits.
  const bool tables_written = c.eptp != 0 && arch::Eptp{c.eptp}.accessed_dirty();
  const auto locate = [&](Gpa entry, bool write, int level) -> Result<Hpa, Fault> {
    if (c.eptp == 0) return Hpa{entry.value};
    const AccessRequest access{.write = write || tables_written, .peek = request.peek};
    const auto t = walk_ept(bus, c, entry, access, ept_fault, trace, static_cast<uint8_t>(level));
    if (!t) {
      if (ept_fault != nullptr) {
        ept_fault->gva = gva;
        ept_fault->gva_valid = true;
        ept_fault->qualification |= 1u << 7;
        // With EPT A/D bits a paging-structure access counts as both read and write.
        if (tables_written) ept_fault->qualification |= 3;
      }
      return Err{t.error()};
    }
    return t->hpa;
  };

  const Shape shape = shape_of(c);
  Rights rights;
  Gpa table{c.cr3 & physical_mask(c) & (shape.levels == 4 ? ~kPageMask : ~uint64_t{0xFFF})};
  if (shape.levels == 2 && shape.entry_size == 8) {
    const uint64_t pdpte = c.pdpte[(gva.value >> 30) & 3];
    if ((pdpte & kPresent) == 0) return Err{page_fault(request, false, false, c)};
    table = Gpa{pdpte & physical_mask(c) & ~kPageMask};
  }

  std::array<Hpa, 5> entry_at{};
  std::array<Gpa, 5> entry_gpa{};
  std::array<uint64_t, 5> entries{};
  int level = shape.levels;
  uint64_t page_size = 0;
  uint64_t page_base = 0;
  for (;; --level) {
    const auto at = static_cast<size_t>(level);
    const unsigned shift = 12 + shape.index_bits * static_cast<unsigned>(level - 1);
    const uint64_t slot = (gva.value >> shift) & ((uint64_t{1} << shape.index_bits) - 1);
    entry_gpa[at] = table + slot * shape.entry_size;
    const auto located = locate(entry_gpa[at], false, level);
    if (!located) return Err{located.error()};
    entry_at[at] = *located;
    const uint64_t entry = read_entry(bus, entry_at[at], shape.entry_size, request.peek);
    entries[at] = entry;
    if (trace != nullptr) {
      trace->add({entry_at[at], entry_gpa[at], static_cast<uint8_t>(level), 0});
    }
    if ((entry & kPresent) == 0) return Err{page_fault(request, false, false, c)};
    const bool leaf = level == 1 || large_page(c, shape, level, entry);
    uint64_t reserved = reserved_bits(c, shape, level, leaf);
    if (level == 3 && !c.gigabyte_pages) reserved |= kLarge;
    if ((entry & reserved) != 0) return Err{page_fault(request, true, true, c)};
    rights.writable = rights.writable && (entry & kWritable) != 0;
    rights.user = rights.user && (entry & kUser) != 0;
    if (shape.entry_size == 8) rights.no_execute = rights.no_execute || (entry & kNoExecute) != 0;
    if (leaf) {
      page_size = uint64_t{1} << shift;
      page_base = entry & physical_mask(c) & ~(page_size - 1) & 0x000FFFFFFFFFFFFF;
      if (shape.entry_size == 4 && level == 2) {
        page_base = (entry & 0xFFC00000) | ((entry >> 13) & 0xFF) << 32;
        page_base &= physical_mask(c);
      }
      break;
    }
    table = Gpa{entry & physical_mask(c) & ~kPageMask};
    if (shape.entry_size == 4) table = Gpa{entry & 0xFFFFF000};
  }
  if (!allowed(c, rights, request)) return Err{page_fault(request, true, false, c)};

  const auto leaf_at = static_cast<size_t>(level);
  if (trace != nullptr) {
    trace->leaf_level = static_cast<uint8_t>(level);
    trace->global = (entries[leaf_at] & kGlobal) != 0;
  }
  if (!request.peek) {
    for (int l = shape.levels; l >= level; --l) {
      const auto at = static_cast<size_t>(l);
      uint64_t bits = kAccessed;
      if (l == level && request.write) bits |= kDirty;
      if ((entries[at] & bits) == bits) continue;
      const auto writable = locate(entry_gpa[at], true, l);
      if (!writable) return Err{writable.error()};
      set_entry_bits(bus, *writable, shape.entry_size, entries[at], bits);
      entries[at] |= bits;
    }
  }
  // A write translation may be cached when a write needs nothing more from the tables.
  const bool dirty = (entries[leaf_at] & kDirty) != 0;
  return finish(Gpa{page_base | (gva.value & (page_size - 1))}, page_size, dirty, rights.user);
}

Result<std::array<uint64_t, 4>, Fault> load_pdptes(Bus& bus, const PagingContext& c,
                                                   EptFault* ept_fault) {
  std::array<uint64_t, 4> pdptes{};
  const Gpa table{c.cr3 & 0xFFFFFFE0};
  const auto located = walk_ept(bus, c, table, AccessRequest{}, ept_fault);
  if (!located) return Err{located.error()};
  bus.read_block(located->hpa, std::as_writable_bytes(std::span{pdptes}));
  const uint64_t reserved = (~physical_mask(c) & ~uint64_t{0xFFF}) | 0x1E6;
  for (const uint64_t pdpte : pdptes) {
    if ((pdpte & kPresent) != 0 && (pdpte & reserved) != 0) return Err{kGeneralProtection0};
  }
  return pdptes;
}

}  // namespace vitrine::emu
