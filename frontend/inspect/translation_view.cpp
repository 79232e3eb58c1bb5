// TranslationView: the tables read level by level, by the formats of the SDM.
#include "frontend/inspect/translation_view.h"

#include <nlohmann/json.hpp>

#include <array>

#include "emu/arch/ept.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

namespace arch = emu::arch;

// SDM "Formats of Paging-Structure Entries".
constexpr uint64_t kPresent = 1;
constexpr uint64_t kLarge = 1u << 7;
constexpr uint64_t kFrame = 0x000FFFFFFFFFF000;
constexpr std::array<std::string_view, 4> kLevels = {"PML4E", "PDPTE", "PDE", "PTE"};
constexpr std::array<BitName, 7> kGuestBits = {{
    {1u << 1, "W"},
    {1u << 2, "U"},
    {1u << 3, "PWT"},
    {1u << 4, "PCD"},
    {1u << 5, "A"},
    {1u << 6, "D"},
    {uint64_t{1} << 63, "XD"},
}};
constexpr std::array<std::string_view, 8> kMemoryTypes = {"UC", "WC", "?",  "?",
                                                          "WT", "WP", "WB", "?"};

uint64_t read_entry(const emu::Bus& bus, uint64_t hpa, size_t size) {
  uint64_t value = 0;
  bus.read_block(emu::Hpa{hpa}, std::as_writable_bytes(std::span{&value, 1}).first(size));
  return value;
}

std::string guest_bits(uint64_t value, bool leaf) {
  if ((value & kPresent) == 0) return "not present";
  std::string out = "P";
  for (const BitName& bit : kGuestBits) {
    if ((value & bit.mask) != 0) out += " " + std::string(bit.name);
  }
  if (leaf && (value & 1u << 8) != 0) out += " G";
  return out;
}

std::string ept_bits(uint64_t value, bool leaf) {
  if ((value & arch::ept::rights) == 0) return "not present";
  std::string out;
  out += (value & arch::ept::read) != 0 ? "R" : "-";
  out += (value & arch::ept::write) != 0 ? "W" : "-";
  out += (value & arch::ept::execute) != 0 ? "X" : "-";
  if ((value & arch::ept::accessed) != 0) out += " A";
  if (!leaf) return out;
  if ((value & arch::ept::dirty) != 0) out += " D";
  out += " " + std::string(kMemoryTypes[static_cast<size_t>(arch::ept::entry_type(value))]);
  if ((value & arch::ept::ignore_pat) != 0) out += " IPAT";
  return out;
}

class Walker {
 public:
  Walker(const emu::Bus& bus, const emu::PagingContext& context) : bus_(bus), context_(context) {}

  EptWalkView reach(uint64_t gpa) const {
    EptWalkView view;
    view.gpa = gpa;
    if (context_.eptp == 0) {
      view.hpa = gpa;
      return view;
    }
    uint64_t table = arch::Eptp{context_.eptp}.table() & kFrame;
    for (size_t level = 0; level < kLevels.size(); ++level) {
      const unsigned shift = shift_of(level);
      const uint64_t at = table + 8 * ((gpa >> shift) & 0x1FF);
      const uint64_t value = read_entry(bus_, at, 8);
      const bool leaf = level == 3 || (level != 0 && (value & arch::ept::large) != 0);
      view.entries.push_back({kLevels[level], at, value, leaf, ept_bits(value, leaf)});
      if ((value & arch::ept::rights) == 0) return view;
      if (leaf) {
        view.hpa = page(value, gpa, shift);
        return view;
      }
      table = value & kFrame;
    }
    return view;
  }

  void walk(TranslationView& view) const {
    if ((context_.cr0 & arch::cr0::pg) == 0) {
      view.paging = "no paging";
      view.gpa = view.gva & 0xFFFFFFFF;
    } else if ((context_.efer & arch::efer::lma) != 0) {
      view.paging = "4-level";
      walk_wide(view, 0, context_.cr3 & kFrame);
    } else if ((context_.cr4 & arch::cr4::pae) != 0) {
      view.paging = "PAE";
      walk_pae(view);
    } else {
      view.paging = "32-bit";
      walk_narrow(view);
    }
    if (!view.gpa) return;
    view.last = reach(*view.gpa);
    view.hpa = view.last->hpa;
  }

