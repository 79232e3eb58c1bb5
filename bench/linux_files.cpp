// vitrine_linux_files: puts the kernel and initramfs of `vitrine run linux` into a folder, for the peers to boot.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "emu/host/files.h"
#include "frontend/linux/debian.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: vitrine_linux_files FOLDER\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    const vitrine::ui::LinuxFiles files = vitrine::ui::linux_files();
    vitrine::emu::host::write_file(folder / "vmlinuz", files.kernel);
    vitrine::emu::host::write_file(folder / "initrd", files.initrd);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vitrine_linux_files: %s\n", error.what());
    return 2;
  }
}
