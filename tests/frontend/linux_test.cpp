// What `vitrine run linux` hands to the kernel: the archive's format, and which package is meant.
#include <catch2/catch.hpp>

#include <map>
#include <span>
#include <string>

#include "frontend/linux/debian.h"
#include "frontend/linux/initramfs.h"

using namespace vitrine::ui;

namespace {

struct Member {
  uint32_t mode = 0, major = 0, minor = 0;
  std::string content;
};

/// Reads an archive by the kernel's description of the format; empty when it breaks a rule.
std::map<std::string, Member> members_of(const std::vector<std::byte>& archive) {
  const std::string text(reinterpret_cast<const char*>(archive.data()), archive.size());
  constexpr size_t kHeader = 110;
  std::map<std::string, Member> members;
  for (size_t at = 0; at + kHeader <= text.size();) {
    if (text.substr(at, 6) != "070701") return {};
    const auto field = [&](size_t index) {
      return static_cast<uint32_t>(std::stoul(text.substr(at + 6 + 8 * index, 8), nullptr, 16));
    };
    const size_t size = field(6);
    const size_t name_size = field(11);
    const std::string name = text.substr(at + kHeader, name_size - 1);
    if (text[at + kHeader + name_size - 1] != 0) return {};
    const size_t content = (at + kHeader + name_size + 3) / 4 * 4;
    if (name == "TRAILER!!!") return members;
    members[name] = {field(1), field(9), field(10), text.substr(content, size)};
    at = (content + size + 3) / 4 * 4;
  }
  return {};
}

std::vector<std::byte> bytes(const std::string& text) {
  const auto view = std::as_bytes(std::span{text});
  return {view.begin(), view.end()};
}

}  // namespace

TEST_CASE("the initramfs is a newc archive with busybox, init and a console", "[linux]") {
  for (const std::string busybox : {"", "1", "12", "123", "1234"}) {
    const auto members = members_of(make_initramfs(bytes(busybox)));
    REQUIRE(members.contains("bin/busybox"));
    CHECK(members.at("bin/busybox").content == busybox);
    CHECK(members.at("bin/busybox").mode == 0100755);
    CHECK(members.at("init").mode == 0100755);
    CHECK(members.at("init").content.starts_with("#!/bin/busybox sh\n"));
    CHECK(members.at("proc").mode == 0040755);
    CHECK(members.at("dev/console").mode == 0020600);
    CHECK(members.at("dev/console").major == 5);
    CHECK(members.at("dev/console").minor == 1);
  }
}

TEST_CASE("the same busybox gives the same archive", "[linux]") {
  CHECK(make_initramfs(bytes("b")) == make_initramfs(bytes("b")));
  CHECK(make_initramfs(bytes("b")) != make_initramfs(bytes("c")));
}

TEST_CASE("the versioned kernel package is what the metapackage depends on", "[linux]") {
  CHECK(
      versioned_package("linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-50-cloud-amd64\n") ==
      "linux-image-6.1.0-50-cloud-amd64");
  CHECK(versioned_package("linux-image-cloud-amd64\n").empty());
  CHECK(versioned_package("").empty());
}
