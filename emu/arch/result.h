// Result<T, E>: a value or the reason there is none; how guest faults travel through the emulator.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace vitrine::emu {

template <class E>
struct Err {
  E error;
};
template <class E>
Err(E) -> Err<E>;

/// Holds either a T or an E. Trivially copyable; test before use. Both have their own place: compilers
/// keep separate members in registers, while a union's copy reads wider than what was just written. For
/// the same reason the flag is a word: behind the error it fills what copies read.
/// Idiom: `const auto r = f(); if (!r) return Err{r.error()};`
template <class T, class E>
class [[nodiscard]] Result {
 public:
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_copyable_v<E>);

  constexpr Result(T value) : value_(value), error_{}, ok_(1) {}
  constexpr Result(Err<E> err) : value_{}, error_(err.error), ok_(0) {}

  constexpr explicit operator bool() const { return ok_ != 0; }
  constexpr const T& operator*() const { return value_; }
  constexpr const T* operator->() const { return &value_; }
  constexpr const E& error() const { return error_; }

 private:
  T value_;
  E error_;
  uint32_t ok_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  constexpr Result() : error_{}, ok_(1) {}
  constexpr Result(Err<E> err) : error_(err.error), ok_(0) {}

  constexpr explicit operator bool() const { return ok_ != 0; }
  constexpr const E& error() const { return error_; }

 private:
  E error_;
  uint32_t ok_;
};

}  // namespace vitrine::emu