 private:
  static unsigned shift_of(size_t level) { return 39 - 9 * static_cast<unsigned>(level); }
  static uint64_t page(uint64_t entry, uint64_t address, unsigned shift) {
    const uint64_t offset = (uint64_t{1} << shift) - 1;
    return (entry & kFrame & ~offset) | (address & offset);
  }

  /// Reads the entry at a guest-physical address; none where EPT ends.
  const TableEntryView* add(TranslationView& view, size_t level, uint64_t gpa, size_t size,
                            bool large_allowed) const {
    GuestLevelView& at = view.levels.emplace_back();
    at.where = reach(gpa);
    if (!at.where.hpa) return nullptr;
    const uint64_t value = read_entry(bus_, *at.where.hpa, size);
    const bool leaf = level == 3 || (large_allowed && (value & kLarge) != 0);
    at.entry = TableEntryView{kLevels[level], gpa, value, leaf, guest_bits(value, leaf)};
    return (value & kPresent) != 0 ? &*at.entry : nullptr;
  }

  void walk_wide(TranslationView& view, size_t first, uint64_t table) const {
    for (size_t level = first; level < kLevels.size(); ++level) {
      const unsigned shift = shift_of(level);
      const uint64_t gpa = table + 8 * ((view.gva >> shift) & 0x1FF);
      const auto* const entry = add(view, level, gpa, 8, level != 0);
      if (entry == nullptr) return;
      if (entry->leaf) {
        view.gpa = page(entry->value, view.gva, shift);
        return;
      }
      table = entry->value & kFrame;
    }
  }

  /// The four PDPTEs are registers (SDM "PDPTE Registers").
  void walk_pae(TranslationView& view) const {
    const uint64_t pdpte = context_.pdpte[(view.gva >> 30) & 3];
    GuestLevelView& top = view.levels.emplace_back();
    top.where.gpa = context_.cr3 & 0xFFFFFFE0;
    top.entry = TableEntryView{kLevels[1], top.where.gpa + 8 * ((view.gva >> 30) & 3), pdpte, false,
                               guest_bits(pdpte, false)};
    if ((pdpte & kPresent) != 0) walk_wide(view, 2, pdpte & kFrame);
  }

  void walk_narrow(TranslationView& view) const {
    const uint64_t directory = (context_.cr3 & 0xFFFFF000) + 4 * ((view.gva >> 22) & 0x3FF);
    const bool large_allowed = (context_.cr4 & arch::cr4::pse) != 0;
    const auto* const entry = add(view, 2, directory, 4, large_allowed);
    if (entry == nullptr) return;
    const uint64_t value = entry->value;
    if (entry->leaf) {
      // SDM "32-Bit Paging": bits 20:13 of a 4 MiB entry are bits 39:32 of the address.
      view.gpa = (value & 0xFFC00000) | ((value >> 13 & 0xFF) << 32) | (view.gva & 0x3FFFFF);
      return;
    }
    const uint64_t table = (value & 0xFFFFF000) + 4 * ((view.gva >> 12) & 0x3FF);
    const auto* const last = add(view, 3, table, 4, false);
    if (last != nullptr) view.gpa = (last->value & 0xFFFFF000) | (view.gva & 0xFFF);
  }

  const emu::Bus& bus_;
  const emu::PagingContext& context_;
};

