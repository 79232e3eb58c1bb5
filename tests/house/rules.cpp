// The include ladder and its companions as tables, and the scan that applies them.
#include "tests/house/rules.h"

#include <algorithm>
#include <array>
#include <span>

namespace vitrine::test {
namespace {

// A folder, and the folders of ours that its files may include beside their own. The longest
// matching row counts.
struct Rung {
  std::string_view folder;
  std::span<const std::string_view> below;
};

using Names = std::string_view;
constexpr std::array kArch = {Names("emu/arch/"), Names("emu/host/")};
constexpr std::array kMmu = {Names("emu/arch/"), Names("emu/host/"), Names("emu/mmu/")};
constexpr std::array kMachine = {Names("emu/")};
constexpr std::array kTlfs = {Names("hv/tlfs/")};
constexpr std::array kImage = {Names("hv/"), Names("emu/arch/")};
constexpr std::array kFrontend = {Names("emu/"), Names("hv/tlfs/"), Names("hv/core/")};
constexpr std::array kRoms = {Names("roms/"), Names("hv/"), Names("emu/arch/")};
constexpr std::array kAll = {Names("emu/"),  Names("hv/"),    Names("frontend/"),
                             Names("roms/"), Names("tests/"), Names("bench/")};

// clang-format off
constexpr std::array kLadder = {
  Rung{"emu/arch/",    {}},
  Rung{"emu/host/",    kArch},
  Rung{"emu/mmu/",     kArch},
  Rung{"emu/cpu/",     kMmu},
  Rung{"emu/devices/", kMmu},
  Rung{"emu/machine/", kMachine},
  Rung{"hv/tlfs/",     {}},
  Rung{"hv/core/",     kTlfs},
  Rung{"hv/image/",    kImage},
  Rung{"frontend/",    kFrontend},
  Rung{"roms/",        kRoms},
  Rung{"tests/",       kAll},
  Rung{"bench/",       kAll},
};

// A library's headers begin with the prefix; only files whose path begins with one of the homes see them.
struct Library {
  std::string_view prefix;
  std::array<std::string_view, 4> homes;
};
constexpr std::array kLibraries = {
  Library{"Zydis/",    {"emu/cpu/decode", "emu/cpu/timing/data_flow", "tests/", "bench/"}},
  Library{"Zycore/",   {"emu/cpu/decode", "emu/cpu/timing/data_flow", "tests/", "bench/"}},
  Library{"capstone/", {"frontend/inspect/disassembl", "tests/", "bench/"}},
  Library{"SDL",       {"frontend/gui/", "frontend/gui/", "frontend/gui/"}},
  Library{"imgui",     {"frontend/gui/", "frontend/gui/", "frontend/gui/"}},
  Library{"asmjit/",   {"emu/cpu/jit/", "tests/", "bench/"}},
};

// What a freestanding part may include of the standard library.
constexpr std::array kFreestanding = {
  Names("array"), Names("bit"), Names("compare"), Names("concepts"), Names("cstddef"), Names("cstdint"),
  Names("limits"), Names("span"), Names("string_view"), Names("type_traits"), Names("utility"),
};
// clang-format on

// The longest file; tables are exempt and say so by this word on their first line.
constexpr int kLongest = 600;
constexpr std::string_view kTable = "table";

bool freestanding(std::string_view path) {
  return path.starts_with("emu/arch/") || path.starts_with("hv/tlfs/");
}

std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return line;
}

// The name between the quotes or brackets of an #include line; empty when it is another line.
struct Include {
  std::string_view name;
  bool ours = false;
};
Include included(std::string_view line) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string_view::npos || line[at] != '#') return {};
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string_view::npos || !line.substr(at).starts_with("include")) return {};
  at = line.find_first_of("<\"", at);
  if (at == std::string_view::npos) return {};
  const bool ours = line[at] == '"';
  const std::size_t end = line.find(ours ? '"' : '>', at + 1);
  if (end == std::string_view::npos) return {};
  return {line.substr(at + 1, end - at - 1), ours};
}

