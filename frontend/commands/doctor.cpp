// `vitrine doctor`: what this build has, and whether its images are the reference bytes.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <sstream>

#include "emu/host/files.h"
#include "emu/host/process.h"
#include "emu/machine/machine.h"
#include "frontend/commands/commands.h"
#include "frontend/images.h"
#include "frontend/text.h"
#include "hv/core/call.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;
namespace arch = emu::arch;

struct ImageVerdict {
  std::string name, sha256, verdict;
};

/// Name and sum of each line of images.sha256, which the build puts beside the images' folder.
std::vector<std::pair<std::string, std::string>> reference_sums() {
  std::vector<std::pair<std::string, std::string>> sums;
  const auto path = image_folder().parent_path() / "images.sha256";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return sums;
  const auto bytes = emu::host::read_file(path);
  std::istringstream lines(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  for (std::string line; std::getline(lines, line);) {
    std::string sum, name;
    std::istringstream(line) >> sum >> name;
    if (!sum.starts_with('#') && !name.empty()) sums.emplace_back(name, sum);
  }
  return sums;
}

std::vector<ImageVerdict> judge_images() {
  std::vector<ImageVerdict> verdicts;
  for (const auto& [name, reference] : reference_sums()) {
    const auto path = image_folder() / name;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      verdicts.push_back({name, "", "not built"});
      continue;
    }
    const std::string sum = sha256(emu::host::read_file(path));
    verdicts.push_back(
        {name, sum,
         sum == reference ? "the reference bytes" : "other bytes: cycle numbers do not compare"});
  }
  return verdicts;
}

std::vector<std::string> device_names() {
  emu::MachineConfig config;
  config.memory_bytes = emu::kMinMemory;
  emu::Machine machine(config);
  std::vector<std::string> names;
  for (const emu::Device* chip : machine.board().chips()) names.emplace_back(chip->name());
  return names;
}

std::vector<std::string> feature_names(const arch::CpuProfile& profile) {
  std::vector<std::string> names;
  for (const arch::FeatureRow& row : arch::kFeatures) {
    if (profile.has(row.feature)) names.emplace_back(row.name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  constexpr size_t kWidth = 90;
  std::string out;
  size_t column = 0;
  for (const std::string& word : words) {
    if (column + word.size() > kWidth) {
      out += "\n    ";
      column = 0;
    } else if (!out.empty()) {
      out += ' ';
    }
    out += word;
    column += word.size() + 1;
  }
  return out;
}

bool has_jit() {
  emu::MachineConfig config;
  config.memory_bytes = emu::kMinMemory;
  config.engine = emu::EngineKind::jit;
  return emu::Machine(config).engine() != nullptr;
}

/// What tests and comfort ask of the host; none of it changes what a guest sees.
constexpr std::array<std::string_view, 7> kHostPrograms = {
    "clang++-14", "ld.lld-14", "apt-get", "dpkg-deb", "qemu-system-x86_64", "bochs", "gdb"};

void print_text(bool tlfs) {
  std::printf("engines: %s\ntiming: count, core, memory\n", has_jit() ? "jit, interpreter" : "interpreter");
  for (const arch::CpuProfile* profile : arch::kProfiles) {
    std::printf("cpu %s:\n    %s\n", std::string(profile->name).c_str(),
                joined(feature_names(*profile)).c_str());
  }
  std::printf("devices:\n    %s\nimages:\n", joined(device_names()).c_str());
  Columns images;
  for (const ImageVerdict& v : judge_images()) images.row({v.name, v.verdict});
  const std::string rows = images.text("    ");
  std::printf("%s", rows.empty() ? "    no reference sums beside the images\n" : rows.c_str());
  std::printf("host: %s\n",
              emu::host::is_x86_64() ? "x86-64, silicon tests can run" : "not x86-64");
  for (const std::string_view name : kHostPrograms) {
    const auto found = emu::host::find_program(name);
    std::printf("    %s %s\n", pad_right(std::string(name), 20).c_str(),
                found ? "found" : "not found");
  }
  if (!tlfs) return;
  Columns calls;
  for (const hv::tlfs::CallCode& row : hv::tlfs::kCallCodes) {
    calls.row({hex(row.code, 4), std::string(row.name),
               hv::find_call_row(row.code) != nullptr ? "implemented" : "invalid code"});
  }
  std::printf("hypercalls:\n%s", calls.text("    ").c_str());
}

Json as_json(bool tlfs) {
  Json out = {{"schema", kSchema}, {"engines", {"interpreter"}}, {"timing", {"count", "core", "memory"}}};
  if (has_jit()) out["engines"].push_back("jit");
  for (const arch::CpuProfile* profile : arch::kProfiles) {
    out["cpus"][std::string(profile->name)] = feature_names(*profile);
  }
  out["devices"] = device_names();
  out["images"] = Json::array();
  for (const ImageVerdict& v : judge_images()) {
    out["images"].push_back({{"name", v.name}, {"sha256", v.sha256}, {"verdict", v.verdict}});
  }
  out["host"]["x86_64"] = emu::host::is_x86_64();
  for (const std::string_view name : kHostPrograms) {
    out["host"]["programs"][std::string(name)] = emu::host::find_program(name).has_value();
  }
  if (!tlfs) return out;
  out["hypercalls"] = Json::array();
  for (const hv::tlfs::CallCode& row : hv::tlfs::kCallCodes) {
    out["hypercalls"].push_back({{"code", row.code},
                                 {"name", row.name},
                                 {"implemented", hv::find_call_row(row.code) != nullptr}});
  }
  return out;
}

}  // namespace

void add_doctor(CLI::App& command, CommandLine& line) {
  command.add_flag("--tlfs", line.tlfs, "list every hypercall and whether it is implemented");
  command.add_flag("--timing", line.timing,
                   "the modelled cores: every parameter with its source, and what is assumed");
  command.add_flag("--json", line.json, "print JSON");
}

ExitCode doctor_command(CommandLine& line) {
  if (line.timing) {
    print_timing(line.json);
  } else if (line.json) {
    std::printf("%s\n", as_json(line.tlfs).dump(2).c_str());
  } else {
    print_text(line.tlfs);
  }
  return ExitCode::success;
}

}  // namespace vitrine::ui
