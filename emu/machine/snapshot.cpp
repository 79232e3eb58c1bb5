// Snapshots: serialisation in visiting order.
#include "emu/machine/snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "emu/machine/state_hash.h"

namespace vitrine::emu {

namespace {

constexpr std::array<char, 8> kMagic = {'V', 'I', 'T', 'R', 'S', 'N', 'A', 'P'};

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kSnapshotVersion;
  uint32_t machine_size = 0;  ///< bytes of its description, which follows
  uint64_t state_size = 0;    ///< bytes behind that
  uint64_t checksum = 0;      ///< of both
};
static_assert(sizeof(Header) == 32);

uint64_t checksum_of(std::span<const std::byte> machine, std::span<const std::byte> state) {
  StateHash hash;
  hash.absorb(machine);
  hash.absorb(state);
  return hash.value();
}

}  // namespace

void SaveVisitor::bytes(std::string_view, std::span<std::byte> data) {
  out_.insert(out_.end(), data.begin(), data.end());
}

void SaveVisitor::blob(std::string_view name, std::vector<std::byte>& data) {
  uint64_t size = data.size();
  bytes(name, std::as_writable_bytes(std::span{&size, 1}));
  bytes(name, data);
}

void LoadVisitor::bytes(std::string_view, std::span<std::byte> data) {
  if (data.size() > in_.size()) {
    ok_ = false;
    std::fill(data.begin(), data.end(), std::byte{0});
    return;
  }
  std::copy_n(in_.begin(), data.size(), data.begin());
  in_ = in_.subspan(data.size());
}

void LoadVisitor::blob(std::string_view name, std::vector<std::byte>& data) {
  uint64_t size = 0;
  bytes(name, std::as_writable_bytes(std::span{&size, 1}));
  if (size > in_.size()) {
    ok_ = false;
    size = 0;
  }
  data.resize(size);
  bytes(name, data);
}

std::vector<std::byte> seal_snapshot(std::string_view machine, std::span<const std::byte> state) {
  const auto name = std::as_bytes(std::span{machine});
  Header header;
  header.machine_size = static_cast<uint32_t>(name.size());
  header.state_size = state.size();
  header.checksum = checksum_of(name, state);
  const auto head = std::as_bytes(std::span{&header, 1});
  std::vector<std::byte> out;
  out.reserve(head.size() + name.size() + state.size());
  for (const auto part : {std::span<const std::byte>{head}, std::span<const std::byte>{name}, state}) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

OpenedSnapshot open_snapshot(std::span<const std::byte> snapshot, std::string_view machine) {
  Header header;
  if (snapshot.size() < sizeof(header)) return {"it is too short to be a snapshot", {}};
  std::memcpy(&header, snapshot.data(), sizeof(header));
  if (header.magic != kMagic) return {"it is not a snapshot", {}};
  if (header.version != kSnapshotVersion) {
    return {"it is of snapshot version " + std::to_string(header.version) + ", this program reads " +
                std::to_string(kSnapshotVersion),
            {}};
  }
  const auto rest = snapshot.subspan(sizeof(header));
  if (header.machine_size > rest.size() ||
      header.state_size != rest.size() - header.machine_size) {
    return {"it is cut short, or something was added to it", {}};
  }
  const auto name = rest.first(header.machine_size);
  const auto state = rest.subspan(header.machine_size);
  if (header.checksum != checksum_of(name, state)) return {"it is damaged: its checksum differs", {}};
  const std::string of(reinterpret_cast<const char*>(name.data()), name.size());
  if (of != machine) {
    return {"it is of another machine: '" + of + "', this one is '" + std::string(machine) + "'", {}};
  }
  return {"", state};
}

}  // namespace vitrine::emu
