// Disks: the option's words, the check of the file, and writing back.
#include "frontend/disks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "emu/machine/machine.h"
#include "frontend/options.h"

namespace vitrine::ui {

namespace {

struct Format {
  std::string_view magic;
  std::string_view name;
};

/// Disk formats that are not the plain bytes of a disk, by how their files begin.
constexpr std::array<Format, 5> kFormats = {{
    {"QFI\xFB", "a qcow2 disk"},
    {"KDMV", "a VMDK disk"},
    {"vhdxfile", "a VHDX disk"},
    {"\x1F\x8B", "gzip data"},
    {"\xFD\x37zXZ", "xz data"},
}};

}  // namespace

DiskOption parse_disk(const std::string& text) {
  DiskOption option;
  const size_t comma = text.rfind(',');
  option.file = text.substr(0, comma);
  const std::string word = comma == std::string::npos ? "" : text.substr(comma + 1);
  option.read_only = word == "readonly";
  option.commit = word == "commit";
  const bool known = comma == std::string::npos || option.read_only || option.commit;
  if (!known || option.file.empty()) {
    throw UsageError("--disk takes FILE, FILE,readonly or FILE,commit, not '" + text + "'");
  }
  return option;
}

DiskFiles::Source::Source(const DiskOption& o) : option(o), file(o.file, o.commit) {
  const std::string shown = "'" + o.file + "'";
  if (file.bytes() == 0) throw UsageError(shown + " is empty; a disk has at least one byte");
  std::array<std::byte, 8> head{};
  file.read(0, std::span{head}.first(std::min<uint64_t>(head.size(), file.bytes())));
  for (const Format& format : kFormats) {
    if (std::memcmp(head.data(), format.magic.data(), format.magic.size()) == 0) {
      throw UsageError(shown + " is " + std::string(format.name) +
                       "; --disk takes the raw bytes of a disk");
    }
  }
}

DiskFiles::DiskFiles(const std::vector<std::string>& options) {
  for (const std::string& text : options) {
    sources_.push_back(std::make_unique<Source>(parse_disk(text)));
  }
}

std::vector<emu::DiskConfig> DiskFiles::configs() const {
  std::vector<emu::DiskConfig> configs;
  for (const auto& source : sources_) {
    configs.push_back({source.get(), source->option.read_only});
  }
  return configs;
}

uint64_t DiskFiles::commit(const emu::Machine& machine) {
  uint64_t written = 0;
  for (size_t i = 0; i < sources_.size(); ++i) {
    Source& source = *sources_[i];
    if (!source.option.commit) continue;
    for (const auto& [index, block] : machine.board().disk(i).overlay()) {
      const uint64_t offset = index * emu::Disk::kBlock;
      // The last sector may be larger than the file; its end is padding and stays away.
      const uint64_t size = std::min(emu::Disk::kBlock, source.bytes() - offset);
      source.file.write(offset, std::span{block}.first(size));
      written += size;
    }
    source.file.flush();
  }
  return written;
}

}  // namespace vitrine::ui
