// Symbols: names of addresses in the images of a run, from their own symbol tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emu/machine/boot/elf_file.h"

namespace vitrine::ui {

/// One image's functions and objects, by address and by name.
class SymbolTable {
 public:
  SymbolTable() = default;
  explicit SymbolTable(const emu::ElfFile& elf);

  struct Symbol {
    std::string name;      ///< demangled: "vitrine::hv::finalize_step(…)" without its parameters
    std::string mangled;
    uint64_t address = 0;
    uint64_t size = 0;
    bool function = false;
  };

  bool empty() const { return symbols_.empty(); }
  /// The symbol that covers `address`; a symbol of size 0 covers up to the next one.
  const Symbol* find(uint64_t address) const;
  /// By full name, or by its last part ("finalize_step"); none when unknown or ambiguous.
  const Symbol* named(std::string_view name) const;
  /// "finalize_step+0x1c", or the address in hexadecimal.
  std::string describe(uint64_t address) const;
  /// Last parts of all function names, for completion and error messages.
  std::vector<std::string> short_names() const;

 private:
  std::vector<Symbol> symbols_;  // ascending by address
};

/// The last part of a qualified name: "finalize_step" of "vitrine::hv::finalize_step".
std::string_view short_name(std::string_view name);

}  // namespace vitrine::ui
