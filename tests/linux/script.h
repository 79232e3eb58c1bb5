// An initial RAM disk with a script of the test's own as the first program.
#pragma once

#include <string_view>

#include "frontend/linux/initramfs.h"
#include "tests/frontend/program.h"
#include "tests/linux/boot.h"

namespace vitrine::test {

/// The image's own initial RAM disk and one more file behind it.
inline std::vector<std::byte> initrd_with(std::string_view script) {
  auto archive = emu::host::read_file(kLinuxImages / "initramfs.cpio.gz");
  while (archive.size() % 4 != 0) archive.push_back(std::byte{0});
  ui::CpioWriter more;
  more.file("first", std::as_bytes(std::span{script.data(), script.size()}), true);
  const auto second = more.take();
  archive.insert(archive.end(), second.begin(), second.end());
  return archive;
}

/// Options that boot the kernel into the script; the RAM disk is written into the folder.
inline ui::RunOptions script_options(std::string_view script, const TemporaryFolder& folder) {
  emu::host::write_file(folder / "initrd", initrd_with(script));
  ui::RunOptions options;
  options.image = (kLinuxImages / "bzImage").string();
  options.initrd = (folder / "initrd").string();
  options.append = "console=ttyS0 quiet rdinit=/first";
  options.serial = "null";
  return options;
}

}  // namespace vitrine::test
