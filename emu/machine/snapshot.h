// Snapshots: the whole state of a machine as bytes, and back.
#pragma once

#include <cstdint>
#include <span>
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

}  // namespace vitrine::emu
