// Snapshots: the whole state of a machine as bytes, and back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// Writes every visited field behind the other.
class SaveVisitor final : public StateVisitor {
 public:
  void enter(std::string_view) override {}
  void leave() override {}
  void bytes(std::string_view name, std::span<std::byte> data) override;
  void blob(std::string_view name, std::vector<std::byte>& data) override;
  bool loading() const override { return false; }

  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

/// Reads them back in the same order; ok() is false when the bytes ran out, were left over, or are of
/// another machine.
class LoadVisitor final : public StateVisitor {
 public:
  explicit LoadVisitor(std::span<const std::byte> in) : in_(in) {}
  void enter(std::string_view) override {}
  void leave() override {}
  void bytes(std::string_view name, std::span<std::byte> data) override;
  void blob(std::string_view name, std::vector<std::byte>& data) override;
  bool loading() const override { return true; }
  void reject() override { ok_ = false; }

  bool ok() const { return ok_ && in_.empty(); }

 private:
  std::span<const std::byte> in_;
  bool ok_ = true;
};

/// Changes with every field that is added, moved or removed: other versions are refused.
inline constexpr uint32_t kSnapshotVersion = 1;

/// Puts what it is, of which machine it is and a checksum in front of a state.
std::vector<std::byte> seal_snapshot(std::string_view machine, std::span<const std::byte> state);

struct OpenedSnapshot {
  std::string error;  ///< one sentence; empty when the state is whole and of such a machine
  std::span<const std::byte> state;
};
/// Looks at everything that seal_snapshot() wrote before a byte of the state is used.
OpenedSnapshot open_snapshot(std::span<const std::byte> snapshot, std::string_view machine);

}  // namespace vitrine::emu