bool may_include(std::string_view path, std::string_view name) {
  for (const Rung& rung : kLadder) {
    if (!path.starts_with(rung.folder)) continue;
    const auto reaches = [name](std::string_view folder) { return name.starts_with(folder); };
    return name.starts_with(rung.folder) ||
           std::any_of(rung.below.begin(), rung.below.end(), reaches);
  }
  return false;
}

// The comment that a file opens with: a sentence, perhaps wrapped.
bool begins_with_sentence(std::string_view text) {
  std::size_t length = 0;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (!line.starts_with("// ") && !line.starts_with("# ")) return false;
    length += line.size();
    if (line.ends_with('.') || line.find(". ") != std::string_view::npos) return length > 10;
  }
  return false;
}

// A path that exists on one machine only; the pieces are joined here so that this file does not
// contain one.
bool names_a_machine(std::string_view line) {
  for (const std::string_view folder : {"root", "work", "Users"})
    if (line.find("/" + std::string(folder) + "/") != std::string_view::npos) return true;
  return false;
}

}  // namespace

std::vector<std::string> broken_rules(std::string_view path, std::string_view text) {
  std::vector<std::string> broken;
  int number = 0;
  bool raw_text = false;
  const auto report = [&](const std::string& what) {
    broken.push_back(std::string(path) + ":" + std::to_string(number) + ": " + what);
  };
  const bool table = text.substr(0, text.find('\n')).find(kTable) != std::string_view::npos;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = next_line(rest);
    ++number;
    if (names_a_machine(line)) report("names a path of one machine");
    // Text of a raw string may look like an include; what it is written into has rules of its own.
    const bool in_text = raw_text;
    if (line.find("R\"(") != std::string_view::npos) raw_text = true;
    if (line.find(")\"") != std::string_view::npos) raw_text = false;
    const auto [name, ours] = included(line);
    if (name.empty() || in_text) continue;
    for (const Library& library : kLibraries) {
      const auto home = [path](std::string_view folder) {
        return !folder.empty() && path.starts_with(folder);
      };
      if (name.starts_with(library.prefix) &&
          std::none_of(library.homes.begin(), library.homes.end(), home))
        report(std::string(name) + " is not for this folder");
    }
    if (ours && !may_include(path, name)) {
      report(std::string(name) + " is not below this folder on the ladder");
    } else if (!ours && freestanding(path) &&
               std::find(kFreestanding.begin(), kFreestanding.end(), name) == kFreestanding.end()) {
      report("<" + std::string(name) + "> is not freestanding");
    }
  }
  if (number > kLongest && !table) report("longer than " + std::to_string(kLongest) + " lines");
  number = 1;
  if (!begins_with_sentence(text))
    report("the first line is not a sentence that says what the file is");
  if (path.ends_with(".h") && text.find("\n#pragma once\n") == std::string_view::npos)
    report("#pragma once is missing");
  return broken;
}

namespace {

template <class Wanted>
std::vector<std::string> files_in_tree(const std::filesystem::path& root, Wanted wanted) {
  std::vector<std::string> files;
  for (const char* top : {"emu", "hv", "frontend", "roms", "tests", "bench"}) {
    if (!std::filesystem::exists(root / top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top))
      if (entry.is_regular_file() && wanted(entry.path()))
        files.push_back(entry.path().lexically_relative(root).generic_string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<std::string> source_files(const std::filesystem::path& root) {
  return files_in_tree(root, [](const std::filesystem::path& path) {
    const auto extension = path.extension();
    return extension == ".h" || extension == ".cpp" || extension == ".S";
  });
}

std::vector<std::string> build_files(const std::filesystem::path& root) {
  return files_in_tree(root, [](const std::filesystem::path& path) {
    return path.filename() == "CMakeLists.txt" || path.extension() == ".cmake";
  });
}

}  // namespace vitrine::test
