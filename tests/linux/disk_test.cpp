// Linux with a virtio disk and a virtio console: a file system made, kept and read back, and what is typed.
#include <catch2/catch.hpp>

#include <cstring>

#include "tests/linux/script.h"

using namespace vitrine;
using test::have_linux;
using test::Outcome;

namespace {

constexpr size_t kDiskBytes = size_t{2} << 20;

// clang-format off
constexpr std::string_view kMake = R"sh(#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
read size < /sys/block/vda/size
echo "SIZE $size"
echo "MARK $(dd if=/dev/vda bs=512 skip=7 count=1 2>/dev/null | head -c 11)"
mke2fs -F /dev/vda >/dev/null 2>&1 && echo MADE
mkdir -p /mnt
mount -t ext2 /dev/vda /mnt && echo MOUNTED
i=0
while [ $i -lt 200 ]; do echo "line $i of what the guest wrote" >> /mnt/file; i=$((i+1)); done
sync
umount /mnt
poweroff -f
)sh";

constexpr std::string_view kRead = R"sh(#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mkdir -p /mnt
mount -t ext2 -o ro /dev/vda /mnt && echo MOUNTED
tail -n 1 /mnt/file
md5sum < /mnt/file
echo x 2>/dev/null > /mnt/file || echo REFUSED
dd if=/dev/zero of=/dev/vda bs=512 count=1 2>/dev/null || echo DENIED
poweroff -f
)sh";

constexpr std::string_view kTalk = R"sh(#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
echo "the guest speaks" > /dev/hvc0
read words < /dev/hvc0
echo "HEARD $words"
echo "$words" > /dev/vda
sync
echo "again: $words" > /dev/hvc0
poweroff -f
)sh";
// clang-format on

/// MD5 of the two hundred lines.
const std::string kFileSum = "c32db5cca44e4b4abf06aba55b4b05a9";

class Bench {
 public:
  explicit Bench(const std::string& name) : folder_(name) {
    std::vector<std::byte> disk(kDiskBytes);
    constexpr std::string_view kMark = "before-boot";
    std::memcpy(disk.data() + 7 * 512, kMark.data(), kMark.size());
    emu::host::write_file(disk_, disk);
  }
  ui::RunOptions options(std::string_view script, const std::string& disk_words) {
    ui::RunOptions options = test::script_options(script, folder_);
    options.disks = {disk_.string() + disk_words};
    return options;
  }
  std::vector<std::byte> disk() const { return emu::host::read_file(disk_); }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path disk_ = folder_ / "disk";
};

/// A whole run with what comes after it.
Outcome boot(ui::RunOptions options, uint64_t slice = 1'000'000'000) {
  ui::finish_options(options);
  ui::Session session(options);
  const Outcome out = test::run_to_end(session, slice);
  session.commit_disks();
  return out;
}

}  // namespace

TEST_CASE("Linux keeps a file system on a disk that commits, and not on one that does not",
          "[linux][disk]") {
  if (!have_linux()) return;
  Bench bench("linux-disk");
  const auto before = bench.disk();

  const Outcome forgotten = boot(bench.options(kMake, ""));
  INFO(forgotten.text);
  REQUIRE(forgotten.reason == emu::StopReason::power_off);
  CHECK(forgotten.says("SIZE " + std::to_string(kDiskBytes / 512)));
  CHECK(forgotten.says("MARK before-boot"));
  CHECK(forgotten.says("MADE"));
  CHECK(forgotten.says("MOUNTED"));
  CHECK(bench.disk() == before);

  const Outcome cut = boot(bench.options(kMake, ",commit"), 1'234'567);
  CHECK(cut == forgotten);
  const auto kept = bench.disk();
  CHECK(kept != before);
  CHECK(kept.size() == before.size());
  // The superblock's magic number is where the file system has it.
  CHECK(kept[1024 + 56] == std::byte{0x53});
  CHECK(kept[1024 + 57] == std::byte{0xEF});

  const Outcome read = boot(bench.options(kRead, ",readonly"));
  INFO(read.text);
  CHECK(read.says("MOUNTED"));
  CHECK(read.says("line 199 of what the guest wrote"));
  CHECK(read.says(kFileSum));
  CHECK(read.says("REFUSED"));
  CHECK(read.says("DENIED"));
  CHECK(bench.disk() == kept);
}

TEST_CASE("Linux keeps what is typed on the virtio console, and so does a recording",
          "[linux][disk]") {
  if (!have_linux()) return;
  Bench bench("linux-console");
  ui::RunOptions options = bench.options(kTalk, "");
  options.console = "null";
  ui::finish_options(options);

  ui::Session live(options);
  emu::Machine& m = live.machine();
  while (live.serial().console_text().empty() && m.now() < test::kEnd) {
    REQUIRE(m.run({.until = m.now() + 10'000'000}) == emu::StopReason::cycle_limit);
  }
  constexpr std::string_view kTyped = "hello machine\n";
  m.input(emu::InputPort::console,
          {reinterpret_cast<const uint8_t*>(kTyped.data()), kTyped.size()});
  const Outcome first = test::run_to_end(live, 1'000'000'000);
  INFO(first.text << live.serial().console_text());
  CHECK(first.reason == emu::StopReason::power_off);
  CHECK(first.says("HEARD hello machine"));
  CHECK(live.serial().console_text().find("the guest speaks") != std::string::npos);
  CHECK(live.serial().console_text().find("again: hello machine") != std::string::npos);

  std::string written(kTyped.size(), '\0');
  m.board().disk(0).read(0, std::as_writable_bytes(std::span{written}));
  CHECK(written == kTyped);

  ui::Session again(options);
  again.machine().schedule_input(m.input_log());
  CHECK(test::run_to_end(again, 3'333'333) == first);
}
