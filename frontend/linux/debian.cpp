// Fetching packages with apt-get download, unpacking them with dpkg-deb, and keeping two files of them.
#include "frontend/linux/debian.h"

#include <cstdio>
#include <sstream>

#include "emu/host/files.h"
#include "emu/host/process.h"
#include "frontend/linux/initramfs.h"
#include "frontend/options.h"

namespace vitrine::ui {

namespace {

constexpr const char* kKernelPackage = "linux-image-cloud-amd64";
constexpr const char* kBusyboxPackage = "busybox-static:amd64";
constexpr const char* kKernelPrefix = "vmlinuz-";
constexpr const char* kBusyboxFile = "busybox";

[[noreturn]] void give_up(const std::string& why) {
  throw UsageError("cannot fetch Debian's kernel: " + why +
                   "; give a kernel and an initial RAM disk with --kernel FILE --initrd FILE");
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string run(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  const auto result = emu::host::run_process(arguments, folder);
  if (result.exit_code != 0) {
    give_up("'" + arguments.front() + " " + arguments.back() + "' says " +
            first_line(result.errors));
  }
  return result.output;
}

/// The newest kernel in a folder, by name; empty when there is none.
std::filesystem::path kernel_in(const std::filesystem::path& folder) {
  std::filesystem::path found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kKernelPrefix) && !name.ends_with(".part") &&
        (found.empty() || entry.path() > found)) {
      found = entry.path();
    }
  }
  return found;
}

using Words = std::vector<std::string>;

Words joined(Words words, const Words& options, const Words& rest) {
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

/// Downloads both packages by the lists that `options` name; the kernel's name, empty when apt cannot.
std::string download(const Words& options, const std::filesystem::path& work) {
  const auto depends =
      emu::host::run_process(joined({"apt-cache"}, options, {"depends", kKernelPackage}), work);
  const std::string kernel = versioned_package(depends.output);
  if (kernel.empty()) return "";
  std::fprintf(stderr, "vitrine: fetching %s and busybox-static, once\n", kernel.c_str());
  const auto got = emu::host::run_process(
      joined({"apt-get"}, options, {"download", kernel, kBusyboxPackage}), work);
  return got.exit_code == 0 ? kernel : "";
}

/// The system's lists may be absent or out of date, and only root may renew them; lists of one's own need no
/// rights.
Words own_lists(const std::filesystem::path& work) {
  const auto lists = work / "lists", archives = work / "archives";
  std::filesystem::create_directories(lists / "partial");
  std::filesystem::create_directories(archives / "partial");
  const Words options = {
      "-o", "Dir::State::Lists=" + lists.string(),       "-o", "Dir::Cache=" + work.string(),
      "-o", "Dir::Cache::Archives=" + archives.string(), "-o", "Debug::NoLocking=1"};
  run(joined({"apt-get"}, options, {"update"}), work);
  return options;
}

/// Downloads and unpacks in `work`, then puts the two files into `cache`.
void fetch(const std::filesystem::path& cache, const std::filesystem::path& work) {
  for (const char* program : {"apt-get", "apt-cache", "dpkg-deb"}) {
    if (!emu::host::find_program(program)) give_up(std::string(program) + " is not on this host");
  }
  std::string kernel = download({}, work);
  if (kernel.empty()) kernel = download(own_lists(work), work);
  if (kernel.empty()) give_up(std::string("apt does not get ") + kKernelPackage);
  std::vector<std::filesystem::path> packages;
  for (const auto& entry : std::filesystem::directory_iterator(work)) {
    if (entry.path().extension() == ".deb") packages.push_back(entry.path());
  }
  for (const auto& package : packages) {
    run({"dpkg-deb", "-x", package.string(), (work / "tree").string()}, work);
  }
  const auto image = kernel_in(work / "tree" / "boot");
  if (image.empty()) give_up(kernel + " holds no " + kKernelPrefix + "*");
  const auto merged = work / "tree" / "usr" / "bin" / kBusyboxFile;
  const bool is_merged = std::filesystem::exists(merged);
  const auto busybox = is_merged ? merged : work / "tree" / "bin" / kBusyboxFile;
  emu::host::write_file(cache / kBusyboxFile, emu::host::read_file(busybox));
  emu::host::write_file(cache / image.filename(), emu::host::read_file(image));
}

}  // namespace

std::string versioned_package(const std::string& depends) {
  std::istringstream lines(depends);
  for (std::string line; std::getline(lines, line);) {
    std::string kind, name;
    std::istringstream(line) >> kind >> name;
    if (kind == "Depends:" && name.starts_with("linux-image-")) return name;
  }
  return "";
}

LinuxFiles linux_files() {
  const auto root = emu::host::cache_folder();
  if (root.empty()) give_up("this user has no home folder for a cache");
  const auto cache = root / "linux";
  std::error_code error;
  if (kernel_in(cache).empty() || !std::filesystem::exists(cache / kBusyboxFile, error)) {
    const auto work = cache / "fetch.tmp";
    std::filesystem::remove_all(work, error);
    if (!std::filesystem::create_directories(work, error)) {
      give_up("cannot make the folder '" + work.string() + "'");
    }
    fetch(cache, work);
    std::filesystem::remove_all(work, error);
  }
  LinuxFiles files;
  const auto kernel = kernel_in(cache);
  files.name = kernel.filename().string();
  files.kernel = emu::host::read_file(kernel);
  files.initrd = make_initramfs(emu::host::read_file(cache / kBusyboxFile));
  return files;
}

}  // namespace vitrine::ui
