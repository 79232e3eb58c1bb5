// Symbols: sorted by address, looked up by binary search, demangled once.
#include "frontend/symbols.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace vitrine::ui {

namespace {

/// Without the parameter list; template arguments and "operator()" keep their parentheses.
std::string without_parameters(std::string name) {
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0 && i != 0) {
      const bool call_operator = name.compare(i, 2, "()") == 0 && i >= 8 &&
                                 name.compare(i - 8, 8, "operator") == 0;
      const bool anonymous = name.compare(i, 11, "(anonymous ") == 0;
      if (anonymous) {
        i = name.find(')', i);
        continue;
      }
      if (!call_operator) return name.substr(0, i);
      ++i;
    }
  }
  return name;
}

std::string demangle(const std::string& mangled) {
  int status = 0;
  char* const text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  if (status != 0 || text == nullptr) return mangled;
  std::string name = without_parameters(text);
  std::free(text);
  return name;
}

}  // namespace

std::string_view short_name(std::string_view name) {
  const size_t bracket = name.find('<');
  const size_t at = name.substr(0, bracket).rfind("::");
  return at == std::string_view::npos ? name : name.substr(at + 2);
}

SymbolTable::SymbolTable(const emu::ElfFile& elf) {
  for (const emu::ElfSymbol& s : elf.symbols()) {
    symbols_.push_back({demangle(s.name), s.name, s.address, s.size, s.function});
  }
  std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return a.address != b.address ? a.address < b.address : a.size < b.size;
  });
}

const SymbolTable::Symbol* SymbolTable::find(uint64_t address) const {
  auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](uint64_t a, const Symbol& s) { return a < s.address; });
  while (after != symbols_.begin()) {
    const Symbol& s = *--after;
    if (s.size != 0) {
      if (address - s.address < s.size) return &s;
      if (address - s.address > 0x10000) return nullptr;
      continue;
    }
    return &s;
  }
  return nullptr;
}

const SymbolTable::Symbol* SymbolTable::named(std::string_view name) const {
  const Symbol* found = nullptr;
  for (const Symbol& s : symbols_) {
    if (s.name == name || s.mangled == name) return &s;
    if (short_name(s.name) == name) {
      if (found != nullptr && found->address != s.address) return nullptr;
      found = &s;
    }
  }
  return found;
}

std::string SymbolTable::describe(uint64_t address) const {
  char offset[32];
  const Symbol* const s = find(address);
  if (s == nullptr) {
    std::snprintf(offset, sizeof(offset), "0x%llx", static_cast<unsigned long long>(address));
    return offset;
  }
  const std::string name(short_name(s->name));
  if (address == s->address) return name;
  std::snprintf(offset, sizeof(offset), "+0x%llx",
                static_cast<unsigned long long>(address - s->address));
  return name + offset;
}

std::vector<std::string> SymbolTable::short_names() const {
  std::vector<std::string> names;
  for (const Symbol& s : symbols_) {
    if (s.function) names.emplace_back(short_name(s.name));
  }
  return names;
}

}  // namespace vitrine::ui
