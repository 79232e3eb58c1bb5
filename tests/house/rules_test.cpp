// Every source file keeps the rules of the house, and a file that breaks one is found out.
#include "tests/house/rules.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

using vitrine::test::broken_rules;
using vitrine::test::build_files;
using vitrine::test::source_files;

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A good header with the given line in it.
std::string header_with(const std::string& line) {
  return "// A header made for this test.\n#pragma once\n" + line + "\n";
}

bool accepts(const char* path, const std::string& line) {
  return broken_rules(path, header_with(line)).empty();
}

}  // namespace

TEST_CASE("every source file keeps the include ladder and the rules of its folder") {
  const std::filesystem::path root = std::filesystem::current_path();
  const auto files = source_files(root);
  REQUIRE(files.size() > 5);
  for (const std::string& path : files)
    for (const std::string& broken : broken_rules(path, read(root / path))) FAIL_CHECK(broken);
}

TEST_CASE("every source file is named by a CMake file, so that none goes unbuilt") {
  const std::filesystem::path root = std::filesystem::current_path();
  std::string builds;
  for (const std::string& path : build_files(root)) builds += read(root / path);
  for (const std::string& path : source_files(root)) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (!path.ends_with(".h") && builds.find(name) == std::string::npos)
      FAIL_CHECK(path << " is in no CMakeLists.txt");
  }
}

TEST_CASE("an include up the ladder is refused, one down the ladder accepted") {
  CHECK(accepts("emu/mmu/a.h", "#include \"emu/arch/types.h\""));
  CHECK(accepts("emu/cpu/a.h", "#include \"emu/mmu/mmu.h\""));
  CHECK(accepts("emu/devices/a.h", "#include \"emu/mmu/bus.h\""));
  CHECK(accepts("emu/machine/a.h", "#include \"emu/devices/pit.h\""));
  CHECK(accepts("frontend/a.h", "#include \"hv/core/layout.h\""));
  CHECK(accepts("hv/image/a.h", "#include \"emu/arch/vmcs_fields.h\""));
  CHECK_FALSE(accepts("emu/arch/a.h", "#include \"emu/mmu/mmu.h\""));
  CHECK_FALSE(accepts("emu/arch/a.h", "#include \"emu/host/lazy_memory.h\""));
  CHECK_FALSE(accepts("emu/mmu/a.h", "#include \"emu/cpu/state.h\""));
  CHECK_FALSE(accepts("emu/devices/a.h", "#include \"emu/cpu/state.h\""));
  CHECK_FALSE(accepts("emu/cpu/a.h", "#include \"emu/devices/pit.h\""));
  CHECK_FALSE(accepts("emu/cpu/a.h", "#include \"frontend/trace.h\""));
  CHECK_FALSE(accepts("hv/core/a.h", "#include \"emu/arch/types.h\""));
  CHECK_FALSE(accepts("hv/image/a.h", "#include \"emu/cpu/state.h\""));
  CHECK_FALSE(accepts("frontend/a.h", "#include \"hv/image/vmx.h\""));
}

TEST_CASE("the emulator never includes the hypervisor") {
  for (const char* path : {"emu/arch/a.h", "emu/cpu/a.h", "emu/machine/a.h"}) {
    CHECK_FALSE(accepts(path, "#include \"hv/core/dispatch.h\""));
    CHECK_FALSE(accepts(path, "#include \"hv/image/vmx.h\""));
    CHECK_FALSE(accepts(path, "#include \"hv/tlfs/status.h\""));
  }
}

TEST_CASE("an include without a path from the root is refused") {
  CHECK_FALSE(accepts("emu/cpu/a.h", "#include \"state.h\""));
  CHECK_FALSE(accepts("emu/cpu/a.h", "  #  include \"../mmu/mmu.h\""));
}

TEST_CASE("each library is seen by its own folder only") {
  CHECK(accepts("emu/cpu/decode.h", "#include <Zydis/Zydis.h>"));
  CHECK(accepts("emu/cpu/decoder/a.h", "#include <Zydis/Zydis.h>"));
  CHECK(accepts("frontend/inspect/disassembly.h", "#include <capstone/capstone.h>"));
  CHECK(accepts("frontend/gui/window.h", "#include <SDL2/SDL.h>"));
  CHECK_FALSE(accepts("emu/cpu/state.h", "#include <Zydis/Zydis.h>"));
  CHECK_FALSE(accepts("emu/machine/a.h", "#include <capstone/capstone.h>"));
  CHECK_FALSE(accepts("frontend/command_line.h", "#include <SDL2/SDL.h>"));
  CHECK_FALSE(accepts("frontend/command_line.h", "#include <imgui/imgui.h>"));
}

TEST_CASE("what also runs in a guest includes freestanding headers only") {
  CHECK(accepts("emu/arch/a.h", "#include <cstdint>"));
  CHECK(accepts("emu/cpu/a.h", "#include <vector>"));
  CHECK_FALSE(accepts("emu/arch/a.h", "#include <vector>"));
  CHECK_FALSE(accepts("hv/tlfs/a.h", "#include <string>"));
}

TEST_CASE("a file begins with one sentence that says what it is") {
  CHECK(broken_rules("emu/cpu/a.cpp", "// The flags as the manual has them.\n").empty());
  CHECK_FALSE(broken_rules("emu/cpu/a.cpp", "#include <vector>\n").empty());
  CHECK(broken_rules("emu/cpu/a.cpp", "// The flags, as the\n// manual has them.\n").empty());
  CHECK_FALSE(broken_rules("emu/cpu/a.cpp", "// The flags\n\n// as they are.\n").empty());
  CHECK_FALSE(broken_rules("emu/cpu/a.cpp", "").empty());
}

TEST_CASE("a header has pragma once, and a file that is no table stays under 600 lines") {
  CHECK_FALSE(broken_rules("emu/cpu/a.h", "// A header without its guard.\n").empty());
  const std::string lines(601, '\n');
  CHECK_FALSE(broken_rules("emu/cpu/a.cpp", "// A very long file of code.\n" + lines).empty());
  CHECK(broken_rules("emu/cpu/a.cpp", "// The table of all instructions.\n" + lines).empty());
}

TEST_CASE("a path of one machine is refused") {
  const std::string home = std::string("/") + "root/";
  CHECK_FALSE(accepts("emu/cpu/a.h", "// see " + home + "notes"));
  CHECK_FALSE(accepts("emu/cpu/a.h", home + "notes"));
  CHECK(accepts("emu/cpu/a.h", "// the root of the tree"));
}
