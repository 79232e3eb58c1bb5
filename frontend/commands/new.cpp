// `vitrine new payload`: writes a small program that makes one hypercall, to start from.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

#include "emu/host/files.h"
#include "frontend/commands/commands.h"

namespace vitrine::ui {

namespace {

// What is written, with the kit of this source tree: roms/kit and vitrine_add_payload().
constexpr std::string_view kProgram =
    R"(// A payload: asks the hypervisor for our partition's identifier and prints the status.
#include "hv/tlfs/partition_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"

using namespace vitrine;

std::uint32_t payload_main() {
  if (!kit::enable_hypercalls()) {
    kit::print_line("no hypervisor here; run with --hv builtin");
    return 1;
  }
  hv::tlfs::PartitionOutput out{};
  const auto result = kit::memory_call(hv::tlfs::Call::get_partition_id, nullptr, 0, &out, sizeof out);
  const auto status = static_cast<std::uint64_t>(result.status());
  kit::print_line("HvGetPartitionId: status ", kit::Hex{status}, ", partition ", out.partition);
  return status == 0 ? 0 : 1;
}
)";

constexpr std::string_view kBuild =
    R"(# Builds images/@NAME@.elf with the payload kit; run it with: vitrine run images/@NAME@.elf --hv builtin
cmake_minimum_required(VERSION 3.22)
project(@NAME@ NONE)
set(VITRINE_SOURCE "@SOURCE@" CACHE PATH "Vitrine's source tree")
include("${VITRINE_SOURCE}/roms/image.cmake")
vitrine_add_payload(@NAME@ "${CMAKE_CURRENT_SOURCE_DIR}/main.cpp")
)";

std::string filled(std::string_view text, const std::string& name, const std::string& source) {
  std::string out(text);
  for (const auto& [mark, value] : {std::pair{"@NAME@", name}, std::pair{"@SOURCE@", source}}) {
    for (size_t at = out.find(mark); at != std::string::npos;
         at = out.find(mark, at + value.size())) {
      out.replace(at, std::string_view(mark).size(), value);
    }
  }
  return out;
}

/// The tree that this program was built from: the build writes it beside the program.
std::string source_tree() {
  const auto note = emu::host::program_folder() / "source.txt";
  const auto bytes = emu::host::read_file(note);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\n'));
}

bool usable_name(const std::string& name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-_") == std::string::npos;
}

}  // namespace

void add_new(CLI::App& command, CommandLine& line) {
  command.require_subcommand(1);
  CLI::App* const payload =
      command.add_subcommand("payload", "a root payload that makes one hypercall");
  payload->add_option("folder", line.file, "folder to make")->required();
}

ExitCode new_command(CommandLine& line) {
  const std::filesystem::path folder = line.file;
  const std::string name = folder.filename().string();
  if (!usable_name(name)) {
    throw UsageError("'" + name + "' cannot name a payload; use letters, digits, - and _");
  }
  const std::string source = source_tree();
  std::error_code error;
  if (std::filesystem::exists(folder, error)) {
    throw UsageError("'" + line.file + "' exists already");
  }
  if (!std::filesystem::create_directories(folder, error)) {
    throw UsageError("cannot make the folder '" + line.file + "'");
  }
  emu::host::write_file(folder / "main.cpp", kProgram);
  emu::host::write_file(folder / "CMakeLists.txt", filled(kBuild, name, source));
  std::printf(
      "wrote %s/main.cpp and %s/CMakeLists.txt; next:\n"
      "  cmake -S %s -B %s/build && cmake --build %s/build\n"
      "  vitrine run %s/build/images/%s.elf --hv builtin\n",
      line.file.c_str(), line.file.c_str(), line.file.c_str(), line.file.c_str(), line.file.c_str(),
      line.file.c_str(), name.c_str());
  return ExitCode::success;
}

}  // namespace vitrine::ui
