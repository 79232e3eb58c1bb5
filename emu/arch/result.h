// Result<T, E>: a value or the reason there is none; how guest faults travel through the emulator.
#pragma once

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
/// keep separate members in registers, while a union's copy reads wider than what was just written.
/// Idiom: `const auto r = f(); if (!r) return Err{r.error()};`
template <class T, class E>
class [[nodiscard]] Result {
 public:
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_copyable_v<E>);

  constexpr Result(T value) : value_(value), error_{}, ok_(true) {}
  constexpr Result(Err<E> err) : value_{}, error_(err.error), ok_(false) {}

  constexpr explicit operator bool() const { return ok_; }
  constexpr const T& operator*() const { return value_; }
  constexpr const T* operator->() const { return &value_; }
  constexpr const E& error() const { return error_; }

 private:
  T value_;
  E error_;
  bool ok_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  constexpr Result() : error_{}, ok_(true) {}
  constexpr Result(Err<E> err) : error_(err.error), ok_(false) {}

  constexpr explicit operator bool() const { return ok_; }
  constexpr const E& error() const { return error_; }

 private:
  E error_;
  bool ok_;
};

}  // namespace vitrine::emu