std::string verdict_of(const emu::Cpu& cpu, uint64_t gva) {
  if (!emu::Cpu::canonical(gva)) return "not canonical: #GP(0)";
  const auto found = cpu.mmu.peek(emu::Gva{gva}, emu::AccessRequest{});
  if (!found) {
    const emu::Fault& fault = found.error();
    if (fault.kind == emu::Fault::Kind::ept_violation) return "a read is an EPT violation";
    if (fault.kind == emu::Fault::Kind::ept_misconfiguration) return "an EPT misconfiguration";
    return "a read faults with vector " + std::to_string(static_cast<unsigned>(fault.vector)) +
           ", error code " + hex(fault.error_code);
  }
  return "readable, at " + hex(found->hpa.value) + ", page of " + std::to_string(found->page_size) +
         " bytes";
}

void add_ept_rows(Columns& columns, const EptWalkView& walk) {
  for (const TableEntryView& entry : walk.entries) {
    columns.row({"", "", "", "", "EPT " + std::string(entry.level), hex(entry.address),
                 hex(entry.value, 16), entry.bits});
  }
}

nlohmann::ordered_json entry_json(const TableEntryView& entry) {
  return {{"level", entry.level},
          {"address", hex(entry.address)},
          {"value", hex(entry.value, 16)},
          {"leaf", entry.leaf},
          {"bits", entry.bits}};
}

nlohmann::ordered_json ept_json(const EptWalkView& walk) {
  nlohmann::ordered_json out;
  out["gpa"] = hex(walk.gpa);
  out["entries"] = nlohmann::ordered_json::array();
  for (const TableEntryView& entry : walk.entries) out["entries"].push_back(entry_json(entry));
  if (walk.hpa) out["hpa"] = hex(*walk.hpa);
  return out;
}

}  // namespace

TranslationView view_translation(const emu::Cpu& cpu, const emu::Bus& bus, uint64_t gva) {
  const emu::PagingContext& context = cpu.mmu.context();
  TranslationView view;
  view.processor = cpu.index();
  view.gva = gva;
  view.cr3 = context.cr3;
  view.eptp = context.eptp;
  Walker(bus, context).walk(view);
  view.verdict = verdict_of(cpu, gva);
  return view;
}

std::string text(const TranslationView& view) {
  std::string out = "linear " + hex(view.gva) + " on processor " + std::to_string(view.processor) +
                    ", " + std::string(view.paging) + ", CR3 " + hex(view.cr3);
  out += view.eptp != 0 ? ", EPTP " + hex(view.eptp) + "\n" : ", no EPT\n";
  Columns columns;
  for (const GuestLevelView& level : view.levels) {
    add_ept_rows(columns, level.where);
    if (level.entry) {
      const TableEntryView& e = *level.entry;
      columns.row({std::string(e.level), hex(e.address), hex(e.value, 16), e.bits,
                   level.where.hpa ? "at machine " + hex(*level.where.hpa) : "in a register"});
    } else {
      columns.row({"entry", hex(level.where.gpa), "EPT does not map it"});
    }
  }
  if (view.last) {
    columns.row({"page", hex(*view.gpa)});
    add_ept_rows(columns, *view.last);
  }
  out += columns.text("  ");
  if (view.hpa) out += "machine address " + hex(*view.hpa) + "\n";
  return out + view.verdict + "\n";
}

nlohmann::ordered_json json(const TranslationView& view) {
  nlohmann::ordered_json out;
  out["processor"] = view.processor;
  out["gva"] = hex(view.gva);
  out["paging"] = view.paging;
  out["cr3"] = hex(view.cr3);
  out["eptp"] = hex(view.eptp);
  out["levels"] = nlohmann::ordered_json::array();
  for (const GuestLevelView& level : view.levels) {
    nlohmann::ordered_json row;
    if (level.entry) row["entry"] = entry_json(*level.entry);
    row["where"] = ept_json(level.where);
    out["levels"].push_back(std::move(row));
  }
  if (view.gpa) out["gpa"] = hex(*view.gpa);
  if (view.last) out["page"] = ept_json(*view.last);
  if (view.hpa) out["hpa"] = hex(*view.hpa);
  out["verdict"] = view.verdict;
  return out;
}

}  // namespace vitrine::ui
