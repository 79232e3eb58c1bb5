// ElfFile: reading an ELF executable's headers, notes and symbols with every offset checked.
#include "emu/machine/boot/elf_file.h"

#include <cstring>

namespace vitrine::emu {

namespace {

constexpr uint32_t kLoad = 1;
constexpr uint32_t kNote = 4;
constexpr uint32_t kSymbolTable = 2;
constexpr uint32_t kPhys32Entry = 18;
constexpr uint16_t kMachine386 = 3;
constexpr uint16_t kMachineX64 = 62;
constexpr size_t kMaxHeaders = 4096;

/// Reads little-endian numbers; out of range reads give 0 and clear `ok`.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t number(uint64_t offset, unsigned size) {
    if (offset > bytes_.size() || bytes_.size() - offset < size) {
      ok = false;
      return 0;
    }
    uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + offset, size);
    return value;
  }
  std::span<const std::byte> slice(uint64_t offset, uint64_t size) {
    if (offset > bytes_.size() || bytes_.size() - offset < size) {
      ok = false;
      return {};
    }
    return bytes_.subspan(offset, size);
  }

  bool ok = true;

 private:
  std::span<const std::byte> bytes_;
};

std::optional<uint64_t> find_pvh_note(std::span<const std::byte> notes) {
  Reader in(notes);
  uint64_t at = 0;
  while (at + 12 <= notes.size()) {
    const uint64_t name_size = in.number(at, 4);
    const uint64_t data_size = in.number(at + 4, 4);
    const uint64_t type = in.number(at + 8, 4);
    const uint64_t name_at = at + 12;
    const uint64_t data_at = name_at + ((name_size + 3) & ~uint64_t{3});
    const auto name = in.slice(name_at, name_size);
    if (!in.ok) return std::nullopt;
    const bool xen = name_size == 4 && std::memcmp(name.data(), "Xen", 4) == 0;
    if (xen && type == kPhys32Entry && (data_size == 4 || data_size == 8)) {
      const uint64_t entry = in.number(data_at, static_cast<unsigned>(data_size));
      if (in.ok) return entry;
    }
    at = data_at + ((data_size + 3) & ~uint64_t{3});
  }
  return std::nullopt;
}

}  // namespace

std::optional<ElfFile> ElfFile::parse(std::span<const std::byte> bytes, std::string& why) {
  Reader in(bytes);
  ElfFile file;
  file.bytes_ = bytes;
  const auto refuse = [&](const char* sentence) {
    why = sentence;
    return std::nullopt;
  };
  if (in.number(0, 4) != 0x464C457F) return refuse("it is not an ELF file");
  const uint64_t elf_class = in.number(4, 1);
  if (elf_class != 1 && elf_class != 2) return refuse("its ELF class is neither 32 nor 64 bit");
  if (in.number(5, 1) != 1) return refuse("it is a big-endian ELF file");
  file.is64_ = elf_class == 2;
  const bool is64 = file.is64_;
  const uint64_t machine = in.number(18, 2);
  if (machine != (is64 ? kMachineX64 : kMachine386)) {
    return refuse("it is an ELF file for another processor");
  }
  if (const uint64_t type = in.number(16, 2); type != 2 && type != 3) {
    return refuse("it is an ELF file but not an executable");
  }
  const unsigned word = is64 ? 8 : 4;
  file.entry_ = in.number(24, word);
  const uint64_t program_headers = in.number(is64 ? 32 : 28, word);
  const uint64_t program_size = in.number(is64 ? 54 : 42, 2);
  const uint64_t program_count = in.number(is64 ? 56 : 44, 2);
  const uint64_t section_headers = in.number(is64 ? 40 : 32, word);
  const uint64_t section_size = in.number(is64 ? 58 : 46, 2);
  const uint64_t section_count = in.number(is64 ? 60 : 48, 2);
  if (!in.ok || program_count > kMaxHeaders) return refuse("its ELF header is cut short");

  for (uint64_t i = 0; i < program_count; ++i) {
    const uint64_t at = program_headers + i * program_size;
    const uint64_t type = in.number(at, 4);
    const uint64_t offset = in.number(at + (is64 ? 8 : 4), word);
    const uint64_t linear = in.number(at + (is64 ? 16 : 8), word);
    const uint64_t physical = in.number(at + (is64 ? 24 : 12), word);
    const uint64_t file_size = in.number(at + (is64 ? 32 : 16), word);
    const uint64_t memory_size = in.number(at + (is64 ? 40 : 20), word);
    if (!in.ok) return refuse("its program headers are cut short");
    if (type == kLoad) {
      const auto part = in.slice(offset, file_size);
      if (!in.ok || file_size > memory_size) return refuse("a segment lies outside the file");
      if (memory_size != 0) file.segments_.push_back({physical, linear, memory_size, part});
    } else if (type == kNote && !file.pvh_entry_) {
      const auto part = in.slice(offset, file_size);
      if (!in.ok) return refuse("a note lies outside the file");
      file.pvh_entry_ = find_pvh_note(part);
    }
  }
  if (file.segments_.empty()) return refuse("it has nothing to load");
  for (uint64_t i = 0; i < section_count && i < kMaxHeaders; ++i) {
    const uint64_t at = section_headers + i * section_size;
    Section s;
    s.type = static_cast<uint32_t>(in.number(at + 4, 4));
    s.offset = in.number(at + (is64 ? 24 : 16), word);
    s.size = in.number(at + (is64 ? 32 : 20), word);
    s.link = static_cast<uint32_t>(in.number(at + (is64 ? 40 : 24), 4));
    s.entry_size = in.number(at + (is64 ? 56 : 36), word);
    if (!in.ok) break;  // sections are optional: a stripped file may have none
    file.sections_.push_back(s);
  }
  return file;
}

uint64_t ElfFile::physical_entry() const {
  for (const ElfSegment& s : segments_) {
    if (entry_ >= s.linear && entry_ - s.linear < s.memory_size) {
      return entry_ - s.linear + s.physical;
    }
  }
  return entry_;
}

std::vector<ElfSymbol> ElfFile::symbols() const {
  std::vector<ElfSymbol> symbols;
  Reader in(bytes_);
  for (const Section& table : sections_) {
    const uint64_t least = is64_ ? 24 : 16;
    if (table.type != kSymbolTable || table.entry_size < least) continue;
    if (table.link >= sections_.size()) continue;
    const auto names = in.slice(sections_[table.link].offset, sections_[table.link].size);
    if (!in.ok) return symbols;
    for (uint64_t at = 0; at + least <= table.size; at += table.entry_size) {
      const uint64_t entry = table.offset + at;
      const uint64_t name = in.number(entry, 4);
      const uint64_t info = in.number(entry + (is64_ ? 4 : 12), 1);
      const uint64_t section = in.number(entry + (is64_ ? 6 : 14), 2);
      const uint64_t value = in.number(entry + (is64_ ? 8 : 4), is64_ ? 8 : 4);
      const uint64_t size = in.number(entry + (is64_ ? 16 : 8), is64_ ? 8 : 4);
      if (!in.ok) return symbols;
      const uint64_t type = info & 15;
      if (section == 0 || type > 2 || name >= names.size()) continue;
      const auto* const text = reinterpret_cast<const char*>(names.data()) + name;
      const size_t length = strnlen(text, names.size() - name);
      if (length == 0) continue;
      symbols.push_back({std::string(text, length), value, size, type == 2});
    }
  }
  return symbols;
}

}  // namespace vitrine::emu
