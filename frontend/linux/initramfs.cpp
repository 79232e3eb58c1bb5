// Initramfs: the archive writer, and the few files of our root file system.
#include "frontend/linux/initramfs.h"

#include <array>
#include <cstdio>

namespace vitrine::ui {

namespace {

constexpr uint32_t kFolder = 0040755;
constexpr uint32_t kCharacterDevice = 0020600;
constexpr uint32_t kExecutable = 0100755;
constexpr uint32_t kPlain = 0100644;

constexpr std::string_view kInit = R"(#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
export PATH=/bin HOME=/root TERM=linux ENV=/etc/shrc
cd /root
echo "Vitrine: $(uname -sr); 'poweroff' ends the run"
setsid cttyhack sh
poweroff -f
)";

// There is no service that would take the polite form.
constexpr std::string_view kShell = R"(PS1='vitrine:\w# '
alias poweroff='poweroff -f' reboot='reboot -f' halt='poweroff -f'
)";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

}  // namespace

void CpioWriter::text(std::string_view text) {
  const auto bytes = bytes_of(text);
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void CpioWriter::align() {
  while (out_.size() % 4 != 0) out_.push_back(std::byte{0});
}

void CpioWriter::add(std::string_view name, const Entry& entry, std::span<const std::byte> bytes) {
  const bool trailer = entry.mode == 0;
  // inode, mode, uid, gid, links, mtime, size, device of the file system (2), own device (2), length of the
  // name with its end, checksum.
  const std::array<uint32_t, 13> fields = {trailer ? 0 : next_inode_,
                                           entry.mode,
                                           0,
                                           0,
                                           entry.links,
                                           0,
                                           static_cast<uint32_t>(bytes.size()),
                                           0,
                                           0,
                                           entry.major,
                                           entry.minor,
                                           static_cast<uint32_t>(name.size() + 1),
                                           0};
  ++next_inode_;
  text("070701");
  for (const uint32_t field : fields) {
    char digits[16];
    std::snprintf(digits, sizeof(digits), "%08X", field);
    text(digits);
  }
  text(name);
  out_.push_back(std::byte{0});
  align();
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  align();
}

void CpioWriter::folder(std::string_view name) { add(name, {kFolder, 2}, {}); }

void CpioWriter::file(std::string_view name, std::span<const std::byte> bytes, bool executable) {
  add(name, {executable ? kExecutable : kPlain}, bytes);
}

void CpioWriter::character_device(std::string_view name, uint32_t major, uint32_t minor) {
  add(name, {kCharacterDevice, 1, major, minor}, {});
}

std::vector<std::byte> CpioWriter::take() {
  add("TRAILER!!!", {}, {});
  return std::move(out_);
}

std::vector<std::byte> make_initramfs(std::span<const std::byte> busybox) {
  CpioWriter cpio;
  for (const std::string_view name : {"bin", "dev", "etc", "proc", "root", "sys", "tmp"}) {
    cpio.folder(name);
  }
  cpio.character_device("dev/console", 5, 1);
  cpio.file("bin/busybox", busybox, true);
  cpio.file("etc/shrc", bytes_of(kShell), false);
  cpio.file("init", bytes_of(kInit), true);
  return cpio.take();
}

}  // namespace vitrine::ui
