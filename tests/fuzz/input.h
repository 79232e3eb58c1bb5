// Input: the bytes of one fuzz case, taken from the front; what is not there reads as zero.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace vitrine::test {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

  template <class T>
  T take() {
    T value{};
    const size_t n = std::min(sizeof(T), rest_.size());
    if (n != 0) std::memcpy(&value, rest_.data(), n);
    rest_ = rest_.subspan(n);
    return value;
  }
  std::span<const uint8_t> take_bytes(size_t most) {
    const auto taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const uint8_t> rest() { return take_bytes(rest_.size()); }
  std::string_view text() {
    const auto all = rest();
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace vitrine::test

/// What libFuzzer, or replay.cpp without it, calls for each case.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
