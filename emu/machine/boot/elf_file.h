// ElfFile: the parts of an ELF executable that booting and symbol lookup need, checked before use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::emu {

/// One loadable segment; file_bytes may be shorter than memory_size (the rest is zero).
struct ElfSegment {
  uint64_t physical = 0;
  uint64_t linear = 0;
  uint64_t memory_size = 0;
  std::span<const std::byte> file_bytes;
};

struct ElfSymbol {
  std::string name;
  uint64_t address = 0;
  uint64_t size = 0;
  bool function = false;
};

/// Parsed view of an ELF image for x86: ELF32 (i386) or ELF64 (x86-64). Refers to the bytes given.
class ElfFile {
 public:
  /// None, with a sentence in `why`, when the bytes are not a well-formed executable for x86.
  static std::optional<ElfFile> parse(std::span<const std::byte> bytes, std::string& why);

  bool is64() const { return is64_; }
  uint64_t entry() const { return entry_; }
  const std::vector<ElfSegment>& segments() const { return segments_; }
  /// The entry point as a physical address, by the segment that holds it.
  uint64_t physical_entry() const;
  /// XEN_ELFNOTE_PHYS32_ENTRY, the PVH entry point.
  std::optional<uint64_t> pvh_entry() const { return pvh_entry_; }
  /// From .symtab, in file order; empty when stripped.
  std::vector<ElfSymbol> symbols() const;

 private:
  struct Section {
    uint32_t type = 0, link = 0;
    uint64_t offset = 0, size = 0, entry_size = 0;
  };

  std::span<const std::byte> bytes_;
  bool is64_ = false;
  uint64_t entry_ = 0;
  std::vector<ElfSegment> segments_;
  std::vector<Section> sections_;
  std::optional<uint64_t> pvh_entry_;
};

}  // namespace vitrine::emu
