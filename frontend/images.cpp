// Images: which files a command line means, read and hashed.
#include "frontend/images.h"

#include <algorithm>

#include "emu/host/files.h"
#include "emu/machine/boot/elf_file.h"
#include "frontend/linux/debian.h"

namespace vitrine::ui {

namespace {

constexpr const char* kHypervisorFile = "vitrine-hv.elf";

bool is_shipped_name(const std::string& image) {
  return image.find('/') == std::string::npos && image.find('.') == std::string::npos;
}

std::vector<std::byte> read_shipped(const std::string& file) {
  const auto path = image_folder() / file;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw UsageError("the image " + file +
                     " is not built; './run' builds it (needs clang and lld)");
  }
  return emu::host::read_file(path);
}

/// A name we ship, or a path.
std::vector<std::byte> read_image(const std::string& image, std::string& name) {
  std::error_code error;
  if (is_shipped_name(image) && !std::filesystem::exists(image, error)) {
    name = image + ".elf";
    if (!std::filesystem::exists(image_folder() / name, error)) {
      throw UsageError("there is no image or file '" + image +
                       "'; images are tour, hello and linux");
    }
    return read_shipped(name);
  }
  name = std::filesystem::path(image).filename().string();
  return emu::host::read_file(image);
}

void describe(BootPlan& plan, std::string role, std::string name,
              std::span<const std::byte> bytes) {
  LoadedImage image;
  image.role = std::move(role);
  image.name = std::move(name);
  image.sha256 = sha256(bytes);
  std::string why;
  if (const auto elf = emu::ElfFile::parse(bytes, why)) image.symbols = SymbolTable(*elf);
  plan.images.push_back(std::move(image));
}

}  // namespace

const LoadedImage* BootPlan::image(std::string_view role) const {
  const auto found = std::find_if(images.begin(), images.end(),
                                  [&](const LoadedImage& i) { return i.role == role; });
  return found == images.end() ? nullptr : &*found;
}

std::filesystem::path image_folder() {
  // Beside the program; a test program lies some folders deeper in the same build.
  const auto beside = emu::host::program_folder();
  std::error_code error;
  for (auto folder = beside; folder.has_relative_path(); folder = folder.parent_path()) {
    if (std::filesystem::is_directory(folder / "images", error)) return folder / "images";
  }
  return beside / "images";
}

BootPlan plan_boot(const RunOptions& options) {
  BootPlan plan;
  if (!options.firmware.empty()) {
    plan.request.image = emu::host::read_file(options.firmware);
    plan.request.name = std::filesystem::path(options.firmware).filename().string();
    emu::check_firmware(plan.request.image, plan.request.name);
    describe(plan, "root", plan.request.name, plan.request.image);
    return plan;
  }
  const std::string& wanted = options.kernel.empty() ? options.image : options.kernel;
  // The tour is a root payload: without another choice it runs on the hypervisor we ship.
  std::string hypervisor = options.hypervisor;
  if (hypervisor == "none" && wanted == "tour") hypervisor = "builtin";

  std::string name;
  std::vector<std::byte> kernel;
  std::vector<std::byte> initrd;
  std::string append = options.append;
  if (options.kernel.empty() && options.image == "linux") {
    LinuxFiles files = linux_files();
    name = files.name;
    kernel = std::move(files.kernel);
    initrd = std::move(files.initrd);
    append = append.empty() ? kLinuxCommandLine : kLinuxCommandLine + (" " + append);
  } else {
    kernel = read_image(wanted, name);
  }
  if (!options.initrd.empty()) initrd = emu::host::read_file(options.initrd);
  std::vector<emu::BootModule> modules;
  for (const std::string& text : options.modules) {
    const size_t space = text.find(' ');
    emu::BootModule module;
    module.bytes = emu::host::read_file(text.substr(0, space));
    if (space != std::string::npos) module.command_line = text.substr(space + 1);
    modules.push_back(std::move(module));
  }

  if (hypervisor == "none") {
    if (!options.hypervisor_options.empty()) {
      throw UsageError("--hv-option speaks to a hypervisor; give --hv builtin or a file too");
    }
    describe(plan, "root", name, kernel);
    plan.request.image = kernel;
    plan.request.name = name;
    plan.request.command_line = append;
    plan.request.initrd = std::move(initrd);
    plan.request.modules = std::move(modules);
    return plan;
  }

  const bool builtin = hypervisor == "builtin";
  plan.request.image = builtin ? read_shipped(kHypervisorFile) : emu::host::read_file(hypervisor);
  plan.request.name =
      builtin ? kHypervisorFile : std::filesystem::path(hypervisor).filename().string();
  for (const std::string& word : options.hypervisor_options) {
    plan.request.command_line += (plan.request.command_line.empty() ? "" : " ") + word;
  }
  describe(plan, "hv", plan.request.name, plan.request.image);
  describe(plan, "root", name, kernel);
  plan.request.modules.push_back({kernel, append});
  if (!initrd.empty()) plan.request.modules.push_back({std::move(initrd), "initrd"});
  for (emu::BootModule& module : modules) plan.request.modules.push_back(std::move(module));
  return plan;
}

}  // namespace vitrine::ui
