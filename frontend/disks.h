// Disks: the files behind --disk, read under the machine's overlay and written only when asked to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "emu/devices/disk.h"
#include "emu/host/random_file.h"
#include "emu/machine/config.h"

namespace vitrine::emu {
class Machine;
}

namespace vitrine::ui {

/// "FILE", "FILE,readonly" or "FILE,commit".
struct DiskOption {
  std::string file;
  bool read_only = false;
  bool commit = false;
};

/// Throws UsageError for another word behind the comma.
DiskOption parse_disk(const std::string& text);

/// The open files of a run's disks.
class DiskFiles {
 public:
  /// Opens all of them; throws UsageError or HostError for one that cannot be a raw disk.
  explicit DiskFiles(const std::vector<std::string>& options);

  /// What the machine is told of them; refers to this object.
  std::vector<emu::DiskConfig> configs() const;
  /// Writes what the guest wrote into the files that say `commit`; answers the bytes written.
  uint64_t commit(const emu::Machine& machine);

 private:
  class Source final : public emu::DiskSource {
   public:
    explicit Source(const DiskOption& option);
    uint64_t bytes() const override { return file.bytes(); }
    void read(uint64_t offset, std::span<std::byte> out) const override { file.read(offset, out); }

    DiskOption option;
    mutable emu::host::RandomFile file;  ///< reading moves its position
  };
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace vitrine::ui
