// TranslationView: the walk of one linear address, guest tables and EPT side by side.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emu/cpu/cpu.h"

namespace vitrine::ui {

/// One paging-structure entry as it was found.
struct TableEntryView {
  std::string_view level;  ///< PML4E, PDPTE, PDE, PTE
  uint64_t address = 0;  ///< of the entry: guest-physical in guest tables, machine-physical in EPT
  uint64_t value = 0;
  bool leaf = false;
  std::string bits;  ///< "P W U A D", or "not present"
};

/// From a guest-physical address to machine memory; without EPT the two are the same.
struct EptWalkView {
  uint64_t gpa = 0;
  std::vector<TableEntryView> entries;
  std::optional<uint64_t> hpa;
};

struct GuestLevelView {
  EptWalkView where;                    ///< how the entry itself was reached
  std::optional<TableEntryView> entry;  ///< none where EPT does not lead to it
};

struct TranslationView {
  uint32_t processor = 0;
  uint64_t gva = 0;
  std::string_view paging;  ///< "4-level", "PAE", "32-bit", "no paging"
  uint64_t cr3 = 0, eptp = 0;
  std::vector<GuestLevelView> levels;
  std::optional<uint64_t> gpa;
  std::optional<EptWalkView> last;  ///< of the page itself
  std::optional<uint64_t> hpa;
  /// What a supervisor read of the address gives by the walker that the processor uses.
  std::string verdict;
};

/// Reads tables and changes nothing: no A or D bit, no cached translation, no cycle.
TranslationView view_translation(const emu::Cpu& cpu, const emu::Bus& bus, uint64_t gva);
std::string text(const TranslationView& view);
nlohmann::ordered_json json(const TranslationView& view);

}  // namespace vitrine::ui
