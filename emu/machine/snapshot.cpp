// Snapshots: serialisation in visiting order.
#include "emu/machine/snapshot.h"

#include <algorithm>
#include <cstring>

namespace vitrine::emu {

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

}  // namespace vitrine::emu
