// CodeMemory: host memory for generated code, written through one address and executed through another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine::emu::host {

/// One stretch of memory mapped twice: no page is ever writable and executable at the same address.
/// Empty where the host refuses such a mapping.
class CodeMemory {
 public:
  explicit CodeMemory(uint64_t size);
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  bool available() const { return write_ != nullptr; }
  uint64_t size() const { return size_; }
  std::byte* writable() { return write_; }
  const std::byte* executable() const { return execute_; }
  /// The writable address of an executable one.
  std::byte* writable(const std::byte* executable_at) {
    return write_ + (executable_at - execute_);
  }

 private:
  std::byte* write_ = nullptr;
  std::byte* execute_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace vitrine::emu::host
